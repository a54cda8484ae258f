"""CombineParallelMatmuls: one product for matrices that the same value is multiplied with.

Rewrite::

    q = R.matmul(x, wq)
    k = R.matmul(x, wk)
    =>
    w = R.concat((wq, wk), axis=1)           # a constant where wq and wk are constants
    all = R.matmul(x, w)
    parts = R.split(all, indices_or_sections=[64], axis=-1)
    q = parts[0]
    k = parts[1]
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate
from typing import ClassVar

import numpy as np
from typing_extensions import override

from workbench.analysis.constants import constant_of
from workbench.analysis.homes import homes
from workbench.analysis.uses import constant_values
from workbench.ir import (
    Alias,
    Arg,
    Attrs,
    Binding,
    BindingBlock,
    CallOp,
    Constant,
    GraphFunction,
    IRModule,
    TensorType,
    TupleItem,
    TupleValue,
    Type,
    Var,
    infer_type,
    type_of,
)
from workbench.rewrite import ModuleEditor, Refusal, Relation, Rule, Site, is_fused, note
from workbench.support import NodeId
from workbench.support.limits import at_least


@dataclass(frozen=True)
class _Group(Site):
    """Products of one left operand: their bindings in program order, and their right operands."""

    members: tuple[Binding, ...] = ()
    rights: tuple[Arg, ...] = ()


@dataclass
class _Products:
    """Products of one left operand in one dataflow block."""

    usable: list[tuple[Binding, Arg]] = field(default_factory=list[tuple[Binding, Arg]])
    refused: list[tuple[Binding, str]] = field(default_factory=list[tuple[Binding, str]])


@dataclass(frozen=True)
class CombineParallelMatmuls(Rule):
    """Multiply once where several constants or parameters are multiplied with the same value.

    Right operands must be matrices with a known number of columns. Each product keeps its id and
    becomes a part of the whole; every element is the sum that it was. `least` is the number of
    products that are worth it. Reference: `relax.transform.CombineParallelMatmul`.
    """

    name: ClassVar[str] = "combine-parallel-matmuls"
    absent: ClassVar[str] = "no value is multiplied with several constants or parameters"
    least: int = at_least(0, default=2)

    @override
    def sites(self, module: IRModule) -> Iterator[Site | Refusal]:
        for name, function in module.graph_functions.items():
            if not is_fused(function):
                known = constant_values(function)
                for home in homes(function):
                    if home.dataflow:
                        yield from self._groups(name, function, home.block, known)

    def _groups(
        self,
        name: str,
        function: GraphFunction,
        block: BindingBlock,
        known: dict[NodeId, Constant],
    ) -> Iterator[Site | Refusal]:
        for products in _products(function, block, known).values():
            usable = products.usable
            if len(usable) + len(products.refused) < self.least:
                continue
            for binding, reason in products.refused:
                yield note("combine/right-operand", reason, name, binding.var.id)
            if len(usable) >= max(2, self.least):
                members, rights = zip(*usable, strict=True)
                left = usable[0][0].value.args[0]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]
                text = f"{len(members)} products of `{getattr(left, 'name', 'a constant')}`"  # pyright: ignore[reportUnknownArgumentType]
                yield _Group(name, tuple(b.var.id for b in members), text, members, rights)

    @override
    def rewrite(self, site: Site, editor: ModuleEditor) -> None:
        assert isinstance(site, _Group)
        first = site.members[0]
        assert isinstance(first.value, CallOp)
        right = _together(site, editor)
        left, attrs = first.value.args[0], first.value.attrs
        product = CallOp("matmul", (left, right), attrs)
        cuts = tuple(accumulate(_columns(r) or 0 for r in site.rights))[:-1]
        types = _types(type_of(left), type_of(right), attrs, cuts)
        whole = editor.new_var(site.function, f"{first.var.name}_all", types[0])
        editor.insert_before(site.function, first.var.id, Binding(whole, product))
        parts = editor.new_var(site.function, f"{first.var.name}_parts", types[1])
        split = _split(whole, cuts)
        editor.insert_before(site.function, first.var.id, Binding(parts, split))
        for index, member in enumerate(site.members):
            item = TupleItem(parts, index)
            editor.replace_value(site.function, member.var.id, item, self.name, Relation.PART)


@lru_cache(maxsize=256)
def _types(left: Type, right: Type, attrs: Attrs, cuts: tuple[int, ...]) -> tuple[Type, Type]:
    """The types of a product and of its parts: many products have the same."""
    a, b = Var(NodeId(-1), "a", left), Var(NodeId(-2), "b", right)
    whole = infer_type(CallOp("matmul", (a, b), attrs))
    return whole, infer_type(_split(Var(NodeId(-3), "whole", whole), cuts))


def _split(whole: Var, cuts: tuple[int, ...]) -> CallOp:
    return CallOp("split", (whole,), (("axis", -1), ("indices_or_sections", cuts)))


def _products(
    function: GraphFunction, block: BindingBlock, known: dict[NodeId, Constant]
) -> dict[object, _Products]:
    """The matrix products of a block by left operand, dtype of the result and rows."""
    params = {param.id for param in function.params}
    found: dict[object, _Products] = {}
    for binding in block.bindings:
        call = binding.value
        if not isinstance(call, CallOp) or call.op != "matmul":
            continue
        left, right = call.args
        group = found.setdefault((left, call.attrs), _Products())
        constant = constant_of(right, known)
        usable: Arg | None = constant
        if constant is None and getattr(right, "id", None) in params:
            usable = right
        if usable is None:
            reason = f"the right operand of `{binding.var.name}` is no constant or parameter"
            group.refused.append((binding, reason))
        elif _columns(usable) is None:
            reason = f"the right operand of `{binding.var.name}` is no matrix of known width"
            group.refused.append((binding, reason))
        else:
            group.usable.append((binding, usable))
    return found


def _columns(arg: Arg) -> int | None:
    """The number of columns of a matrix, None where the value is none or does not say."""
    type_ = type_of(arg)
    shape = type_.shape if isinstance(type_, TensorType) else None
    if shape is None or len(shape) != 2 or not isinstance(shape[1], int):
        return None
    return shape[1]


def _together(site: _Group, editor: ModuleEditor) -> Arg:
    """The right operands side by side: a constant, or the value of a `concat` that is inserted."""
    anchor = site.members[0].var
    constants = [right for right in site.rights if isinstance(right, Constant)]
    if len(constants) == len(site.rights):
        arrays = [editor.array(constant.digest) for constant in constants]
        leaf = editor.add_constant(np.concatenate(arrays, axis=1))
        value, type_ = Alias(leaf), leaf.type
    else:
        value = CallOp("concat", (TupleValue(site.rights),), (("axis", 1),))
        type_ = infer_type(value)
    joined = editor.new_var(site.function, f"{anchor.name}_weights", type_)
    editor.insert_before(site.function, anchor.id, Binding(joined, value))
    return joined
