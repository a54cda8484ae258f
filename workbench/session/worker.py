"""The background worker of a session: one thread, a queue of jobs, each with a cancel token."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from workbench.runtime import Cancelled as NativeCancelled
from workbench.runtime import CancelToken
from workbench.support import FOREIGN_FAULTS, CompileError, Diagnostic

JobState = Literal["queued", "running", "done", "cancelled", "failed"]
REPORT_EVERY = 0.05
"""Seconds between two reports of progress."""


class Cancelled(Exception):  # noqa: N818 - not an error: somebody asked for it
    """Raised inside a job by `Job.checkpoint` after its cancellation."""


_NUMBERS = itertools.count(1)


@dataclass(eq=False)
class Job:
    """Work in the background. It reports `done` of `total` and polls for cancellation."""

    phase: str
    work: Callable[[Job], object]
    notify: Callable[[Job], None] = field(default=lambda _job: None)
    number: int = field(default_factory=lambda: next(_NUMBERS))
    state: JobState = "queued"
    doing: str = ""
    """The part of the phase that runs now, as `timing library numpy.matmul`."""
    done: int = 0
    total: int = 0
    result: object = None
    fault: CompileError | None = None
    background: bool = False
    """True for verdicts, which report to no progress bar."""
    token: threading.Event = field(default_factory=threading.Event)
    finished: threading.Event = field(default_factory=threading.Event)
    native: CancelToken = field(default_factory=CancelToken)
    """Stops native code that runs for the job."""
    reported: float = 0.0

    @property
    def title(self) -> str:
        """The phase and the part of it that runs now."""
        return f"{self.phase} · {self.doing}" if self.doing else self.phase

    def cancel(self) -> None:
        """Ask the job to stop, at its next checkpoint or in native code."""
        self.token.set()
        self.native.cancel()

    def checkpoint(self, done: int | None = None, total: int | None = None) -> None:
        """Report progress; leave the job if it was cancelled.

        Raises:
            Cancelled: after `cancel`.
        """
        if self.token.is_set():
            raise Cancelled
        if done is not None:
            self.done = done
            self.total = self.total if total is None else total
            if time.monotonic() - self.reported >= REPORT_EVERY:
                self.reported = time.monotonic()
                self.notify(self)

    def report(self, doing: str, done: int, total: int) -> None:
        """Report progress and what is being done; leave the job if it was cancelled.

        Raises:
            Cancelled: after `cancel`.
        """
        if doing.split(" ")[0] != self.doing.split(" ")[0]:
            self.reported = 0.0  # not only more of the same: all hear of it
        self.doing = doing
        self.checkpoint(done, total)

    def run(self) -> None:
        """Do the work; whatever it raises becomes a state, so that the thread goes on."""
        self.state = "running"
        try:
            self.checkpoint(0)
            self.result = self.work(self)
            self.state = "done"
        except (Cancelled, NativeCancelled):
            self.state = "cancelled"
        except CompileError as error:
            self.state, self.fault = "failed", error
        except FOREIGN_FAULTS as error:  # the edge of the thread: a fault must not end it
            self.state, self.fault = "failed", internal_fault(error)
        self.doing = ""
        self.finished.set()
        self.notify(self)


def internal_fault(error: BaseException) -> CompileError:
    """A diagnostic for an exception that is nobody's diagnostic."""
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return CompileError(Diagnostic("session/internal", f"something failed inside: {text}"))


class Worker:
    """Runs jobs one after the other in a daemon thread that lives while there are any."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._open: list[Job] = []
        self._thread: threading.Thread | None = None

    def submit(self, job: Job) -> Job:
        """Put a job at the end of the queue."""
        with self._lock:
            self._open.append(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._loop, name=self._name, daemon=True)
                self._thread.start()
        return job

    def cancel(self, *, checks: bool = True) -> int:
        """Cancel the running job and all that wait, with or without checks; gives their number."""
        with self._lock:
            waiting = [job for job in self._open if checks or not job.background]
        for job in waiting:
            job.cancel()
        return len(waiting)

    def pending(self) -> tuple[Job, ...]:
        """Jobs that are not finished, oldest first."""
        with self._lock:
            return tuple(self._open)

    def _loop(self) -> None:
        while True:
            with self._lock:
                if not self._open:
                    self._thread = None
                    return
                job = self._open[0]
            job.run()
            with self._lock:
                self._open.remove(job)
