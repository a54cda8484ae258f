"""From tensor expressions to a tensor function.

Reference: `tvm.te.create_prim_func`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from workbench.ir import (
    INDEX,
    Attrs,
    Axis,
    AxisKind,
    Block,
    For,
    Load,
    PrimExpr,
    ScalarType,
    Seq,
    Stmt,
    Store,
    TensorFunction,
    Var,
    as_expr,
    binary,
    free_vars,
    substitute,
    walk,
)
from workbench.support import CompileError, Diagnostic, IdSource, NodeId
from workbench.support.kinds import checks_kinds
from workbench.te.tensor import Compute, Reduction, Tensor, compute

N = TypeVar("N")
NO_ALIAS: Attrs = (("noalias", True),)


@checks_kinds
def create_tensor_function(
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    scalars: Sequence[Var] = (),
    attrs: Attrs = NO_ALIAS,
) -> TensorFunction:
    """The function that computes `outputs` from `inputs`; parameters are inputs, outputs, scalars.

    One block a tensor, in the order of the data flow; tensors that are no parameters become
    allocations. Ids depend on nothing but the expressions.

    Raises:
        CompileError: `te/unbound-input`, `te/unbound-symbol`.
    """
    given = {tensor.id for tensor in inputs}
    written = _fresh_outputs(outputs, given)
    order = program_order(written, given)
    names = _Names()
    names.symbols((*inputs, *written, *scalars))
    numbers = tuple(names.new(scalar, scalar.name) for scalar in scalars)
    buffers = tuple(names.new(tensor, tensor.name) for tensor in (*inputs, *written))
    results = {tensor.id for tensor in written}
    inner = tuple(names.new(tensor, tensor.name) for tensor in order if tensor.id not in results)
    nests = tuple(
        _block_nest(tensor, tensor.definition, names) for tensor in order if tensor.definition
    )
    body = nests[0] if len(nests) == 1 else Seq(nests)
    return TensorFunction((*buffers, *numbers), body, inner, attrs, next_id=names.ids.next)


def _fresh_outputs(outputs: Sequence[Tensor], given: set[NodeId]) -> list[Tensor]:
    """Outputs that are inputs, or occur twice, as copies: each output is written."""
    written: list[Tensor] = []
    for tensor in outputs:
        taken = tensor.id in given or any(tensor.id == other.id for other in written)
        written.append(_copy(tensor) if taken else tensor)
    return written


def _copy(tensor: Tensor) -> Tensor:
    return compute(tensor.shape, lambda *i: tensor[i], f"{tensor.name}_copy")


def program_order(outputs: Sequence[Tensor], given: set[NodeId]) -> list[Tensor]:
    """The computed tensors that `outputs` need, producers first; `given` ones are parameters.

    Raises:
        CompileError: `te/unbound-input`.
    """
    done: dict[NodeId, Tensor] = {}

    def visit(tensor: Tensor) -> None:
        if tensor.id in given or tensor.id in done:
            return
        if tensor.definition is None:
            raise CompileError(
                Diagnostic("te/unbound-input", f"`{tensor.name}` is read but is no parameter")
            )
        for source in _sources(tensor.definition):
            visit(source)
        done[tensor.id] = tensor

    for output in outputs:
        visit(output)
    return list(done.values())


def _sources(definition: Compute) -> list[Tensor]:
    loads = (node.buffer for node in walk(definition) if isinstance(node, Load))
    return [buffer for buffer in loads if isinstance(buffer, Tensor)]


class _Names:
    """Gives draft values the ids that they have in the function."""

    def __init__(self) -> None:
        self.ids = IdSource()
        self.renamed: dict[NodeId, PrimExpr] = {}

    def new(self, old: Var, name: str) -> Var:
        """The value that stands for `old`."""
        fresh = Var(self.ids.new(), name, self.finish(old.type))
        self.renamed[old.id] = fresh
        return fresh

    def symbols(self, params: Sequence[Var]) -> None:
        """Name the symbolic dimensions of the parameters, those that are parameters aside."""
        own = {param.id for param in params}
        for param in params:
            for symbol in free_vars(param.type).values():
                if symbol.id not in self.renamed and symbol.id not in own:
                    self.new(symbol, symbol.name)

    def finish(self, draft: N) -> N:
        """`draft` with final ids; to be done once on each expression."""
        unbound = [v for key, v in free_vars(draft).items() if key not in self.renamed]
        if unbound:
            raise CompileError(
                Diagnostic(
                    "te/unbound-symbol",
                    f"`{unbound[0].name}` is used but no parameter gives its value",
                    hint="pass it as a scalar parameter, or use a dimension of an input",
                )
            )
        return substitute(draft, self.renamed)


def _block_nest(tensor: Tensor, definition: Compute, names: _Names) -> Stmt:
    """Loops around one block: spatial axes first, then those of the reduction."""
    body = _without_empty_reduction(definition.body)
    reduced = body.axes if isinstance(body, Reduction) else ()
    extents = [as_expr(extent, INDEX) for extent in tensor.shape] + [a.extent for a in reduced]
    kinds = [AxisKind.SPATIAL] * len(definition.axes) + [AxisKind.REDUCE] * len(reduced)
    extents = [names.finish(extent) for extent in extents]
    drafts = (*definition.axes, *reduced)
    loops = [Var(names.ids.new(), axis.name, ScalarType()) for axis in drafts]
    block_id = names.ids.new()
    axes = tuple(
        Axis(names.new(draft, f"v_{draft.name}"), kind, extent, loop)
        for draft, kind, extent, loop in zip(drafts, kinds, extents, loops, strict=True)
    )
    init, update = _stores(names.finish(Load(tensor, definition.axes)), body, names)
    nest: Stmt = Block(block_id, tensor.name, axes, update, init)
    for loop, extent in reversed(list(zip(loops, extents, strict=True))):
        nest = For(loop, as_expr(0), extent, nest)
    return nest


def _without_empty_reduction(body: PrimExpr | Reduction) -> PrimExpr | Reduction:
    """The identity where nothing is combined: a block whose domain is empty would not write it."""
    if isinstance(body, Reduction) and any(axis.extent == as_expr(0) for axis in body.axes):
        return body.identity
    return body


def _stores(target: Load, body: PrimExpr | Reduction, names: _Names) -> tuple[Store | None, Store]:
    if not isinstance(body, Reduction):
        return None, Store(target.buffer, target.indices, names.finish(body))
    init = Store(target.buffer, target.indices, body.identity)
    value = binary(body.combiner, target, names.finish(body.value))
    return init, Store(target.buffer, target.indices, value)
