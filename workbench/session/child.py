"""The kernel's end of the process that measures."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, cast

import numpy as np

from workbench.ir import Constant, ConstantPool, IRModule, walk
from workbench.session.experiment import Data, Experiment, Results, Trial
from workbench.session.messages import (
    Alive,
    Doing,
    Finished,
    Measure,
    Ping,
    Reply,
    Request,
    Stop,
    encode,
    read,
    write,
)
from workbench.session.worker import Cancelled, Job
from workbench.support import CompileError, Diagnostic

START = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1])['path']; "
    "from workbench.session.measuring_process import main; main()"
)
POLL = 0.02
"""Seconds between two looks at the cancel token."""
GRACE = 0.3
"""Seconds that a cancelled process has to answer before it is killed."""
PING_AFTER = 5.0
SILENCE = 20.0
"""Seconds without an answer after which the process counts as hung; it may start more slowly."""
START_SECONDS = 120.0
MOST_CONSTANTS = 1 << 30
"""Bytes of constants above which the process forgets those of earlier measurements."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a process has from its start: processors to use, variables of the environment."""

    processors: tuple[int, ...]
    environment: tuple[tuple[str, str], ...]


def current_settings() -> Settings:
    """Those of this process now: threads of libraries, our own settings."""
    processors: tuple[int, ...] = ()
    if hasattr(os, "sched_getaffinity"):
        processors = tuple(sorted(os.sched_getaffinity(os.getpid())))
    names = [n for n in os.environ if n.startswith("WORKBENCH_") or n.endswith("_NUM_THREADS")]
    return Settings(processors, tuple((name, os.environ[name]) for name in sorted(names)))


