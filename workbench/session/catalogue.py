"""The passes one can apply by name, and the line of Python that names a pass."""

from __future__ import annotations

import dataclasses
import threading
from collections import OrderedDict
from typing import Any, cast

from workbench import passes
from workbench.ir import IRModule, module_digest, registry_version
from workbench.rewrite import Pass, PassResult, registered_passes
from workbench.schedule import PRIMITIVES
from workbench.session.guarded import run_guarded
from workbench.support import CompileError, Diagnostic
from workbench.support.embed import is_code, own_name
from workbench.support.python_text import Special, is_default, python_text
from workbench.support.spelling import near

KEPT = 256
_RESULTS: OrderedDict[tuple[object, ...], PassResult] = OrderedDict()


@dataclasses.dataclass
class _Catalogue:
    """What was registered when somebody asked last."""

    seen: tuple[object, ...] = ()
    version: int = 0
    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)


_CATALOGUE = _Catalogue()


def known_passes() -> tuple[type[Pass], ...]:
    """The built-in passes, then those of the user."""
    return (*passes.BUILTIN_PASSES, *registered_passes())


def catalogue_version() -> int:
    """A number that changes with what is registered: passes, operators, libraries, intrinsics."""
    with _CATALOGUE.lock:
        seen = (registry_version(), *registered_passes())
        if seen != _CATALOGUE.seen:
            _CATALOGUE.seen = seen
            _CATALOGUE.version += 1
        return _CATALOGUE.version


def is_builtin(kind: type[Pass]) -> bool:
    """Whether we ship the pass: then its result depends on nothing but module and parameters."""
    return kind.__module__.startswith("workbench.")


def as_pass(item: Pass | type[Pass] | str) -> Pass:
    """A pass from a pass, its class, or its name (`LegalizeOps` or `legalize-ops`).

    Raises:
        CompileError: `session/unknown-pass`, `session/not-a-pass`, `session/pass-parameters`.
    """
    if isinstance(item, Pass):
        return item
    kind: Any = _by_name(item) if isinstance(item, str) else item
    if not (isinstance(kind, type) and issubclass(kind, Pass)):
        several = isinstance(kind, tuple | list)
        raise CompileError(
            Diagnostic(
                "session/not-a-pass",
                f"expected a pass, got {'several, a' if several else 'a'} `{type(item).__name__}`",
                hint="apply them one by one: `for step in steps: session.apply(step)`"
                if several
                else "a pass is an instance of a subclass of `workbench.rewrite.Pass`",
            )
        )
    if needed := required_parameters(kind):
        names = ", ".join(f"`{name}`" for name in needed)
        raise CompileError(
            Diagnostic("session/pass-parameters", f"`{kind.__name__}` needs {names}")
        )
    return kind()


def required_parameters(kind: type[Pass]) -> tuple[str, ...]:
    """Parameters of a pass that have no default."""
    if not dataclasses.is_dataclass(kind):
        return ()
    missing = dataclasses.MISSING
    return tuple(
        f.name
        for f in dataclasses.fields(kind)
        if f.init and f.default is missing and f.default_factory is missing
    )


def _by_name(name: str) -> type[Pass]:
    for kind in (*passes.BUILTIN_PASSES, *reversed(registered_passes())):
        if name in {kind.__name__, getattr(kind, "name", "")}:
            return kind
    names = [kind.__name__ for kind in known_passes()]
    known = ", ".join(f"`{known}`" for known in names)
    shown = (f"there are {known}",)
    hint = near(name, names)
    raise CompileError(
        Diagnostic("session/unknown-pass", f"no pass `{name}`", notes=shown, hint=hint)
    )


def run_pass(item: Pass, module: IRModule) -> PassResult:
    """The result of a pass; those of passes that we ship are remembered.

    Raises:
        CompileError: what the pass finds, `session/pass-raised` for any other exception of it.
    """
    if not is_builtin(type(item)):
        return run_guarded(item, module)
    key = (module_digest(module), id(module.pool), type(item), repr(item), registry_version())
    if key not in _RESULTS:
        _RESULTS[key] = run_guarded(item, module)
        while len(_RESULTS) > KEPT:
            _RESULTS.popitem(last=False)
    return _RESULTS[key]


def _name_of(part: object) -> str:
    """The name of a function, which a recipe defines or imports; empty for other parameters."""
    return own_name(part) if is_code(part) else ""


def pass_code(item: Pass, special: Special = _name_of) -> str:
    """The Python expression that makes the pass: parameters that are not defaults only.

    `special(part)` gives the text of parts of parameters where it is not empty.
    """
    kind = type(item)
    shown: list[str] = []
    for f in dataclasses.fields(item) if dataclasses.is_dataclass(item) else ():
        value = _as_written(f, getattr(item, f.name))
        if f.init and (
            not is_default(f, value) or python_text(value, special) != python_text(value)
        ):
            shown.append(f"{f.name}={python_text(value, special)}")
    return f"{_prefix(kind)}{kind.__name__}({', '.join(shown)})"


def _as_written(field: dataclasses.Field[Any], value: object) -> object:
    """Values by name as a mapping, where that is what one writes; else the value."""
    if not isinstance(value, tuple) or not str(field.type).startswith("Mapping["):
        return cast("object", value)
    items = cast("tuple[object, ...]", value)
    pairs = [cast("tuple[object, ...]", one) for one in items if isinstance(one, tuple)]
    named = bool(items) and len(pairs) == len(items)
    named = named and all(len(pair) == 2 and isinstance(pair[0], str) for pair in pairs)
    return {pair[0]: pair[1] for pair in pairs} if named else items


def functions_in(item: Pass) -> tuple[Any, ...]:
    """The functions among the parameters of a pass."""
    fields = dataclasses.fields(item) if dataclasses.is_dataclass(item) else ()
    found = (getattr(item, f.name) for f in fields)
    return tuple(value for value in found if callable(value))


def same_pass(a: Pass, b: Pass) -> bool:
    """Whether two passes are of one name with equal parameters; their code may differ."""
    if type(a).__qualname__ != type(b).__qualname__ or pass_code(a) != pass_code(b):
        return False
    if functions_in(a) != functions_in(b):
        return False
    return dataclasses.is_dataclass(a) or repr(vars(a)) == repr(vars(b))


def _prefix(kind: type[Pass]) -> str:
    if kind in PRIMITIVES:
        return "wb.schedule."
    return "wb.passes." if getattr(passes, kind.__name__, None) is kind else ""
