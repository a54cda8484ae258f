"""Running passes that may be anybody's: whatever they raise becomes a diagnostic with a place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import FrameType

from workbench.ir import IRModule
from workbench.rewrite import Pass, PassResult, Rule, Site
from workbench.support import CompileError, Diagnostic


def run_guarded(item: Pass, module: IRModule) -> PassResult:
    """The result of a pass.

    Raises:
        CompileError: what the pass finds, with its name; `session/pass-raised` for any other
            exception of it, at the value that a rule was rewriting.
    """
    name = type(item).__name__
    try:
        return item(module)
    except CompileError as error:
        raise CompileError(_named(d, name) for d in error.diagnostics) from error
    except Exception as error:  # the edge: a pass of the user's may raise anything
        raise CompileError(_raised(name, error)) from error


def _named(diagnostic: Diagnostic, name: str) -> Diagnostic:
    """The diagnostic with the name of the pass, where it does not say it."""
    if f"`{name}`" in diagnostic.render():
        return diagnostic
    return replace(diagnostic, notes=(*diagnostic.notes, f"found by the pass `{name}`"))


def _raised(name: str, error: Exception) -> Diagnostic:
    frames = tuple(_frames(error))
    site = next((found for frame in frames if (found := _site(frame)) is not None), None)
    where: tuple[str, ...] = ()
    if error.__traceback__ is not None:
        last = list(_lines(error))[-1]
        where = (f"in `{last[0]}`, line {last[1]}",)
    return Diagnostic(
        "session/pass-raised",
        f"`{name}` raised `{type(error).__name__}: {error}`",
        node=None if site is None else site.nodes[0],
        function=None if site is None else site.function,
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


def _site(frame: FrameType) -> Site | None:
    """The site that `Rule.run` was at."""
    if frame.f_code is not Rule.run.__code__:
        return None
    found = frame.f_locals.get("found")
    return found if isinstance(found, Site) and found.nodes else None
