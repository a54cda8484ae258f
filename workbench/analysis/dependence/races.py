"""Races: parallel and vectorised loops whose iterations depend on each other.

The verifier asks for them at every step, so loops that are plainly independent must be cheap.
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.analysis.dependence.answers import Answer, AnswerKind
from workbench.analysis.dependence.dependences import dependences
from workbench.analysis.dependence.operands import statements_in
from workbench.ir.expr import IntImm
from workbench.ir.tensor import For, LoopKind, Stmt, TensorFunction
from workbench.support.diagnostics import Diagnostic, Severity

_AT_ONCE = {LoopKind.PARALLEL: "parallel", LoopKind.VECTORIZED: "vectorized"}


def races(function: TensorFunction) -> tuple[Diagnostic, ...]:
    """Faults of loops that run at once: errors with a witness, warnings where nothing is proved.

    For a function that is well formed otherwise. A loop that is not proved to be free of races
    runs as it says: its results may be wrong, but it stays within its buffers.
    """
    loops = list(_loops_at_once(function.body))
    if not loops:
        return ()
    known = dependences(function)
    found = ((loop, known.independent(loop.var.id)) for loop in loops)
    return tuple(_fault(loop, answer) for loop, answer in found if not answer.applies)


def _loops_at_once(body: Stmt) -> Iterator[For]:
    """Parallel and vectorised loops with more than one iteration, in program order."""
    for stmt in statements_in(body):
        if isinstance(stmt, For) and stmt.kind in _AT_ONCE and stmt.extent != IntImm(1):
            yield stmt


def _fault(loop: For, answer: Answer) -> Diagnostic:
    kind = _AT_ONCE[loop.kind]
    proved = answer.kind is AnswerKind.ILLEGAL
    verb = "are not" if proved else "may not be"
    return Diagnostic(
        "tensor/racy-parallel" if proved else "tensor/unproved-parallel",
        f"the iterations of the {kind} loop `{loop.var.name}` {verb} independent: {answer.message}",
        Severity.ERROR if proved else Severity.WARNING,
        node=loop.var.id,
        span=loop.span,
        notes=answer.notes,
        hint=answer.hint or "make the loop serial, or give each iteration elements of its own",
    )
