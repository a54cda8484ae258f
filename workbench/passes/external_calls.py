"""How the code that came with a module is called, also where nothing calls it any more.

The module attribute `external_calls` has symbol, style, attributes and types of a call for each,
so that a function that was swapped out can be swapped in again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

from workbench.ir import (
    Arg,
    Attrs,
    CallPacked,
    IRModule,
    PackedStyle,
    Type,
    externals,
    type_of,
)
from workbench.ir.call_types import show_type
from workbench.ir.externals import EXTERNALS
from workbench.rewrite import all_bindings

CALLS = "external_calls"


@dataclass(frozen=True, slots=True)
class ExternalCall:
    """A way to call a symbol: `types` are those of arguments and results, as scripts write them."""

    symbol: str
    style: PackedStyle
    attrs: Attrs
    types: tuple[str, ...]

    def fits(self, args: Sequence[Arg], out: Type) -> bool:
        """Whether a call with these arguments and this result is such a call."""
        return self.types == _types(args, (out,))

    def call(self, args: tuple[Arg, ...], out: Type, attrs: Attrs) -> CallPacked:
        """The call of the symbol, with attributes besides its own."""
        merged = tuple(sorted((dict(self.attrs) | dict(attrs)).items()))
        return CallPacked(self.symbol, args, (out,), self.style, merged)


def external_calls(module: IRModule) -> tuple[ExternalCall, ...]:
    """How external functions are called: what is noted, and the calls that are there."""
    symbols = {external.symbol for external in externals(module)}
    found = dict.fromkeys(call for call in _noted(module) if call.symbol in symbols)
    for function in module.graph_functions.values() if symbols else ():
        for binding in all_bindings(function):
            call = binding.value
            if isinstance(call, CallPacked) and call.symbol in symbols:
                found[_call_like(call)] = None
    return tuple(found)


def noting_calls(module: IRModule) -> IRModule:
    """The module with a note of how its external functions are called now."""
    return _with_notes(module, external_calls(module))


def like_in(
    module: IRModule, source: IRModule, old: Sequence[Type], new: Sequence[Type]
) -> IRModule:
    """The module with the external code of `source` that takes the types `old`, for types `new`.

    Both are the types of arguments and result.
    """
    given = {**dict(module.attrs), EXTERNALS: dict(source.attrs).get(EXTERNALS, ())}
    if not given[EXTERNALS]:
        return module
    known = [call for call in external_calls(source) if call.types == _texts(old)]
    calls = tuple(replace(call, types=_texts(new)) for call in known)
    return _with_notes(replace(module, attrs=tuple(sorted(given.items()))), calls)


def _with_notes(module: IRModule, calls: Sequence[ExternalCall]) -> IRModule:
    if not calls:
        return module
    table = tuple((c.symbol, c.style.name, c.attrs, c.types) for c in calls)
    attrs = {**dict(module.attrs), CALLS: table}
    return replace(module, attrs=tuple(sorted(attrs.items())))


def _noted(module: IRModule) -> list[ExternalCall]:
    """What the attribute says; what somebody wrote there that says nothing is left out."""
    table = dict(module.attrs).get(CALLS, ())
    found: list[ExternalCall] = []
    for item in table if isinstance(table, tuple) else ():
        match item:
            case (str(symbol), str(style), tuple(attrs), tuple(types)) if (
                style in PackedStyle.__members__
            ):
                named = cast("Attrs", attrs)
                texts = tuple(str(text) for text in types)
                found.append(ExternalCall(symbol, PackedStyle[style], named, texts))
            case _:
                continue
    return found


def _call_like(call: CallPacked) -> ExternalCall:
    attrs = tuple((key, value) for key, value in call.attrs if key != "algorithm")
    return ExternalCall(call.symbol, call.style, attrs, _types(call.args, call.out_types))


def _types(args: Sequence[Arg], outs: Sequence[Type]) -> tuple[str, ...]:
    return _texts((*map(type_of, args), *outs))


def _texts(types: Sequence[Type]) -> tuple[str, ...]:
    return tuple(map(show_type, types))
