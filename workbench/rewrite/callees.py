"""Names of functions, replaced wherever a function calls or names them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from workbench.ir import (
    Attrs,
    Binding,
    BindingBlock,
    CallFunction,
    CallPacked,
    CallTIR,
    CallTIRInplace,
    Function,
    IfThenElse,
    TensorFunction,
)
from workbench.ir.traverse import evolve


def with_callees(function: Function, names: Mapping[str, str]) -> Function:
    """A function that calls others by new names, and names them so as algorithms."""
    attrs = _attrs(function.attrs, names)
    if isinstance(function, TensorFunction):
        return function if attrs is function.attrs else replace(function, attrs=attrs)
    return replace(function, blocks=_blocks(function.blocks, names), attrs=attrs)


def _attrs(attrs: Attrs, names: Mapping[str, str]) -> Attrs:
    known = dict(attrs).get("algorithm")
    if not isinstance(known, str) or known not in names:
        return attrs
    return tuple((k, names[known] if k == "algorithm" else v) for k, v in attrs)


def _blocks(blocks: tuple[BindingBlock, ...], names: Mapping[str, str]) -> tuple[BindingBlock, ...]:
    return tuple(replace(b, bindings=tuple(_binding(x, names) for x in b.bindings)) for b in blocks)


def _binding(binding: Binding, names: Mapping[str, str]) -> Binding:
    value = binding.value
    match value:
        case CallTIR() | CallTIRInplace() | CallFunction() if value.callee in names:
            return evolve(binding, {"value": evolve(value, {"callee": names[value.callee]})})
        case CallPacked(attrs=attrs):
            return replace(binding, value=replace(value, attrs=_attrs(attrs, names)))
        case IfThenElse(then=then, otherwise=otherwise):
            then = replace(then, blocks=_blocks(then.blocks, names))
            otherwise = replace(otherwise, blocks=_blocks(otherwise.blocks, names))
            return replace(binding, value=replace(value, then=then, otherwise=otherwise))
        case _:
            return binding
