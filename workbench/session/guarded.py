"""Running passes that may be anybody's: whatever they raise becomes a diagnostic with a place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import FrameType

from workbench.analysis.patterns.search import search
from workbench.ir import IRModule
from workbench.rewrite import NodeRef, Pass, PassResult, Rule, Site
from workbench.support import FOREIGN_FAULTS, CompileError, Diagnostic


def run_guarded(item: Pass, module: IRModule) -> PassResult:
    """The result of a pass.

    Raises:
        CompileError: what the pass finds, with its name; `session/pass-raised` for any other
            exception of it. At the value that a rule was rewriting, or a pattern tried at, where
            they say none themselves.
    """
    name = type(item).__name__
    try:
        return item(module)
    except CompileError as error:
        place = _place(error)
        raise CompileError(_at(_named(d, name), place) for d in error.diagnostics) from error
    except FOREIGN_FAULTS as error:  # the edge: a pass of the user's may raise anything
        raise CompileError(_raised(name, error)) from error


def _named(diagnostic: Diagnostic, name: str) -> Diagnostic:
    """The diagnostic with the name of the pass, where it does not say it."""
    if f"`{name}`" in diagnostic.render():
        return diagnostic
    return replace(diagnostic, notes=(*diagnostic.notes, f"found by the pass `{name}`"))


def _at(fault: Diagnostic, place: NodeRef | None) -> Diagnostic:
    """The fault at a place, unless it says where it is."""
    if place is None or fault.node is not None or fault.function not in {None, place.function}:
        return fault
    return replace(fault, function=place.function, node=place.id)


def _raised(name: str, error: BaseException) -> Diagnostic:
    place = _place(error)
    where: tuple[str, ...] = ()
    if error.__traceback__ is not None:
        last = list(_lines(error))[-1]
        where = (f"in `{last[0]}`, line {last[1]}",)
    return Diagnostic(
        "session/pass-raised",
        f"`{name}` raised `{type(error).__name__}: {error}`",
        node=None if place is None else place.id,
        function=None if place is None else place.function,
        notes=where,
        hint="the session stands where it was",
    )


def _frames(error: BaseException) -> Iterator[FrameType]:
    trace = error.__traceback__
    while trace is not None:
        yield trace.tb_frame
        trace = trace.tb_next


def _lines(error: BaseException) -> Iterator[tuple[str, int]]:
    trace = error.__traceback__
    while trace is not None:
        yield trace.tb_frame.f_code.co_name, trace.tb_lineno
        trace = trace.tb_next


def _place(error: BaseException) -> NodeRef | None:
    """Where a rule was, or the search for a pattern: the innermost that is known."""
    called = None
    for frame in reversed(tuple(_frames(error))):
        found = _seen(frame, called)
        if found is not None:
            return found
        called = frame
    return None


def _seen(frame: FrameType, called: FrameType | None) -> NodeRef | None:
    """The site that `Rule.run` was at, or the value at which a pattern was tried."""
    seen = frame.f_locals
    if frame.f_code is Rule.run.__code__ and not _ends(seen["self"], called):
        site = seen.get("found")
        if isinstance(site, Site) and site.nodes:
            return NodeRef(site.function, site.nodes[0])
    if frame.f_code is search.__code__:
        return NodeRef(seen["place"].name, seen["root"].var.id)
    return None


def _ends(rule: Rule, called: FrameType | None) -> bool:
    """Whether what `Rule.run` called is the end of the rule, after all its sites."""
    code = getattr(type(rule).finish, "__code__", None)
    return called is not None and called.f_code is code