class Child:
    """A process that measures, one experiment at a time."""

    def __init__(self, settings: Settings) -> None:
        """Start it; it is ready later.

        Raises:
            OSError: it cannot be started.
        """
        self._settings = settings
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._held: dict[str, int] = {}
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        arguments = json.dumps({"path": sys.path, "processors": settings.processors})
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", START, arguments],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,
        )
        self._replies: queue.SimpleQueue[Reply | None] = queue.SimpleQueue()
        self._ready = False
        self._heard = time.monotonic()
        self._asked = False
        self._doing = "starting"
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests = cast("BinaryIO", self._process.stdin)
        self._answers = cast("BinaryIO", self._process.stdout)
        threading.Thread(target=self._listen, name="workbench-measured", daemon=True).start()

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def usable(self, settings: Settings) -> bool:
        """Whether it runs with these settings."""
        return self._process.poll() is None and settings == self._settings

    def measure(self, experiment: Experiment, job: Job) -> Results:
        """The results of an experiment; the job is told of progress.

        Raises:
            CompileError: `session/measuring-died`, `session/measuring-hangs`, or what the process
                found.
            Cancelled: the job was cancelled.
            RecursionError: a module is nested too deeply to be sent.
        """
        number = next(self._numbers)
        request, held = self._request(number, experiment)
        parts = encode(request)
        self._held = held
        self._heard, self._asked = time.monotonic(), False
        threading.Thread(target=self._send, args=(parts,), daemon=True).start()
        try:
            while True:
                job.checkpoint()
                finished = self._next(number, job)
                if finished is not None:
                    return _results(finished)
        except Cancelled:
            self._stop(number)
            raise

    def end(self) -> None:
        """Let it end now."""
        self._process.kill()
        self._process.wait()
        with contextlib.suppress(OSError):
            self._errors.close()

    def disown(self) -> None:
        """In a fork of this process: do not keep it alive, and do not talk to it."""
        self._requests.close()
        self._answers.close()
        self._process.returncode = 0

    # --- requests --------------------------------------------------------------------------------

    def _request(self, number: int, experiment: Experiment) -> tuple[Measure, dict[str, int]]:
        """The message, and the constants (bytes by hash) that the process holds once it has it."""
        constants = _constants(trial.module for trial in experiment.trials)
        new = {digest: array for digest, array in constants.items() if digest not in self._held}
        size = sum(self._held.values()) + sum(array.nbytes for array in new.values())
        forget = size > MOST_CONSTANTS and bool(self._held)
        if forget:
            new = constants
        held = {} if forget else self._held
        held = held | {digest: array.nbytes for digest, array in new.items()}
        trials = tuple(_sendable(trial) for trial in experiment.trials)
        arrays = tuple(_plain(array) for array in experiment.arrays)
        sent = Experiment(trials, arrays, _plain(experiment.expected))
        return Measure(number, sent, new, forget), held

    def _send(self, parts: list[Any]) -> None:
        """Write a message; that the process is gone shows at the other pipe."""
        with self._lock, contextlib.suppress(OSError, ValueError):
            write(self._requests, parts)

    def _send_soon(self, message: Request) -> bool:
        """Send a short message, unless a long one is stuck."""
        if not self._lock.acquire(timeout=GRACE):
            return False
        self._lock.release()
        self._send(encode(message))
        return True

    def _stop(self, number: int) -> None:
        """Stop an experiment: by asking, else by force."""
        if self._send_soon(Stop(number)):
            end = time.monotonic() + GRACE
            while time.monotonic() < end:
                with contextlib.suppress(queue.Empty):
                    reply = self._replies.get(timeout=POLL)
                    if reply is None or (isinstance(reply, Finished) and reply.number == number):
                        return
        self._process.kill()
        self._process.wait()

    # --- replies ---------------------------------------------------------------------------------

    def _listen(self) -> None:
        with contextlib.suppress(EOFError, OSError, ValueError):
            while True:
                self._replies.put(read(self._answers))
        self._replies.put(None)

    def _next(self, number: int, job: Job) -> Finished | None:
        """Wait shortly for the end of the experiment."""
        try:
            reply = self._replies.get(timeout=POLL)
        except queue.Empty:
            self._check_silence()
            return None
        self._heard, self._asked = time.monotonic(), False
        match reply:
            case None:
                raise self._died()
            case Alive():
                self._ready = True
            case Doing() if reply.number == number:
                self._doing = reply.what
                job.report(reply.what, reply.done, reply.total)
            case Finished() if reply.number == number:
                return reply
            case _:
                pass
        return None

    def _check_silence(self) -> None:
        silent = time.monotonic() - self._heard
        if silent > (SILENCE if self._ready else START_SECONDS):
            self._process.kill()
            self._process.wait()
            raise CompileError(
                Diagnostic(
                    "session/measuring-hangs",
                    f"the process that measures did not answer for {silent:.0f} s while "
                    f"{self._doing}, and was stopped",
                    hint="measure again: another process starts",
                )
            )
        if self._ready and silent > PING_AFTER and not self._asked:
            self._asked = True
            self._send_soon(Ping())

    def _died(self) -> CompileError:
        code = self._process.wait()
        how = f"by {_signal_name(-code)}" if code < 0 else f"with status {code}"
        return CompileError(
            Diagnostic(
                "session/measuring-died",
                f"the process that measures ended {how} while {self._doing}",
                notes=self._last_words(),
                hint="measure again: another process starts",
            )
        )

    def _last_words(self) -> tuple[str, ...]:
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, size - 2000))
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return (f"its last words are `{lines[-1]}`",) if lines else ()


def _results(finished: Finished) -> Results:
    if finished.faults:
        raise CompileError(finished.faults)
    if finished.results is None:
        raise Cancelled
    return finished.results


def _signal_name(number: int) -> str:
    try:
        return f"`{signal.Signals(number).name}`"
    except ValueError:
        return f"signal {number}"


def _constants(modules: Iterable[IRModule]) -> dict[str, Any]:
    """The constants that modules name, by hash; one that is missing shows when it is built."""
    found: dict[str, Any] = {}
    for module in modules:
        for function in module.graph_functions.values():
            for node in walk(function):
                if isinstance(node, Constant) and node.digest in module.pool:
                    found[node.digest] = module.pool[node.digest]
    return found


def _sendable(trial: Trial) -> Trial:
    """The trial without its constants, on plain arrays."""
    module = trial.module
    bare = IRModule(module.functions, ConstantPool(), module.attrs, module.name)
    data = trial.data and Data(_plain(trial.data.arrays), _plain(trial.data.expected))
    return replace(trial, module=bare, data=data)


def _plain(value: Any) -> Any:  # noqa: ANN401
    """A value with numpy arrays for all arrays."""
    if isinstance(value, tuple | list):
        return tuple(_plain(item) for item in value)  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, np.ndarray | np.generic) or not hasattr(value, "__dlpack__"):
        return cast("Any", value)
    return np.from_dlpack(value)
