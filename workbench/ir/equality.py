"""Structural equality: the same program up to ids, names of values and positions."""

from __future__ import annotations

import dataclasses
import struct
from functools import cache
from typing import Any

from workbench.ir.expr import FloatImm, TensorType, Var
from workbench.ir.graph import BindingBlock
from workbench.ir.module import IRModule
from workbench.ir.tensor import Block
from workbench.ir.traverse import node_fields
from workbench.support.ids import NodeId

_IGNORED = frozenset({"id", "next_id", "outputs"})


def structurally_equal(a: Any, b: Any) -> bool:  # noqa: ANN401
    """Whether two nodes or modules are equal up to ids, value names and spans.

    Names of functions count, their order does not. Reference: `tvm.ir.structural_equal` with
    mapped free variables.
    """
    if isinstance(a, IRModule) and isinstance(b, IRModule):
        return _modules_equal(a, b)
    return _Matcher().equal(a, b)


def _modules_equal(a: IRModule, b: IRModule) -> bool:
    names = sorted(name for name, _ in a.functions)
    if names != sorted(name for name, _ in b.functions) or a.attrs != b.attrs:
        return False
    return all(_Matcher().equal(a[name], b[name]) for name in names)


@cache
def _compared(kind: type[Any]) -> tuple[str, ...] | None:
    """Fields that are compared one by one; None where `==` compares the whole."""
    if kind is FloatImm or not dataclasses.is_dataclass(kind):
        return None
    skipped = _IGNORED | {"name"} if kind is Block else _IGNORED
    return tuple(name for name in node_fields(kind) if name not in skipped)


def _is_static(type_: TensorType) -> bool:
    """Whether a type names no dimension, so that `==` says all of it."""
    for dim in type_.shape or ():  # noqa: SIM110
        if dim.__class__ is not int:
            return False
    return True


class _Matcher:
    """Walks two trees together; a bijection of variable ids stands in for binding structure."""

    def __init__(self) -> None:
        self.forward: dict[NodeId, NodeId] = {}
        self.backward: dict[NodeId, NodeId] = {}

    def equal(self, a: Any, b: Any) -> bool:  # noqa: ANN401
        kind: type[Any] = a.__class__
        if kind is not b.__class__:
            return False
        if kind is Var:
            return self._vars(a, b)
        if kind is str or kind is int:
            return a == b
        if kind is tuple:
            return self._tuples(a, b)
        if kind is TensorType and (a is b or a == b) and _is_static(a):
            return True
        if kind is float:
            return struct.pack("<d", a) == struct.pack("<d", b)
        fields = _compared(kind)
        return a == b if fields is None else self._fields(fields, a, b)

    def _tuples(self, a: tuple[Any, ...], b: tuple[Any, ...]) -> bool:
        if len(a) != len(b):
            return False
        for x, y in zip(a, b, strict=True):  # noqa: SIM110  groups are compared often
            if not self.equal(x, y):
                return False
        return True

    def _fields(self, names: tuple[str, ...], a: Any, b: Any) -> bool:  # noqa: ANN401
        for name in names:
            if not self.equal(getattr(a, name), getattr(b, name)):
                return False
        return self._outputs(a, b)

    def _vars(self, a: Var, b: Var) -> bool:
        known = self.forward.get(a.id)
        if known is not None or b.id in self.backward:
            return known == b.id and self.backward.get(b.id) == a.id
        self.forward[a.id], self.backward[b.id] = b.id, a.id
        return self.equal(a.type, b.type)

    def _outputs(self, a: Any, b: Any) -> bool:  # noqa: ANN401
        """Dataflow outputs are ids: they must correspond. Compared after the bindings they name."""
        if a.__class__ is not BindingBlock:
            return True
        return {self.forward.get(i) for i in a.outputs} == set(b.outputs)
