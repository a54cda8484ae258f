"""The process that measures for a kernel: started by `workbench.session.child`, it serves requests.

It ends when its input does, and so with the kernel, however that ends.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections import OrderedDict
from typing import Any, BinaryIO, assert_never

from workbench import ops
from workbench.ir import ConstantPool, IRModule, module_digest
from workbench.ir.pool import Array
from workbench.runtime import Cancelled as NativeCancelled
from workbench.runtime import CancelToken, Executable
from workbench.runtime.native import native_runtime
from workbench.session.engine import KEPT, Engine
from workbench.session.experiment import Experiment, Results, run_experiment
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
from workbench.session.worker import REPORT_EVERY, Cancelled, internal_fault
from workbench.support import FOREIGN_FAULTS, CompileError

REGISTERED = ops
"""Imported for the operators and libraries that it registers."""


def main() -> None:
    """Serve the process that started this one; the first argument has its settings."""
    settings: dict[str, Any] = json.loads(sys.argv[1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if settings["processors"] and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, settings["processors"])
    requests, replies = _take_streams()
    native_runtime()
    _Server(requests, replies).serve()


def _take_streams() -> tuple[BinaryIO, BinaryIO]:
    """Standard input and output for us alone: what libraries print goes to standard error."""
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, replies


class _Server:
    """Measures in the main thread; another thread reads what comes in."""

    def __init__(self, requests: BinaryIO, replies: BinaryIO) -> None:
        self._requests = requests
        self._replies = replies
        self._lock = threading.Lock()
        self._waiting: queue.SimpleQueue[Measure] = queue.SimpleQueue()
        self._stopped = 0
        self._current = 0
        self._token = CancelToken()
        self._reported = 0.0
        self._verb = ""
        self._modules = _Modules()

    def serve(self) -> None:
        self._send(Alive())
        threading.Thread(target=self._listen, name="workbench-requests", daemon=True).start()
        while True:
            self._send(self._measure(self._waiting.get()))

    def _listen(self) -> None:
        while True:
            try:
                message: Request = read(self._requests)
            except (EOFError, OSError):
                os._exit(0)  # the kernel is gone, whatever runs here
            except FOREIGN_FAULTS:  # the edge of the process: sources that changed, no memory
                traceback.print_exc()
                os._exit(1)
            match message:
                case Measure():
                    self._waiting.put(message)
                case Stop(number=number):
                    self._stop(number)
                case Ping():
                    self._send(Alive())
                case _:
                    assert_never(message)

    def _stop(self, number: int) -> None:
        with self._lock:
            self._stopped = max(self._stopped, number)
            if number == self._current:
                self._token.cancel()

    def _measure(self, request: Measure) -> Finished:
        number = request.number
        with self._lock:
            self._current, self._token = number, CancelToken()
        try:
            self._modules.learn(request.constants, forget=request.forget)
            return Finished(number, self._run(request.experiment))
        except (Cancelled, NativeCancelled):
            return Finished(number)
        except CompileError as error:
            return Finished(number, faults=error.diagnostics)
        except FOREIGN_FAULTS as error:  # the edge of the process: the kernel hears of it
            return Finished(number, faults=internal_fault(error).diagnostics)

    def _run(self, experiment: Experiment) -> Results:
        self._verb = ""
        build = self._modules.executable
        return run_experiment(experiment, build, self._report, self._token, os.getpid())

    def _report(self, what: str, done: int, total: int) -> None:
        if self._current <= self._stopped:
            raise Cancelled
        verb = what.split(" ")[0]
        if verb != self._verb or time.monotonic() - self._reported >= REPORT_EVERY:
            self._verb, self._reported = verb, time.monotonic()
            self._send(Doing(self._current, what, done, total))

    def _send(self, message: Reply) -> None:
        parts = encode(message)
        try:
            with self._lock:
                write(self._replies, parts)
        except OSError:
            os._exit(0)


class _Modules:
    """Executables of modules that come without their constants."""

    def __init__(self) -> None:
        self._engine = Engine()
        self._pool = ConstantPool()
        self._known: OrderedDict[str, IRModule] = OrderedDict()

    def learn(self, constants: dict[str, Array], *, forget: bool) -> None:
        if forget:
            self._engine, self._pool = Engine(), ConstantPool()
            self._known.clear()
        for array in constants.values():
            array.flags.writeable = False
        self._pool = self._pool.merged(ConstantPool(constants))

    def executable(self, module: IRModule) -> Executable:
        """Of a module that was here before it is the one of then: its pool is the same."""
        digest = module_digest(module)
        if digest not in self._known:
            self._known[digest] = IRModule(module.functions, self._pool, module.attrs, module.name)
        self._known.move_to_end(digest)
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        return self._engine.executable(self._known[digest])
