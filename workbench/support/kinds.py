"""Kinds of arguments: public functions say which one is wrong, before they do anything.

The annotations are the specification: what people read in the signature is what is checked.
"""

from __future__ import annotations

import functools
import inspect
import numbers
import types
import typing
from abc import ABCMeta
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeVar, Union, cast

from workbench.support.diagnostics import CompileError, Diagnostic
from workbench.support.found import MAX_SHOWN, found
from workbench.support.limits import beyond_limit
from workbench.support.spelling import near

_EXPRESSIONS = "workbench.ir.expr"
"""Where the kinds of scalar expressions are, which are told as one."""
_CALLABLE: object = typing.get_origin(Callable[..., object])
_LISTS: tuple[object, ...] = (tuple, list, typing.get_origin(Sequence[object]))
_COLLECTIONS: tuple[object, ...] = (
    set,
    frozenset,
    *map(typing.get_origin, (typing.AbstractSet[object], Collection[object], Iterable[object])),
)
F = TypeVar("F", bound=Callable[..., Any])
C = TypeVar("C", bound=type)
_NUMBERS: dict[object, type] = {int: numbers.Integral, float: numbers.Real, complex: numbers.Number}
_WORDS: dict[object, str] = {
    int: "an integer",
    float: "a number",
    str: "a text",
    bool: "True or False",
    type(None): "`None`",
}


def checks_kinds(function: F, own: tuple[str, ...] = ()) -> F:
    """Refuse arguments that the annotations do not allow; `own` are left to the function.

    Raises:
        CompileError: when called: `call/arguments` for too many, too few or unknown ones,
            `call/wrong-kind`.
    """
    signature = inspect.signature(function)

    def title(args: tuple[Any, ...]) -> str:
        made = function.__name__ == "__init__"
        return type(args[0]).__name__ if made and args else function.__name__

    @functools.cache
    def hints() -> dict[str, Any]:
        names = [name for name in function.__annotations__ if name not in own]
        return {name: hint for name in names for hint in _readable(function, name)}

    @functools.wraps(function)
    def call(*args: Any, **keywords: Any) -> Any:  # noqa: ANN401
        try:
            given = signature.bind(*args, **keywords)
        except TypeError:
            fault = wrong_call(title(args), function, args, keywords)
            assert fault is not None
            raise CompileError(fault) from None
        for name, value, hint in _arguments(given, hints()):
            if not fits(value, hint):
                raise CompileError(_wrong(title(args), name, value, hint))
        return function(*args, **keywords)

    return cast(F, call)


def _readable(function: Callable[..., Any], name: str) -> list[Any]:
    """The annotation of an argument; nothing where its names are gone or it is recursive."""
    alone = types.SimpleNamespace(__annotations__={name: function.__annotations__[name]})
    try:
        return [typing.get_type_hints(alone, function.__globals__)[name]]
    except (NameError, TypeError):
        return []


def methods_check_kinds(*own: str) -> Callable[[C], C]:
    """The same for the public methods of a class."""

    def decorate(kind: C) -> C:
        for name, member in list(vars(kind).items()):
            public = name == "__init__" or not name.startswith("_")
            if public and isinstance(member, types.FunctionType):
                setattr(kind, name, checks_kinds(member, own))
        return kind

    return decorate


class ChecksArguments(ABCMeta):
    """Classes that refuse arguments which they do not take by a diagnostic, when they are called.

    The kinds of arguments are left to the class.
    """

    def __call__(cls, *args: Any, **keywords: Any) -> Any:  # noqa: ANN401
        """An object of the class.

        Raises:
            CompileError: `call/arguments` for too many, too few or unknown arguments, and for a
                class that is not to be called.
        """
        try:
            return super().__call__(*args, **keywords)
        except TypeError as error:
            made: Any = cls.__init__
            fault = _abstract(cls) or wrong_call(cls.__name__, made, (cls, *args), keywords)
            if fault is None:
                raise
            raise CompileError(fault) from error


def checks_call(function: F, title: str = "") -> F:
    """Refuse too many, too few or unknown arguments; their kinds are left to the function.

    Costs nothing but a frame where they fit. `title` is the class of a method.

    Raises:
        CompileError: when called: `call/arguments`.
    """
    title = title or function.__name__

    @functools.wraps(function)
    def call(*args: Any, **keywords: Any) -> Any:  # noqa: ANN401
        try:
            return function(*args, **keywords)
        except TypeError as error:
            fault = wrong_call(title, function, args, keywords)
            if fault is None:
                raise
            raise CompileError(fault) from error

    return cast(F, call)


def class_checks_calls(kind: C) -> C:
    """The same for a class that is called."""
    made: object = vars(kind).get("__init__")
    if isinstance(made, types.FunctionType) and not hasattr(made, "__wrapped__"):
        kind.__init__ = checks_call(made, kind.__name__)
    return kind


