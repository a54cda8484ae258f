"""Simplify: shorter indices and conditions in tensor functions, dead code and proved guards gone.

Rewrite::

    for i_0, i_1 in T.grid(4, 8):
        with T.sblock("B"):
            v = T.axis.spatial(32, i_0 * 8 + i_1)
            T.where(i_0 * 8 + i_1 < 32)
            B[v] = A[(v * 4 + 3) // 4]
    =>
    for i_0, i_1 in T.grid(4, 8):
        with T.sblock("B"):
            v = T.axis.spatial(32, i_0 * 8 + i_1)
            B[v] = A[v]
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.arith import Facts
from workbench.analysis.ranges import Interval
from workbench.analysis.simplification import simplify_statement
from workbench.ir import IRModule, TensorFunction, free_vars
from workbench.rewrite import ModuleEditor, Refusal, Rule, Site
from workbench.support import NodeId
from workbench.support.identity_memo import IdentityMemo


@dataclass(frozen=True)
class Simplify(Rule):
    """Rewrite indices, conditions and extents to their normal form, by what the loops prove.

    Predicates that always hold go, statements that never run go, loops of one iteration are
    dropped. Reference: `tvm.s_tir.transform.Simplify`.
    """

    name: ClassVar[str] = "simplify"
    absent: ClassVar[str] = "every tensor function is simple already"

    @override
    def sites(self, module: IRModule) -> Iterator[Site | Refusal]:
        for name, function in module.tensor_functions.items():
            if simplified(function) != function:
                yield Site(name, (NodeId(-1),), f"`{name}`")

    @override
    def rewrite(self, site: Site, editor: ModuleEditor) -> None:
        function = editor.function(site.function)
        assert isinstance(function, TensorFunction)
        editor.set_function(site.function, simplified(function))


def simplified(function: TensorFunction) -> TensorFunction:
    """An equal function in normal form; the same object where it is in it already."""
    return _SIMPLE.get(function, lambda: _simplified(function))


_SIMPLE: IdentityMemo[TensorFunction, TensorFunction] = IdentityMemo()


def _simplified(function: TensorFunction) -> TensorFunction:
    facts = Facts()
    for param in function.params:
        for symbol in free_vars(param.type).values():
            facts = facts.with_range(symbol, Interval(0, None))
    body = simplify_statement(function.body, facts)
    return function if body == function.body else replace(function, body=body)
