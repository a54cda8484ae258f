"""Progress of a job that a cell waits for: a bar in the cell, a line in a terminal."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

from workbench.notebook.shell import shell
from workbench.session.worker import Job
from workbench.view.html import QUIET, escape

DELAY = 0.5
"""Seconds; what is done sooner shows no progress."""
ENDED = {"done": "done in", "cancelled": "cancelled after", "failed": "failed after"}


def progress() -> Callable[[Job], None]:
    """What shows the progress of one job where the code of the user runs."""
    if getattr(shell(), "kernel", None) is not None:
        return _Watch(_Cell())
    if sys.stderr is not None and sys.stderr.isatty():
        return _Watch(_Line(sys.stderr))
    return lambda _job: None


class _Watch:
    """Shows a job that takes longer than `DELAY`; only what changed is drawn."""

    def __init__(self, place: _Cell | _Line) -> None:
        self._place = place
        self._started = time.monotonic()
        self._shown = ""

    def __call__(self, job: Job) -> None:
        seconds = time.monotonic() - self._started
        ended = job.finished.is_set()
        if seconds < DELAY or (ended and not self._shown):
            return
        text = f"{job.phase} {ENDED[job.state]} {seconds:.1f} s" if ended else _text(job)
        if text != self._shown:
            self._shown = text
            self._place.show(text, None if ended else (job.done, max(1, job.total)))


def _text(job: Job) -> str:
    """`compare steps 0, 6 · timing 0 imported · 3 of 32`."""
    count = f"{job.done} of {job.total}" if job.total else ""
    waits = "waiting for other work" if job.state == "queued" else ""
    return " · ".join(part for part in (job.title, waits, count) if part)


class _Cell:
    """An output of the running cell.

    When all is done a line of text stays, which a saved notebook shows without its kernel.
    """

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, text: str, done: tuple[int, int] | None) -> None:
        """Draw the text, with a bar while the job runs."""
        bundle = {"text/plain": text, "text/html": _html(text, done)}
        if self._handle is None:
            display: Any = importlib.import_module("IPython.display").display
            self._handle = display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)


def _html(text: str, done: tuple[int, int] | None) -> str:
    label = f'<span style="{QUIET}">{escape(text)}</span>'
    if done is None:
        return label
    value, total = done
    return (
        f'<progress aria-label="{escape(text)}" max="{total}" value="{value}"></progress> {label}'
    )


class _Line:
    """The last line of a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._width = 0

    def show(self, text: str, done: tuple[int, int] | None) -> None:
        """Write over what stands there."""
        end = "\n" if done is None else ""
        self._stream.write(f"\r{text.ljust(self._width)}{end}")
        self._stream.flush()
        self._width = len(text)
