"""Races: parallel, vectorised and bound loops whose iterations depend on each other.

The verifier asks for them at every step, so loops that are plainly independent must be cheap.
Loops that are bound to threads run one after the other on a processor: what would be a race on
the device they are written for is a warning here. Reduction axes may be bound to threads, which
then reduce together (`tvm::tir::transform::LowerCrossThreadReduction`).
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.analysis.dependence.answers import Answer, AnswerKind
from workbench.analysis.dependence.dependences import Dependences, dependences
from workbench.analysis.dependence.operands import statements_in
from workbench.ir.expr import IntImm
from workbench.ir.tensor import AxisKind, Block, For, LoopKind, Stmt, TensorFunction
from workbench.ir.traverse import free_vars
from workbench.support.diagnostics import Diagnostic, Severity

_AT_ONCE = {
    LoopKind.PARALLEL: "the parallel loop",
    LoopKind.VECTORIZED: "the vectorized loop",
    LoopKind.THREAD: "the loop over threads",
}


def races(function: TensorFunction) -> tuple[Diagnostic, ...]:
    """Faults of loops that run at once: errors with a witness, warnings where nothing is proved.

    Loops over threads, which run serially here, have warnings alone. For a function that is well
    formed otherwise. A loop that is not proved to be free of races runs as it says: its results
    may be wrong, but it stays within its buffers.
    """
    loops = list(_loops_at_once(function.body))
    if not loops:
        return ()
    known = dependences(function)
    found = ((loop, known.independent(loop.var.id)) for loop in loops)
    return tuple(
        _fault(loop, answer)
        for loop, answer in found
        if not answer.applies and not _reduces_together(known, loop)
    )


def _reduces_together(known: Dependences, loop: For) -> bool:
    """Whether the threads of a loop meet in nothing but the reductions of blocks.

    Those are blocks with an init and a reduction axis that the loop moves.
    """
    if loop.kind is not LoopKind.THREAD:
        return False
    blocks = {
        block.id
        for block in statements_in(loop.body)
        if isinstance(block, Block) and block.init is not None and _reduces(block, loop)
    }
    return bool(blocks) and all(
        item.source.block is item.sink.block
        and item.source.block is not None
        and item.source.block.id in blocks
        for item in known.carried(loop.var.id)
    )


def _reduces(block: Block, loop: For) -> bool:
    return any(
        axis.kind is AxisKind.REDUCE and loop.var.id in free_vars(axis.value) for axis in block.axes
    )


def _loops_at_once(body: Stmt) -> Iterator[For]:
    """Loops of these kinds with more than one iteration, in program order."""
    for stmt in statements_in(body):
        if isinstance(stmt, For) and stmt.kind in _AT_ONCE and stmt.extent != IntImm(1):
            yield stmt


def _fault(loop: For, answer: Answer) -> Diagnostic:
    proved = answer.kind is AnswerKind.ILLEGAL
    threads = loop.kind is LoopKind.THREAD
    verb = "are not" if proved else "may not be"
    notes = answer.notes
    if threads:
        where = f"`{loop.thread}`" if loop.thread else "threads"
        notes = (*notes, f"on a processor the loop runs serially; bound to {where} it would race")
    return Diagnostic(
        _code(proved=proved, threads=threads),
        f"the iterations of {_AT_ONCE[loop.kind]} `{loop.var.name}` {verb} independent: "
        f"{answer.message}",
        Severity.ERROR if proved and not threads else Severity.WARNING,
        node=loop.var.id,
        span=loop.span,
        notes=notes,
        hint=answer.hint or "make the loop serial, or give each iteration elements of its own",
    )


def _code(*, proved: bool, threads: bool) -> str:
    if not proved:
        return "tensor/unproved-parallel"
    return "tensor/racy-threads" if threads else "tensor/racy-parallel"
