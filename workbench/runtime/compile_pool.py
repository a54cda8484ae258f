"""Compiling kernels: one after the other, or with worker processes where there is much to do.

Processes, not threads: LLVM's bindings share one lock.
"""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from workbench.codegen import KernelCode, Target, compile_object
from workbench.runtime.thread_pool import available_cpus

SECONDS_PER_BYTE = 1.2e-6
"""What compiling a byte of LLVM text takes, about."""
WORTHWHILE = 3.0
"""Seconds of work for each helper; starting one takes most of a second."""


def compile_objects(
    codes: Sequence[KernelCode], target: Target, helpers: int | None = None
) -> list[bytes]:
    """Object code of each kernel, in order; `helpers` worker processes, None: as many as pay."""
    if helpers is None:
        seconds = sum(len(code.llvm) for code in codes) * SECONDS_PER_BYTE
        helpers = min(available_cpus() - 1, int(seconds / WORTHWHILE))
    if helpers < 1 or not sys.executable:
        return [compile_object(code.llvm, target) for code in codes]
    return _Shared(codes, target).compile(helpers)


class _Shared:
    """Kernels that this process takes from one end, and workers from the other."""

    def __init__(self, codes: Sequence[KernelCode], target: Target) -> None:
        self._codes = codes
        self._target = target
        order = sorted(range(len(codes)), key=lambda i: -len(codes[i].llvm))
        self._open = deque(order)
        self._objects: dict[int, bytes] = {}

    def compile(self, helpers: int) -> list[bytes]:
        workers = [_start_worker() for _ in range(helpers)]
        feeders = [threading.Thread(target=self._feed, args=(worker,)) for worker in workers]
        try:
            for feeder in feeders:
                feeder.start()
            self._work()
            for feeder in feeders:
                feeder.join()
            self._work()  # what a worker that died left over
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()
        return [self._objects[index] for index in range(len(self._codes))]

    def _work(self) -> None:
        while True:
            try:
                index = self._open.popleft()
            except IndexError:
                return
            self._objects[index] = compile_object(self._codes[index].llvm, self._target)

    def _feed(self, worker: subprocess.Popen[bytes]) -> None:
        assert worker.stdin is not None
        assert worker.stdout is not None
        while True:
            try:
                index = self._open.pop()
            except IndexError:
                return
            try:
                pickle.dump((self._codes[index].llvm, self._target), worker.stdin)
                worker.stdin.flush()
                self._objects[index] = pickle.load(worker.stdout)
            except (OSError, EOFError, pickle.UnpicklingError):
                self._open.append(index)
                return


def _start_worker() -> subprocess.Popen[bytes]:
    source = Path(__file__).with_name("compile_worker.py")
    return subprocess.Popen(
        [sys.executable, str(source), json.dumps(sys.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
