"""The history of a session as view data."""

from __future__ import annotations

from workbench.schedule import Primitive
from workbench.session import Session, Step, Verdict
from workbench.session.catalogue import catalogue_version, pass_code
from workbench.session.comparison import Comparison
from workbench.session.lineage import Lineage
from workbench.session.snapshot import Snapshot
from workbench.session.verdict import Difference
from workbench.support import CompileError, Diagnostic, NodeId
from workbench.view.protocol import (
    DiagnosticView,
    FirstDifference,
    SessionView,
    StepView,
    VerdictView,
)

MOST_REMARKS = 60


def session_view(session: Session, variable: str = "s", note: str = "") -> SessionView:
    """The whole history, cheap enough to send after every change."""
    steps = session.steps
    head = session.head.index
    times = _times(session.comparison)
    return SessionView(
        name=session.name,
        head=head,
        steps=[step_view(session, step, variable, times.get(step.index)) for step in steps],
        path=[snapshot.index for snapshot in session.path_to(head)],
        kernel_note=note,
        variable=variable,
        catalogue=catalogue_version(),
    )


def _times(comparison: Comparison | None) -> dict[int, float]:
    bars = comparison.bars if comparison is not None else ()
    return {bar.step: bar.seconds * 1e3 for bar in bars if bar.step is not None and not bar.failed}


def step_view(
    session: Session, step: Step, variable: str, milliseconds: float | None = None
) -> StepView:
    """One dot of the history."""
    counts = step.counts
    lineage = session.lineage(step.index)
    before = None if step.parent is None else session.lineage(step.parent)
    return StepView(
        index=step.index,
        parent=step.parent,
        name=step.title,
        label=step.label,
        code=step_code(step, variable),
        verdict=verdict_view(step.verdict, lineage),
        new=counts["new"],
        gone=counts["gone"],
        rewritten=counts["rewritten"],
        fused=counts["fused"],
        changed=step.changed or step.parent is None,
        seconds=step.snapshot.seconds,
        remarks=[diagnostic_view(d, lineage, before) for d in step.remarks[:MOST_REMARKS]],
        milliseconds=milliseconds,
        became=became(step.snapshot),
    )


def became(snapshot: Snapshot) -> dict[str, str]:
    """Keys of what a schedule primitive replaced, with the first key that it became."""
    if not isinstance(snapshot.applied, Primitive) or snapshot.result is None:
        return {}
    found: dict[str, str] = {}
    for derivation in snapshot.result.derivations:
        if derivation.results:
            for source in derivation.sources:
                found.setdefault(str(source), str(derivation.results[0]))
    return {old: new for old, new in found.items() if old != new}


def step_code(step: Step, variable: str) -> str:
    """The line of Python that makes the step from its parent."""
    return "" if step.applied is None else f"{variable}.apply({pass_code(step.applied)})"


def verdict_view(verdict: Verdict, lineage: Lineage) -> VerdictView:
    """A verdict; the first difference is named by its key."""
    first = verdict.first
    shown = None
    if first is not None:
        shown = FirstDifference(
            node=_place(verdict, first, lineage),
            name=first.name,
            index=list(first.index),
            expected=str(first.expected),
            found=str(first.found),
        )
    return VerdictView(
        state=verdict.state,
        text=verdict.text,
        local_error=finite(verdict.local_error),
        drift=finite(verdict.drift),
        inputs=verdict.inputs,
        first=shown,
        checked=verdict.checked,
        at=verdict.at,
    )


def _place(verdict: Verdict, first: Difference, lineage: Lineage) -> str:
    """The key of the value that is wrong, or of the innermost call around it that is drawn."""
    plain = key_of(lineage, first.function, first.id)
    calls = verdict.key.split(">")
    around = [">".join(calls[:count]) for count in range(len(calls), 0, -1)]
    wanted = (around[0], plain, *around[1:])
    return next((key for key in wanted if lineage.value(key) is not None), plain)


def finite(value: float | None) -> float | None:
    """JSON has no infinity and no NaN: those become a huge number."""
    if value is None or value != value:
        return None
    return max(-1e308, min(1e308, value))


def key_of(lineage: Lineage, function: str, node: NodeId) -> str:
    """The key of a value by function and id: that of a member where the function is a fused one."""
    plain = f"{function}/{node}"
    for flow in lineage.flows.values():
        if plain in flow.values:
            return plain
        if plain in flow.renamed:
            return flow.renamed[plain]
        for value in flow.values.values():
            if value.ref.function == function and value.ref.id == node:
                return value.key
    return plain


def diagnostic_view(
    diagnostic: Diagnostic, lineage: Lineage | None = None, before: Lineage | None = None
) -> DiagnosticView:
    """A diagnostic as the user sees it.

    A remark speaks of the module that the pass was given, whose lineage is `before`: a value that
    went into a fused function since is found there.
    """
    node: str | None = None
    if diagnostic.node is not None and diagnostic.function is not None and lineage is not None:
        node = key_of(lineage, diagnostic.function, diagnostic.node)
        if before is not None and lineage.value(node) is None:
            node = _key_since(lineage, before, key_of(before, diagnostic.function, diagnostic.node))
    return DiagnosticView(
        code=diagnostic.code,
        severity=diagnostic.severity.value,
        message=diagnostic.message,
        node=node,
        notes=list(diagnostic.notes),
        hint=diagnostic.hint,
        text=diagnostic.render(),
    )


def _key_since(lineage: Lineage, before: Lineage, key: str) -> str:
    """The key that a value of the step before has now; the old one where it is no more."""
    identity = before.stable.get(key)
    return next((new for new, old in lineage.stable.items() if old == identity), key)


def fault_views(error: CompileError) -> list[DiagnosticView]:
    """All diagnostics of an error."""
    return [diagnostic_view(diagnostic) for diagnostic in error.diagnostics]
