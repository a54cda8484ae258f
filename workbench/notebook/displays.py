"""How sessions, steps, differences and comparisons look as outputs of a cell."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import msgspec

from workbench.notebook.hub import views_of
from workbench.notebook.kept import KEPT
from workbench.notebook.progress import progress as progress_display
from workbench.session import Comparison, Diff, Session, Step, register_display
from workbench.session.worker import Job
from workbench.view import html
from workbench.view.compared import comparison_view, diff_view
from workbench.view.svg import function_svg

MIME = "application/vnd.workbench.v1+json"
CSS = {"exact": "#15803d", "within": "#15803d", "amber": "#b45309", "wrong": "#b91c1c"}


@register_display("session")
def session_bundle(session: Session) -> dict[str, Any]:
    """The live picture, and what stands in for it where nothing is alive."""
    views = views_of(session)
    KEPT.displayed(session)
    bundle = views.bundle()
    saved = bundle.data
    drawn = [f for f in saved.module.functions if f.nodes]
    pictures = [function_svg(function, session.key) for function in drawn]
    parts = [f"<b>{html.escape(session.name)}</b>"]
    parts += [html.image(svg, f.name) for svg, f in zip(pictures, drawn, strict=True)]
    parts.append(html.folded("history", html.history_table(saved.session), open_=True))
    found: dict[str, Any] = {
        MIME: msgspec.to_builtins(bundle),
        "text/html": "".join(parts),
        "text/plain": repr(session),
    }
    if pictures:
        found["image/svg+xml"] = pictures[0]
    return found


@register_display("step")
def step_bundle(step: Step) -> dict[str, Any]:
    """One row."""
    verdict = step.verdict
    colour = CSS.get(verdict.state, "#57606a")
    row = (
        f'<span style="color: #57606a">{step.index}</span> <b>{html.escape(step.label)}</b> '
        f'<span style="color: {colour}">{html.escape(str(verdict) if verdict.text else "")}</span>'
    )
    return {"text/html": row, "text/plain": repr(step)}


@register_display("diff")
def diff_bundle(diff: Diff) -> dict[str, Any]:
    """Summary and coloured lines."""
    return {"text/html": html.diff_block(diff_view(diff)), "text/plain": repr(diff)}


@register_display("comparison")
def comparison_bundle(comparison: Comparison) -> dict[str, Any]:
    """Bars with numbers."""
    view = comparison_view(comparison)
    return {"text/html": html.comparison_block(view), "text/plain": repr(comparison)}


@register_display("progress")
def progress() -> Callable[[Job], None]:
    """What shows how far a job is that a cell waits for."""
    return progress_display()


@register_display("widget")
def widget(session: Session) -> Any:  # noqa: ANN401
    """The ipywidget of a session; ipywidgets is slow to load, so only here."""
    return importlib.import_module("workbench.notebook.widget").SessionWidget(session)


@register_display("dot")
def dot(session: Session) -> Any:  # noqa: ANN401
    """The history for Graphviz; its libraries are slow to load, so only here."""
    return importlib.import_module("workbench.view.graphs").history_dot(session)
