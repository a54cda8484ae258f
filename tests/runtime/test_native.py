import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from workbench.runtime.context import INTERRUPTED, CancelToken, Context
from workbench.runtime.engine import LoadedObject, compile_text
from workbench.runtime.native import native_runtime, native_text
from workbench.runtime.thread_pool import thread_pool

KERNELS = """
; adds the number in slot 1 to the i64 that slot 0 points to
define i32 @add(ptr %args, ptr %ctx) {
  %p = load ptr, ptr %args
  %q = getelementptr i64, ptr %args, i64 1
  %n = load i64, ptr %q
  %old = load i64, ptr %p
  %new = add i64 %old, %n
  store i64 %new, ptr %p
  ret i32 0
}
define i32 @fail(ptr %args, ptr %ctx) {
  ret i32 7
}
; spins until somebody interrupts
define i32 @spin(ptr %args, ptr %ctx) {
entry:
  %flag = load ptr, ptr %ctx
  br label %loop
loop:
  %f = load atomic i32, ptr %flag monotonic, align 4
  %go = icmp eq i32 %f, 0
  br i1 %go, label %loop, label %out
out:
  ret i32 -1
}
; allocates the bytes in slot 1, writes the address to where slot 0 points, and frees
define i32 @memory(ptr %args, ptr %ctx) {
  %alloc.p = getelementptr ptr, ptr %ctx, i64 3
  %alloc = load ptr, ptr %alloc.p
  %free.p = getelementptr ptr, ptr %ctx, i64 4
  %free = load ptr, ptr %free.p
  %n.p = getelementptr i64, ptr %args, i64 1
  %n = load i64, ptr %n.p
  %got = call ptr %alloc(i64 %n)
  %out = load ptr, ptr %args
  store ptr %got, ptr %out
  call void %free(ptr %got)
  ret i32 0
}
"""


@pytest.fixture(scope="module")
def kernels() -> LoadedObject:
    return LoadedObject(compile_text(KERNELS), ("add", "fail", "spin", "memory"))


class Run:
    """A segment on hand-made kernels."""

    def __init__(self, kernels: LoadedObject, *calls: tuple[str, int]) -> None:
        self.value = np.zeros(1, np.int64)
        self.context = Context(native_runtime(), thread_pool(), 0)
        self.arguments = [
            (ctypes.c_int64 * 2)(self.value.ctypes.data, number) for _, number in calls
        ]
        self.table = (ctypes.c_int64 * (2 * len(calls)))()
        for row, (name, _) in enumerate(calls):
            self.table[2 * row] = kernels.addresses[name]
            self.table[2 * row + 1] = ctypes.addressof(self.arguments[row])
        self.times = (ctypes.c_int64 * (len(calls) + 1))()
        self.segment = (ctypes.c_int64 * 6)(
            ctypes.addressof(self.table), len(calls), self.context.address, -1, 0, 0
        )

    def __call__(self, *, guard: bool = False, timed: bool = False) -> int:
        self.segment[4] = ctypes.addressof(self.times) if timed else 0
        self.segment[5] = int(guard)
        return native_runtime().run(ctypes.addressof(self.segment))


def test_instructions_run_in_order(kernels: LoadedObject) -> None:
    run = Run(kernels, ("add", 1), ("add", 20), ("add", 300))
    assert run() == 0
    assert run.value[0] == 321


def test_a_failing_instruction_stops_and_is_named(kernels: LoadedObject) -> None:
    run = Run(kernels, ("add", 1), ("fail", 0), ("add", 20))
    assert run() == 7
    assert (run.segment[3], run.value[0]) == (1, 1)


def test_an_empty_segment_is_fine(kernels: LoadedObject) -> None:
    assert Run(kernels)() == 0


def test_times_rise(kernels: LoadedObject) -> None:
    run = Run(kernels, ("add", 1), ("add", 1))
    before = time.monotonic_ns()
    assert run(timed=True) == 0
    stamps = list(run.times)
    assert before <= stamps[0] <= stamps[1] <= stamps[2] <= time.monotonic_ns()


def test_a_token_stops_native_code_from_another_thread(kernels: LoadedObject) -> None:
    run = Run(kernels, ("add", 1), ("spin", 0), ("add", 20))
    token = CancelToken()
    run.context.use(token)
    timer = threading.Timer(0.05, token.cancel)
    timer.start()
    assert run() == -1
    assert (run.segment[3], run.value[0], token.cancelled) == (1, 1, True)
    timer.join()


def test_an_old_interrupt_does_not_stop_the_next_call(kernels: LoadedObject) -> None:
    run = Run(kernels, ("add", 1))
    token = CancelToken()
    ctypes.c_int32.from_address(token.address).value = INTERRUPTED
    run.context.use(token)
    assert run() == 0
    token.cancel()
    run.context.use(token)
    assert run() == -1


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
def test_sigint_stops_native_code_and_reaches_python(kernels: LoadedObject) -> None:
    run = Run(kernels, ("spin", 0))
    seen: list[int] = []
    old = signal.signal(signal.SIGINT, lambda number, _: seen.append(number))
    try:
        for _ in range(3):
            timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
            timer.start()
            assert run(guard=True) == -1
            assert run.context.token.take_interrupt()
            assert not run.context.token.take_interrupt()
            timer.join()
        os.kill(os.getpid(), signal.SIGINT)  # afterwards only Python listens, as before
        time.sleep(0.01)
        assert not run.context.token.take_interrupt()
    finally:
        signal.signal(signal.SIGINT, old)
    assert seen == [signal.SIGINT] * 4


def test_without_interrupts_the_guard_changes_nothing(kernels: LoadedObject) -> None:
    run = Run(kernels, ("add", 1))
    before = signal.getsignal(signal.SIGINT)
    assert run(guard=True) == 0
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 1 << 20])
def test_memory_is_aligned(kernels: LoadedObject, size: int) -> None:
    run = Run(kernels, ("memory", size))
    assert run() == 0
    assert run.value[0] % 64 == 0
    assert run.value[0] != 0


@pytest.mark.parametrize("size", [-1, (1 << 62)])
def test_memory_that_is_not_there_is_null(kernels: LoadedObject, size: int) -> None:
    run = Run(kernels, ("memory", size))
    assert run() == 0
    assert run.value[0] == 0


def test_text_for_another_platform_has_no_holes() -> None:
    for triple in ("aarch64-unknown-linux-gnu", "x86_64-apple-darwin", "riscv64-linux-gnu"):
        assert "{{" not in native_text(triple)
        assert triple in native_text(triple)


def test_process_with_idle_workers_ends(repository: Path) -> None:
    script = (
        "from workbench.runtime.thread_pool import thread_pool; "
        "import workbench.runtime.thread_pool as t; t.available_cpus = lambda: 4; "
        "assert thread_pool().ensure(3) == 3"
    )
    start = time.monotonic()
    subprocess.run([sys.executable, "-c", script], cwd=repository, check=True, timeout=30)
    assert time.monotonic() - start < 15
