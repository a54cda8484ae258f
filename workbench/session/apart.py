"""Measuring apart: one process for each kernel that runs what is measured.

It starts when a picture shows steps that are checked, or else with the first measurement. It keeps
executables and constants for the next, and ends with the kernel. What cannot be sent to it is
measured here, and the results say why.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from dataclasses import dataclass

from workbench.session.child import POLL, Child, Settings, current_settings
from workbench.session.engine import Engine
from workbench.session.experiment import Experiment, Results, run_experiment
from workbench.session.local_code import local_code
from workbench.session.worker import Job


@dataclass(frozen=True, slots=True)
class Measured:
    """Results, and in words why they were measured in this process; empty for the other one."""

    results: Results
    here: str = ""


def measure_apart(experiment: Experiment, engine: Engine, job: Job) -> Measured:
    """The results of an experiment, measured in the other process where that is possible.

    Raises:
        CompileError: `session/measuring-died`, `session/measuring-hangs`.
        Cancelled: the job was cancelled; the process has stopped, or is killed.
    """
    here = _why_here(experiment)
    if not here:
        try:
            return Measured(_OWNER.measure(experiment, job))
        except RecursionError:
            here = "the module is nested too deeply to be sent"
        except OSError as error:
            here = f"no process could be started ({error.strerror})"
    found = run_experiment(experiment, engine.executable, job.report, job.native, os.getpid())
    return Measured(found, f"measured in the kernel's process: {here}")


def prepare() -> None:
    """Let the process start, if it does not run, while the caller prepares what to measure."""
    _OWNER.prepare()


def process_id() -> int | None:
    """Number of the process that measures, None where none was started."""
    return _OWNER.process_id()


def _why_here(experiment: Experiment) -> str:
    if not sys.executable:
        return "there is no Python to start"
    found: dict[str, None] = {}
    for trial in experiment.trials:
        found |= dict.fromkeys(local_code(trial.module))
    return ", ".join(found)


class _Owner:
    """Keeps the one process, and lets one experiment at a time use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._child: Child | None = None

    def prepare(self) -> None:
        """Start the process where that is possible; measuring tells why it is not."""
        try:
            self._ready(current_settings())
        except OSError:
            return

    def measure(self, experiment: Experiment, job: Job) -> Results:
        """The results.

        Raises:
            OSError: no process could be started.
            RecursionError: a module is nested too deeply to be sent.
            CompileError: the process died or hangs, or what it says.
            Cancelled: the job was cancelled.
        """
        while not self._turn.acquire(timeout=POLL):
            job.checkpoint()
        try:
            return self._ready(current_settings()).measure(experiment, job)
        finally:
            self._turn.release()

    def _ready(self, settings: Settings) -> Child:
        """The process that runs, or a new one, also where threads or cache are set otherwise."""
        with self._lock:
            child = self._child
            if child is None or not child.usable(settings):
                self._child = None
                if child is not None:
                    child.end()
                self._child = child = Child(settings)
            return child

    def process_id(self) -> int | None:
        with self._lock:
            return None if self._child is None else self._child.pid

    def end(self) -> None:
        """End the process."""
        with self._lock:
            if self._child is not None:
                self._child.end()
                self._child = None

    def forked(self) -> None:
        """In a fork of the kernel: the process is not ours."""
        if self._child is not None:
            self._child.disown()
        self.__init__()


_OWNER = _Owner()
atexit.register(_OWNER.end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_OWNER.forked)
