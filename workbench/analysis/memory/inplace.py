"""In place: may a call write its output where one of its inputs lies?

Yes where no element of the input is read after the same element of the output was written, and
where loops that run at once touch only elements of their own. That is read off the accesses of the
tensor function: elementwise operators pass, and so does a softmax, whose last loop is the only one
that writes; a transposition, a convolution and a matmul do not.

Reference: `relax.transform.DataflowUseInplaceCalls`, which asks a table of operators.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from workbench.analysis.dependence.dependences import dependences
from workbench.analysis.dependence.pairs import Pair
from workbench.analysis.dependence.questions import Found, Question, Solver
from workbench.analysis.dependence.statements import Access, Model, Statement
from workbench.ir import (
    Axis,
    AxisKind,
    Block,
    BufferType,
    For,
    IntImm,
    Load,
    LoopKind,
    PrimExpr,
    ScalarType,
    Seq,
    Stmt,
    Store,
    TensorFunction,
    Var,
    as_expr,
    function_digest,
    substitute,
)
from workbench.ir.dims import same_shape
from workbench.support import IdSource, NodeId

Entry = tuple[Statement, Access]
_AT_ONCE = frozenset({LoopKind.PARALLEL, LoopKind.VECTORIZED, LoopKind.THREAD})
_REASONS: dict[tuple[str, int, int], str] = {}
_MOST_KEPT = 8192


def why_not_in_place(function: TensorFunction, source: int, target: int) -> str:
    """Why parameter `target` may not be the same memory as `source`; empty where it may.

    Parameters are counted from 0, buffers and scalars alike.
    """
    key = function_digest(function), source, target  # with names: the reason has them
    found = _REASONS.get(key)
    if found is None:
        if len(_REASONS) >= _MOST_KEPT:
            _REASONS.clear()
        found = _REASONS[key] = _reason(function, source, target)
    return found


def in_place(
    function: TensorFunction, merges: Sequence[tuple[Sequence[int], int]]
) -> TensorFunction:
    """The function with one buffer for the parameters `sources` and `target` of each pair.

    That is the first of the sources; the others are no parameters any more.
    """
    stand_ins: dict[NodeId, PrimExpr] = {}
    for sources, target in merges:
        kept = function.params[sources[0]]
        stand_ins |= {function.params[n].id: kept for n in (*sources[1:], target)}
    params = tuple(param for param in function.params if param.id not in stand_ins)
    return substitute(replace(function, params=params, private=True), stand_ins)


def out_of_place(
    function: TensorFunction, count: int, inplace: Sequence[int], copied: Sequence[int]
) -> TensorFunction:
    """The function of a `call_tir_inplace` with memory of their own for the results `copied`.

    It takes `count` arguments, then these results and those that are over no argument, then
    scalars, and begins with copies of the arguments that the results would be written over.
    """
    ids = IdSource(function.next_id)
    params = list(function.params[:count])
    rest = list(function.params[count:])
    results: list[Var] = []
    copies: list[Stmt] = []
    for result, index in enumerate(inplace):
        if index < 0:
            results.append(rest.pop(0))
        elif result in copied:
            written = params[index]
            params[index] = Var(ids.new(), f"{written.name}_before", written.type)
            results.append(written)
            copies.append(_copy(params[index], written, ids))
    body = function.body.body if isinstance(function.body, Seq) else (function.body,)
    return replace(
        function,
        params=(*params, *results, *rest),
        body=Seq((*copies, *body)) if copies else function.body,
        private=True,
        next_id=ids.next,
    )


def _copy(source: Var, target: Var, ids: IdSource) -> Stmt:
    """A loop nest that copies a buffer."""
    assert isinstance(target.type, BufferType)
    loops = [Var(ids.new(), f"i{n}", ScalarType()) for n in range(len(target.type.shape))]
    axes = tuple(
        Axis(Var(ids.new(), f"v{n}", ScalarType()), AxisKind.SPATIAL, as_expr(extent), loop)
        for n, (loop, extent) in enumerate(zip(loops, target.type.shape, strict=True))
    )
    indices = tuple(axis.var for axis in axes)
    store = Store(target, indices, Load(source, indices))
    body: Stmt = Block(ids.new(), f"{target.name}_copy", axes, store)
    for loop, axis in zip(reversed(loops), reversed(axes), strict=True):
        body = For(loop, IntImm(0), axis.extent, body)
    return body


def _reason(function: TensorFunction, source: int, target: int) -> str:
    read, written = function.params[source], function.params[target]
    if not _same_buffer(read, written):
        return f"`{written.name}` has another shape or dtype than `{read.name}`"
    model = dependences(function).model
    reads = list(_accesses(model, read.id, write=False))
    if next(_accesses(model, read.id, write=True), None) is not None:
        return f"`{read.name}` is written too"
    solver = Solver(model)
    for writer in _accesses(model, written.id, write=True):
        for reader in reads:
            if why := _pair_reason(model, solver, writer, reader):
                return why
    return ""


def _same_buffer(a: Var, b: Var) -> bool:
    one, other = a.type, b.type
    if not isinstance(one, BufferType) or not isinstance(other, BufferType):
        return False
    plain = not one.strides and not other.strides and one.scope == other.scope
    return plain and one.dtype == other.dtype and same_shape(one.shape, other.shape) is True


def _accesses(model: Model, buffer: NodeId, *, write: bool) -> Iterator[Entry]:
    for statement in model.statements:
        for access in statement.accesses:
            if access.buffer.id == buffer and access.write is write:
                yield statement, access


def _pair_reason(model: Model, solver: Solver, writer: Entry, reader: Entry) -> str:
    (first, a), (second, b) = writer, reader
    if first is second and (not isinstance(first.node, Store) or a.trusted or b.trusted):
        return f"it is not known in which order `{first.name}` reads and writes"
    solver.begin()
    for question in _stale(model, Pair(first, a, second, b)):
        found = solver.decide(question).found
        if found is Found.SOME:
            return f"{b.text} is read after {a.text} was written there"
        if found is Found.UNKNOWN:
            return f"{b.text} may be read after {a.text} was written there"
    return ""


def _stale(model: Model, pair: Pair) -> Iterator[Question]:
    """The read comes after the write of the same element, or at once with it."""
    at_once = {
        key
        for loop in pair.first.loops
        if loop.kind in _AT_ONCE and loop.extent != IntImm(1)
        for key in model.loops[loop.var.id]
    }
    shared: frozenset[int] = frozenset()
    for key in pair.common():
        yield Question(pair, shared, before=(key,))
        if key in at_once:
            yield Question(pair, shared, after=(key,))
        shared |= {key}
    if pair.first.index < pair.second.index:
        yield Question(pair, shared)
