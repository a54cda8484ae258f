"""EliminateCommonSubexpressions: compute once what is computed twice.

Rewrite::

    a = R.exp(x)
    b = R.exp(x)
    y = R.add(a, b)
    =>
    a = R.exp(x)
    y = R.add(a, a)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.common_values import common_values
from workbench.ir import IRModule, Var
from workbench.rewrite import ModuleEditor, NodeRef, Refusal, Relation, Rule, Site, is_fused


@dataclass(frozen=True)
class _Again(Site):
    """A binding and the value that it computes again."""

    earlier: Var | None = None


@dataclass(frozen=True)
class EliminateCommonSubexpressions(Rule):
    """Read the earlier of two values that are computed by equal calls.

    Calls of tensor functions are equal where these are up to renaming. What has an effect stays,
    and what reads a value that an effect was given is computed again behind it. Values of branches
    are shared inside their branch. Reference: `relax.transform.EliminateCommonSubexpr`.
    """

    name: ClassVar[str] = "eliminate-common-subexpressions"
    absent: ClassVar[str] = "no value is computed twice"

    @override
    def sites(self, module: IRModule) -> Iterator[Site | Refusal]:
        for name, function in module.graph_functions.items():
            if is_fused(function):
                continue
            for binding, earlier in common_values(module, function):
                text = f"`{earlier.name}` holds the value of `{binding.var.name}`"
                yield _Again(name, (binding.var.id,), text, earlier)

    @override
    def rewrite(self, site: Site, editor: ModuleEditor) -> None:
        assert isinstance(site, _Again)
        assert site.earlier is not None
        editor.substitute(site.function, site.nodes[0], site.earlier)
        editor.remove(site.function, site.nodes[0])
        earlier = NodeRef(site.function, site.earlier.id)
        editor.derive(self.name, site.refs, (earlier,), Relation.SAME)