def check_calls_of(package: dict[str, Any], names: Iterable[str], *, kinds: bool = False) -> None:
    """Let the public functions and classes of a package refuse arguments as `checks_call` does.

    Where the functions do not check them, `kinds` of arguments too.
    """
    for name in names:
        item = package[name]
        if inspect.isclass(item):
            class_checks_calls(item)
        elif isinstance(item, types.FunctionType) and kinds:
            package[name] = item if hasattr(item, "__wrapped__") else checks_kinds(item)
        elif isinstance(item, types.FunctionType | functools.partial):
            package[name] = checks_call(cast(Any, item), name)


def _abstract(kind: type) -> Diagnostic | None:
    missing = sorted(getattr(kind, "__abstractmethods__", ()))
    if not missing:
        return None
    lacks = ", ".join(f"`{method}`" for method in missing)
    message = f"`{kind.__name__}` cannot be made: it lacks {lacks}"
    hint = "derive a class from it that has them"
    return Diagnostic("call/arguments", message, hint=hint)


def wrong_call(
    title: str,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    keywords: Mapping[str, Any],
) -> Diagnostic | None:
    """Why a function cannot be called with these arguments, None where it can."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some functions of C
        return None
    try:
        signature.bind(*args, **keywords)
    except TypeError as error:
        shown = [p for name, p in signature.parameters.items() if name != "self"]
        unknown = next((word for word in keywords if word not in signature.parameters), "")
        return Diagnostic(
            "call/arguments",
            f"{_named(title)}: {error}",
            notes=(f"{_named(title)} takes `{signature.replace(parameters=shown)}`",),
            hint=near(unknown, signature.parameters) if unknown else "",
        )
    return None


def _named(title: str) -> str:
    return title if "`" in title else f"`{title}`"


def wrong_arguments(title: str, /, **given: tuple[object, object]) -> tuple[Diagnostic, ...]:
    """What is wrong with arguments by name, each given with what it may be; empty for nothing."""
    return tuple(
        _wrong(title, name, value, hint)
        for name, (value, hint) in given.items()
        if not fits(value, hint)
    )


def wrong_fields(item: Any, own: tuple[str, ...] = ()) -> tuple[Diagnostic, ...]:  # noqa: ANN401
    """What is wrong with the parameters of a pass, which are the fields of a dataclass.

    Those in `own` it checks itself.
    """
    kind = cast(type[object], type(item))
    wrong = tuple(
        _wrong(kind.__name__, name, value, hint)
        for name, hint in _fields(kind)
        if name not in own and not fits(value := getattr(item, name), hint)
    )
    return wrong or tuple(_beyond_limits(item, kind.__name__))


def _beyond_limits(item: Any, title: str) -> Iterator[Diagnostic]:  # noqa: ANN401
    for name, field in getattr(item, "__dataclass_fields__", {}).items():
        value = getattr(item, name, None)
        if field.metadata and (wanted := beyond_limit(field, value)):
            message = f"`{name}` of `{title}` is {wanted}, got `{value}`"
            yield Diagnostic("call/wrong-kind", message)


@functools.cache
def _fields(kind: type[Any]) -> tuple[tuple[str, Any], ...]:
    names = getattr(kind, "__dataclass_fields__", {})
    try:
        hints = typing.get_type_hints(kind)
    except (NameError, TypeError):  # names of a cell that are gone
        return ()
    return tuple((name, hints[name]) for name in names if not _is_class_variable(hints[name]))


def _is_class_variable(hint: object) -> bool:
    return typing.get_origin(hint) is typing.ClassVar


def _arguments(
    given: inspect.BoundArguments, hints: Mapping[str, Any]
) -> Iterator[tuple[str, object, Any]]:
    kinds = inspect.Parameter
    for name, value in given.arguments.items():
        if name not in hints:
            continue
        match given.signature.parameters[name].kind:
            case kinds.VAR_POSITIONAL:
                yield from ((name, item, hints[name]) for item in value)
            case kinds.VAR_KEYWORD:
                yield from ((key, item, hints[name]) for key, item in value.items())
            case _:
                yield name, value, hints[name]


def _wrong(function: str, name: str, value: object, hint: object) -> Diagnostic:
    return Diagnostic(
        "call/wrong-kind",
        f"`{function}` takes {describe(hint)} as `{name}`, got {found(value)}",
        hint=module_hint(value, hint) or _list_hint(value, hint),
    )


def module_hint(value: object, hint: object) -> str:
    """What to write where a module is wanted, and something was given that has one."""
    held: object = None if isinstance(value, type) else getattr(value, "module", None)
    if held is None or not isinstance(hint, type) or not isinstance(held, hint):
        return ""
    kind = type(value).__name__
    return f"give its module: the `.module` of the `{kind}`"


def _list_hint(value: object, hint: object) -> str:
    """What to write where a list is wanted, and one item of it was given."""
    shown = repr(value)
    single = isinstance(value, str) and len(shown) < MAX_SHOWN and fits((value,), hint)
    return f"write `({shown},)`" if single else ""


def fits(value: object, hint: Any) -> bool:  # noqa: ANN401
    """Whether an annotation allows a value; what cannot be told is allowed."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint is None or hint is type(None):
        return value is None
    if origin in {Union, types.UnionType}:
        return any(fits(value, arg) for arg in args)
    if origin is Literal:
        return any(value is arg or (type(value) is type(arg) and value == arg) for arg in args)
    if origin is not None:
        return _fits_generic(value, origin, args)
    if isinstance(hint, typing.NewType):
        return fits(value, hint.__supertype__)
    return _is_instance(value, hint)


