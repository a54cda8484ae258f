"""BindParameters: give parameters their values when compiling.

Rewrite::

    def main(x, w):
        y = R.matmul(x, w)
    =>
    def main(x):
        w = R.const("1f0c...", R.Tensor((3, 4), "float32"))
        y = R.matmul(x, w)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from workbench.analysis.calls import call_sites
from workbench.ir import (
    Alias,
    Attrs,
    Binding,
    BindingBlock,
    Dim,
    GraphFunction,
    IRModule,
    TensorType,
    Var,
)
from workbench.ir.call_types import Unifier, show_type
from workbench.passes.named_values import named_values
from workbench.passes.weights import Weights, named_weights
from workbench.rewrite import (
    Derivation,
    ModuleEditor,
    NodeRef,
    Pass,
    PassResult,
    expose,
    with_dims,
)
from workbench.support import CompileError, Diagnostic, NodeId


@dataclass(frozen=True)
class BindParameters(Pass):
    """Turn parameters of a graph function into constants, by name.

    `values` maps names to arrays of the shape and dtype of the parameter; numbers and lists take
    its dtype where they fit into it. Symbolic dimensions that an array fixes become numbers in
    `function`. A parameter keeps its id: it is the same value. Reference:
    `relax.transform.BindParams`.

    Raises:
        CompileError: `pass/unknown-parameter`, `pass/parameter-type`, `pass/parameter-shape`,
            `pass/unknown-constant`, `pass/called-function`, `pass/unknown-graph-function`.
    """

    name: ClassVar[str] = "bind-parameters"
    absent: ClassVar[str] = "no parameter is bound"
    values: Mapping[str, object] | tuple[tuple[str, object], ...]
    function: str = field(default="main", kw_only=True)

    def __post_init__(self) -> None:
        pairs = tuple(named_values(self.values, "BindParameters"))
        object.__setattr__(self, "values", named_weights(pairs))

    @override
    def run(self, module: IRModule) -> PassResult:
        function = _function(module, self.function)
        given = dict(named_weights(self.values))
        _known_names(function, given, self.function)
        if not given:
            return PassResult(module)
        params = {p.name: p for p in function.params if p.name in given}
        arrays = {
            param.id: _array(param, given[name], module, self.function)
            for name, param in params.items()
        }
        dims = _dimensions(function, arrays, self.function)
        editor = ModuleEditor(module)
        bound = {p.id: editor.add_constant(arrays[p.id]) for p in params.values()}
        first = tuple(
            Binding(replace(p, type=bound[p.id].type), Alias(bound[p.id])) for p in params.values()
        )
        rest = replace(
            function,
            params=tuple(p for p in function.params if p.id not in bound),
            attrs=_inputs_left(function, set(bound)),
        )
        rest = with_dims(rest, dims)
        blocks = expose(_first(first, rest.blocks), rest.result)
        editor.set_function(self.function, replace(rest, blocks=blocks))
        refs = [NodeRef(self.function, value) for value in bound]
        derivations = tuple(Derivation(self.name, (ref,), (ref,)) for ref in refs)
        return PassResult(editor.commit(), derivations)


def _function(module: IRModule, name: str) -> GraphFunction:
    function = module[name]
    if not isinstance(function, GraphFunction):
        raise CompileError(
            Diagnostic("pass/unknown-graph-function", f"`{name}` is a tensor function")
        )
    if calls := call_sites(module).get(name):
        callers = ", ".join(sorted({f"`{call.caller}`" for call in calls}))
        raise CompileError(
            Diagnostic(
                "pass/called-function",
                f"`{name}` is called by {callers}, which would have to call another function",
            )
        )
    return function


def _known_names(function: GraphFunction, given: Mapping[str, object], where: str) -> None:
    names = [param.name for param in function.params]
    unknown = [name for name in given if name not in names]
    if unknown:
        shown = ", ".join(f"`{name}`" for name in names[:12])
        raise CompileError(
            Diagnostic(
                "pass/unknown-parameter",
                f"`{where}` has no parameter `{name}`",
                function=where,
                notes=(f"its parameters are {shown or 'none'}",),
            )
            for name in unknown
        )


def _array(param: Var, value: Weights, module: IRModule, where: str) -> NDArray[Any]:
    """The array in the dtype of the parameter."""
    array = value.found(module.pool)
    dtype = param.type.dtype if isinstance(param.type, TensorType) else None
    if dtype is None or str(array.dtype) == dtype:
        if isinstance(param.type, TensorType):
            return array
    elif not value.exact:
        with np.errstate(all="ignore"):
            cast = array.astype(dtype)
        whole = array.dtype.kind == "f" and cast.dtype.kind == "f"
        if whole or np.array_equal(cast.astype(array.dtype), array):
            return cast
    raise CompileError(
        Diagnostic(
            "pass/parameter-type",
            f"`{param.name}` is `{show_type(param.type)}`, got an array of `{array.dtype}`",
            node=param.id,
            function=where,
        )
    )


def _dimensions(
    function: GraphFunction, arrays: Mapping[NodeId, NDArray[Any]], where: str
) -> dict[NodeId, Dim]:
    """What the shapes of the arrays say of symbolic dimensions.

    Raises:
        CompileError: `pass/parameter-shape`, for all that do not fit.
    """
    params = [param for param in function.params if param.id in arrays]
    types = [
        TensorType(tuple(int(n) for n in arrays[p.id].shape), str(arrays[p.id].dtype))
        for p in params
    ]
    unifier = Unifier()
    faults = [
        Diagnostic("pass/parameter-shape", problem.message, function=where)
        for problem in unifier.call(params, types)
    ]
    if faults:
        raise CompileError(faults)
    return unifier.values


def _inputs_left(function: GraphFunction, bound: set[NodeId]) -> Attrs:
    """The attributes, `num_input` without the inputs that were bound."""
    inputs = dict(function.attrs).get("num_input")
    if not isinstance(inputs, int):
        return function.attrs
    left = sum(param.id not in bound for param in function.params[:inputs])
    return tuple((k, left if k == "num_input" else v) for k, v in function.attrs)


def _first(
    bindings: tuple[Binding, ...], blocks: tuple[BindingBlock, ...]
) -> tuple[BindingBlock, ...]:
    """The blocks with bindings put before all others."""
    if blocks and blocks[0].dataflow:
        first = replace(blocks[0], bindings=(*bindings, *blocks[0].bindings))
        return (first, *blocks[1:])
    return (BindingBlock(bindings, dataflow=True), *blocks)
