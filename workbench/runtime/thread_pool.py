"""The thread pool: daemon threads that live in native code, one pool a process.

Dispatch is one atomic epoch; a worker spins for a bounded time, then sleeps on the epoch; the
caller takes part. The native side is in `native.ll`.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import os
import threading

from workbench.runtime.native import NativeRuntime, native_runtime

_BYTES = 512
_JOIN_SECONDS = 0.5


def available_cpus() -> int:
    """Number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return max(1, os.cpu_count() or 1)


class ThreadPool:
    """Workers of this process. `address` is what generated code is given; it never changes.

    A job that starts while another one runs (nested, or from another thread) runs serially.
    """

    def __init__(self, native: NativeRuntime) -> None:
        self._native = native
        self._memory = ctypes.create_string_buffer(_BYTES + 64)
        self.address = (ctypes.addressof(self._memory) + 63) & ~63
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()

    @property
    def workers(self) -> int:
        """Number of worker threads that were started."""
        return len(self._threads)

    def ensure(self, workers: int) -> int:
        """Start up to `workers`, one fewer than processors at most; how many there are to use."""
        if workers <= len(self._threads):
            return workers
        if not self._native.threads:
            return 0
        allowed = min(workers, available_cpus() - 1)
        with self._lock:
            while len(self._threads) < allowed:
                name = f"workbench-{len(self._threads) + 1}"
                thread = threading.Thread(
                    target=self._native.worker, args=(self.address,), name=name, daemon=True
                )
                thread.start()
                self._threads.append(thread)
        return min(workers, len(self._threads))

    def stop(self) -> None:
        """End the workers. Jobs run serially until `ensure` starts new ones."""
        with self._lock:
            self._native.stop(self.address)
            for thread in self._threads:
                thread.join(_JOIN_SECONDS)
            if not any(thread.is_alive() for thread in self._threads):
                ctypes.memset(self.address, 0, _BYTES)
            self._threads = []

    def after_fork(self) -> None:
        """In a child process: the memory is a copy and the threads are not there."""
        self._lock = threading.Lock()
        self._threads = []
        ctypes.memset(self.address, 0, _BYTES)


@functools.cache
def thread_pool() -> ThreadPool:
    """The pool of this process."""
    pool = ThreadPool(native_runtime())
    atexit.register(pool.stop)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=pool.after_fork)
    return pool