def _is_instance(value: object, hint: object) -> bool:
    if hint is bool:
        return isinstance(value, bool) or type(value).__name__ in {"bool", "bool_"}
    if hint is int and (isinstance(value, bool) or not hasattr(value, "__index__")):
        return False
    hint = _NUMBERS.get(hint, hint)
    try:
        return not isinstance(hint, type) or isinstance(value, hint)
    except TypeError:  # a protocol that cannot be asked
        return True


def _fits_generic(value: object, origin: object, args: tuple[Any, ...]) -> bool:
    if origin is _CALLABLE:
        return callable(value)
    if origin is type:
        above = tuple(arg for arg in args if isinstance(arg, type))
        return isinstance(value, type) and issubclass(value, above or object)
    if origin in _LISTS:
        return _fits_items(value, origin, args)
    if isinstance(origin, type) and not isinstance(value, origin):
        return False
    if isinstance(value, Mapping) and len(args) == 2:
        pairs = cast("Mapping[object, object]", value).items()
        return all(fits(key, args[0]) and fits(item, args[1]) for key, item in pairs)
    if origin in _COLLECTIONS and isinstance(value, Collection):  # others are used up by looking
        return _all_fit(cast("Collection[object]", value), args)
    return True


def _all_fit(values: Iterable[object], args: tuple[Any, ...]) -> bool:
    try:
        return not args or all(fits(item, args[0]) for item in values)
    except TypeError:  # an array of no dimension has the methods of a list
        return False


def _fits_items(value: Any, origin: object, args: tuple[Any, ...]) -> bool:  # noqa: ANN401
    kind = cast(type[object], type(value))
    if issubclass(kind, str | bytes | Mapping):
        return False
    if not (hasattr(kind, "__getitem__") and hasattr(kind, "__len__")):
        return False
    if not args or origin is not tuple or args[1:] == (Ellipsis,):
        return _all_fit(value, args)
    try:
        return len(value) == len(args) and all(map(fits, value, args))
    except TypeError:
        return False


def _many(hint: Any) -> str:  # noqa: ANN401
    """An annotation in words, for several."""
    if hint in _WORDS and hint is not bool and hint is not type(None):
        return f"{_WORDS[hint].split()[1]}s"
    return f"items that are {describe(hint)} each" if hint is not Any else "anything"


def _grouped(args: tuple[Any, ...]) -> list[str]:
    """Alternatives in words; all kinds of scalar expressions are one."""
    nodes = [arg for arg in args if getattr(arg, "__module__", "") == _EXPRESSIONS]
    if len(nodes) <= 2:
        return [describe(arg) for arg in args]
    others = [describe(arg) for arg in args if arg not in nodes and arg is not type(None)]
    return [*others, "an expression", *(["`None`"] if type(None) in args else [])]


def describe(hint: Any) -> str:  # noqa: ANN401
    """An annotation in words."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint is None or hint in _WORDS:
        return _WORDS[type(None) if hint is None else hint]
    if origin in {Union, types.UnionType}:
        words = list(dict.fromkeys(_grouped(args)))
        return ", ".join(words[:-1]) + (" or " if words[:-1] else "") + words[-1]
    if origin is Literal:
        return " or ".join(f"`{arg!r}`" for arg in args)
    if origin is _CALLABLE:
        return "a function"
    if isinstance(hint, typing.NewType):
        return describe(hint.__supertype__)
    if origin in (*_LISTS, typing.get_origin(Iterable[object])):
        items = [describe(arg) for arg in args if arg is not Ellipsis]
        if len(items) == 1 and (origin is not tuple or args[1:] == (Ellipsis,)):
            return f"a list of {_many(args[0])}"
        return f"a list ({', '.join(items)})" if items else "a list"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return "a dictionary" + (f" from {_many(args[0])} to {_many(args[1])}" if args else "")
    if origin is type:
        return f"a class ({', '.join(describe(arg) for arg in args)})"
    name: str = getattr(cast(object, hint if origin is None else origin), "__name__", str(hint))
    return f"{'an' if name[0] in 'AEIOaeiou' else 'a'} `{name}`"
