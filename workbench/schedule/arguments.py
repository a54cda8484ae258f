"""Arguments of the methods of `Schedule`: numbers of numpy are numbers, places are places."""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar, cast

from workbench.schedule.references import BlockRef, LoopRef
from workbench.support import CompileError, Diagnostic
from workbench.support.found import found
from workbench.support.kinds import fits, methods_check_kinds
from workbench.support.plain_values import plain

C = TypeVar("C", bound=type)
Method = Callable[..., Any]
PLACES = ("loop", "loops", "block", "blocks", "block_or_loop", "place", "target", "consumer_blocks")
OTHERS = ("factors", "candidates", "probs", "decision", "ann_val", "module")
"""Arguments of which the methods say themselves what is wrong with them."""


def takes_arguments(kind: C) -> C:
    """Let the public methods of a class take what people give, or refuse it before all else.

    Numbers and arrays of numpy are taken as those of Python, iterators as lists. Arguments that
    are no places where places are expected, and those of another wrong kind, are refused.

    Raises:
        CompileError: when a method is called: `schedule/not-a-place`, `call/wrong-kind`,
            `call/arguments`.
    """
    checked = methods_check_kinds(*PLACES, *OTHERS)(kind)
    for name, member in list(vars(checked).items()):
        if isinstance(member, types.FunctionType) and hasattr(member, "__wrapped__"):
            setattr(checked, name, _taking(member))
    return checked


def _taking(method: Method) -> Method:
    original = inspect.unwrap(method)
    signature = inspect.signature(original)
    names = [name for name in signature.parameters if name in PLACES]

    @functools.cache
    def hints() -> Mapping[str, object]:
        known = typing.get_type_hints(original)
        return {name: known[name] for name in names}

    @functools.wraps(method)
    def call(self: object, *args: object, **keywords: object) -> object:
        given = [_taken(item) for item in args]
        named = {name: _taken(item) for name, item in keywords.items()}
        if names:
            _check_places(self, signature, given, named, hints())
        return method(self, *given, **named)

    return call


def _taken(value: object) -> object:
    return plain(list(cast("Iterator[object]", value)) if isinstance(value, Iterator) else value)


def _check_places(
    schedule: object,
    signature: inspect.Signature,
    args: list[object],
    keywords: Mapping[str, object],
    hints: Mapping[str, object],
) -> None:
    try:
        bound = signature.bind(schedule, *args, **keywords).arguments
    except TypeError:  # the method says what is wrong
        return
    for name, hint in hints.items():
        if name not in bound:
            continue
        several = signature.parameters[name].kind is inspect.Parameter.VAR_POSITIONAL
        for value in cast("tuple[object, ...]", bound[name]) if several else (bound[name],):
            if not fits(value, hint):
                listed = name if several and type(value) in {list, tuple} else ""
                raise _no_place(str(getattr(schedule, "function", "")), value, hint, listed)


def _alternatives(hint: object) -> tuple[object, ...]:
    """The kinds of items in an annotation of a list."""
    (item,) = typing.get_args(hint)
    return typing.get_args(item)


def _no_place(function: str, value: object, hint: object, listed: str) -> CompileError:
    """`listed` names the argument that takes several one by one and got a list of them."""
    kinds = [*typing.get_args(hint), hint]
    lists = [kind for kind in kinds[:-1] if typing.get_args(kind)]
    kinds += [kind for item in lists for kind in _alternatives(item)]
    parts = [word for word, kind in (("a block", BlockRef), ("a loop", LoopRef)) if kind in kinds]
    parts += ["its name" if len(parts) == 1 else "a name"]
    parts += ["a list of these"] if lists else []
    parts += ["a number"] if int in kinds else []
    words = " or ".join((", ".join(parts[:-1]), parts[-1]))
    return CompileError(
        Diagnostic(
            "schedule/not-a-place",
            f"expected {words}, got {found(value)}",
            function=function,
            hint=f"give them one by one: `*{listed}`"
            if listed
            else 'take it from `get_loops` or `get_block`, or say its name: `"i"`',
        )
    )
