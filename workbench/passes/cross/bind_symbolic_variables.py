"""BindSymbolicVariables: specialise a program for known extents.

Rewrite::

    def main(x: R.Tensor(("n", 4), "float32")):
        y = R.call_tir(cls.relu, (x,), out_ty=R.Tensor((n, 4), "float32"))    # relu is for any n
    =>
    def main(x: R.Tensor((8, 4), "float32")):
        y = R.call_tir(cls.relu, (x,), out_ty=R.Tensor((8, 4), "float32"))    # relu is for 8
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.calls import call_sites
from workbench.ir import Dim, Function, IRModule, ScalarType, Var, free_vars
from workbench.passes.named_values import named_values
from workbench.passes.specializing import Specializing
from workbench.rewrite import Pass, PassResult
from workbench.support import CompileError, Diagnostic, NodeId
from workbench.support.found import found
from workbench.support.plain_values import is_whole, plain

MOST = 2**63 - 1
"""Extents are int64."""


@dataclass(frozen=True)
class BindSymbolicVariables(Pass):
    """Specialise: replace symbolic dimensions of the public functions by numbers, by name.

    Everything is specialised: types, shapes and what is computed with dimensions, dimensions that a
    `match_cast` names again, and the functions that are called. A private function with one set of
    extents is changed in place, one with several, or that others call, is copied. A value keeps its
    id: for every input that fits it is the same. Reference: `relax.transform.BindSymbolicVars`.

    Raises:
        CompileError: `pass/unknown-dimension`, `pass/called-function`; `pass/bad-extent` and
            `pass/named-values` when it is made.
    """

    name: ClassVar[str] = "bind-symbolic-variables"
    absent: ClassVar[str] = "no dimension is bound"
    values: Mapping[str, int] | tuple[tuple[str, int], ...]
    functions: tuple[str, ...] = field(default=(), kw_only=True)
    """The functions to specialise; empty for all public ones."""

    def __post_init__(self) -> None:
        pairs = [(n, plain(v)) for n, v in named_values(self.values, "BindSymbolicVariables")]
        _check_extents(dict(pairs))
        object.__setattr__(self, "values", tuple(sorted(pairs)))

    @override
    def run(self, module: IRModule) -> PassResult:
        values = dict(self.values)
        roots = _roots(module, self.functions)
        _check_names(roots, values)
        chosen = {name: _bound(function, values) for name, function in roots.items()}
        chosen = {name: dims for name, dims in chosen.items() if dims}
        _check_callers(module, chosen)
        return Specializing(module, self.name).run(chosen)


def _check_extents(values: Mapping[str, object]) -> None:
    bad = [name for name, n in values.items() if not is_whole(n) or not 0 <= n <= MOST]
    if bad:
        wanted = "an extent, an integer from 0 on that fits `int64`"
        raise CompileError(
            Diagnostic("pass/bad-extent", f"`{name}` must be {wanted}, got {found(values[name])}")
            for name in bad
        )


def _roots(module: IRModule, names: tuple[str, ...]) -> dict[str, Function]:
    if names:
        return {name: module[name] for name in names}
    return {name: function for name, function in module.functions if not function.private}


def _symbols(function: Function) -> list[Var]:
    """The symbolic dimensions that a call of the function binds."""
    own = {param.id for param in function.params}
    found = (v for param in function.params for v in free_vars(param.type).values())
    return [v for v in found if isinstance(v.type, ScalarType) and v.id not in own]


def _bound(function: Function, values: Mapping[str, int]) -> dict[NodeId, Dim]:
    return {v.id: values[v.name] for v in _symbols(function) if v.name in values}


def _check_names(roots: Mapping[str, Function], values: Mapping[str, int]) -> None:
    known = dict.fromkeys(v.name for function in roots.values() for v in _symbols(function))
    unknown = [name for name in values if name not in known]
    if unknown:
        shown = ", ".join(f"`{name}`" for name in known)
        raise CompileError(
            Diagnostic(
                "pass/unknown-dimension",
                f"no parameter has a dimension `{name}`",
                notes=(f"the dimensions of the parameters are {shown or 'all known'}",),
            )
            for name in unknown
        )


def _check_callers(module: IRModule, chosen: Mapping[str, object]) -> None:
    """Public functions are changed in place: nobody may call them with other extents."""
    calls = call_sites(module)
    called = [name for name in chosen if name in calls]
    if called:
        raise CompileError(
            Diagnostic(
                "pass/called-function",
                f"`{name}` is called by `{calls[name][0].caller}`, perhaps with other extents",
                function=name,
                hint="make it private: then it is specialised for each call",
            )
            for name in called
        )
