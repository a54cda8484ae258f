import ctypes
import os
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from workbench.runtime.context import CancelToken, Context
from workbench.runtime.engine import LoadedObject, compile_text
from workbench.runtime.native import native_runtime
from workbench.runtime.thread_pool import ThreadPool, available_cpus, thread_pool

BODIES = """
; closure: array of i64 that counts how often each iteration ran
define i32 @count(ptr %ctx, ptr %closure, i64 %lo, i64 %hi) {
entry:
  br label %loop
loop:
  %i = phi i64 [ %lo, %entry ], [ %next, %step ]
  %more = icmp slt i64 %i, %hi
  br i1 %more, label %step, label %out
step:
  %p = getelementptr i64, ptr %closure, i64 %i
  %old = atomicrmw add ptr %p, i64 1 monotonic
  %next = add i64 %i, 1
  br label %loop
out:
  ret i32 0
}
; fails with status 3 where the chunk holds iteration 5
define i32 @fail(ptr %ctx, ptr %closure, i64 %lo, i64 %hi) {
  %a = icmp sle i64 %lo, 5
  %b = icmp sgt i64 %hi, 5
  %c = and i1 %a, %b
  %s = select i1 %c, i32 3, i32 0
  ret i32 %s
}
; every outer iteration runs a parallel loop of 10 over its own row
define i32 @nested(ptr %ctx, ptr %closure, i64 %lo, i64 %hi) {
entry:
  br label %loop
loop:
  %i = phi i64 [ %lo, %entry ], [ %next, %step ]
  %more = icmp slt i64 %i, %hi
  br i1 %more, label %step, label %out
step:
  %off = mul i64 %i, 10
  %row = getelementptr i64, ptr %closure, i64 %off
  %for.p = getelementptr i64, ptr %ctx, i64 1
  %for = load ptr, ptr %for.p
  %s = call i32 %for(ptr %ctx, ptr @count, ptr %row, i64 0, i64 10)
  %next = add i64 %i, 1
  br label %loop
out:
  ret i32 0
}
"""
FOR = ctypes.CFUNCTYPE(
    ctypes.c_int32,
    ctypes.c_void_p,
    ctypes.c_void_p,
    ctypes.c_void_p,
    ctypes.c_int64,
    ctypes.c_int64,
)
HELPERS = 3


@pytest.fixture(scope="module")
def bodies() -> LoadedObject:
    return LoadedObject(compile_text(BODIES), ("count", "fail", "nested"))


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadPool]:
    monkeypatch.setattr("workbench.runtime.thread_pool.available_cpus", lambda: HELPERS + 1)
    pool = ThreadPool(native_runtime())
    yield pool
    pool.stop()


def parallel_for(context: Context, body: int, counts: np.ndarray, begin: int, end: int) -> int:
    call = FOR(native_runtime().addresses["wb_parallel_for"])
    return call(context.address, body, counts.ctypes.data, begin, end)


def context_of(pool: ThreadPool, helpers: int = HELPERS) -> Context:
    context = Context(native_runtime(), pool, helpers)
    context.use(CancelToken())
    return context


@pytest.mark.parametrize("extent", [0, 1, 2, 3, 7, 64, 1000])
def test_every_iteration_runs_once(bodies: LoadedObject, pool: ThreadPool, extent: int) -> None:
    counts = np.zeros(extent + 5, np.int64)
    context = context_of(pool)
    for _ in range(200):
        assert parallel_for(context, bodies.addresses["count"], counts, 2, 2 + extent) == 0
    assert counts.tolist() == [0, 0] + [200] * extent + [0, 0, 0]
    assert pool.workers == HELPERS


def test_sleeping_workers_wake_up(bodies: LoadedObject, pool: ThreadPool) -> None:
    context = context_of(pool)
    counts = np.zeros(100, np.int64)
    for _ in range(5):
        time.sleep(0.01)
        parallel_for(context, bodies.addresses["count"], counts, 0, 100)
    assert (counts == 5).all()


def test_first_failure_is_the_status(bodies: LoadedObject, pool: ThreadPool) -> None:
    counts = np.zeros(1, np.int64)
    context = context_of(pool)
    for _ in range(100):
        assert parallel_for(context, bodies.addresses["fail"], counts, 0, 50) == 3
    assert parallel_for(context, bodies.addresses["fail"], counts, 6, 50) == 0


def test_nested_loops_run_serially_and_completely(bodies: LoadedObject, pool: ThreadPool) -> None:
    counts = np.zeros(500, np.int64)
    context = context_of(pool)
    for _ in range(20):
        assert parallel_for(context, bodies.addresses["nested"], counts, 0, 50) == 0
    assert (counts == 20).all()


def test_loops_of_two_threads_at_once(bodies: LoadedObject, pool: ThreadPool) -> None:
    arrays = [np.zeros(64, np.int64) for _ in range(4)]
    contexts = [context_of(pool) for _ in arrays]

    def work(context: Context, counts: np.ndarray) -> None:
        for _ in range(500):
            parallel_for(context, bodies.addresses["count"], counts, 0, 64)

    threads = [
        threading.Thread(target=work, args=pair) for pair in zip(contexts, arrays, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all((counts == 500).all() for counts in arrays)


def test_a_cancelled_token_stops_the_loop(bodies: LoadedObject, pool: ThreadPool) -> None:
    counts = np.zeros(64, np.int64)
    context = context_of(pool)
    context.token.cancel()
    assert parallel_for(context, bodies.addresses["count"], counts, 0, 64) == -1
    assert counts.sum() == 0


def test_stopped_pool_starts_again(bodies: LoadedObject, pool: ThreadPool) -> None:
    counts = np.zeros(64, np.int64)
    context = context_of(pool)
    pool.stop()
    assert pool.workers == 0
    assert parallel_for(context, bodies.addresses["count"], counts, 0, 64) == 0
    context.use(CancelToken())
    assert pool.workers == HELPERS
    parallel_for(context, bodies.addresses["count"], counts, 0, 64)
    assert (counts == 2).all()


def test_never_more_workers_than_processors() -> None:
    pool = ThreadPool(native_runtime())
    pool.ensure(1000)
    assert pool.workers == available_cpus() - 1
    pool.stop()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_works_after_fork(bodies: LoadedObject) -> None:
    context = context_of(thread_pool(), helpers=1)
    counts = np.zeros(64, np.int64)
    parallel_for(context, bodies.addresses["count"], counts, 0, 64)
    child = os.fork()
    if child == 0:
        context.use(CancelToken())
        parallel_for(context, bodies.addresses["count"], counts, 0, 64)
        os._exit(0 if (counts == 2).all() else 1)
    _, status = os.waitpid(child, 0)
    assert status == 0
