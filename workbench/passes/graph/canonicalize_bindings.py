"""CanonicalizeBindings: one name for each value, and no work that gives its operand back.

Rewrite::

    t = (x, y)
    a = t[0]
    b = R.reshape(a, R.shape([4, 8]))        # a has that shape
    c = R.add(b, y)
    =>
    t = (x, y)
    c = R.add(x, y)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.same_values import Same, same_values
from workbench.ir import IRModule, Var
from workbench.rewrite import (
    ModuleEditor,
    NodeRef,
    Refusal,
    Relation,
    Rule,
    Site,
    is_fused,
)


@dataclass(frozen=True)
class _Place(Site):
    """A binding and the leaf that is its value."""

    same: Same | None = None


@dataclass(frozen=True)
class CanonicalizeBindings(Rule):
    """Read the value itself where a binding only gives it another name.

    Other names, checks that cannot fail, fields of tuples that were just made, tuples put together
    from all fields of another, and reshapes, casts, permutations and copies that change nothing,
    alone or together with the one before. Facts come from types and from what operators mean, for
    tensor functions from their code. Reference: `relax.transform.CanonicalizeBindings`.
    """

    name: ClassVar[str] = "canonicalize-bindings"
    absent: ClassVar[str] = "no binding is only another name of a value"

    @override
    def sites(self, module: IRModule) -> Iterator[Site | Refusal]:
        for name, function in module.graph_functions.items():
            if not is_fused(function):
                for found in same_values(module, function):
                    yield _Place(name, (found.value.id,), found.reason, found)

    @override
    def rewrite(self, site: Site, editor: ModuleEditor) -> None:
        assert isinstance(site, _Place)
        assert site.same is not None
        value, leaf = site.same.value, site.same.leaf
        for symbol, dim in site.same.dims:
            editor.bind_dimension(site.function, symbol, dim)
        if not isinstance(leaf, Var):
            editor.replace_value(site.function, value.id, site.same.alias, self.name)
            return
        editor.substitute(site.function, value.id, leaf)
        editor.remove(site.function, value.id)
        source, result = NodeRef(site.function, value.id), NodeRef(site.function, leaf.id)
        editor.derive(self.name, (source,), (result,), Relation.SAME)
