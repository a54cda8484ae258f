"""What a kernel gets beside its arguments: interrupt flag, thread pool, memory, details."""

from __future__ import annotations

import ctypes

from workbench.runtime.native import NativeRuntime
from workbench.runtime.thread_pool import ThreadPool

RUNNING, CANCELLED, INTERRUPTED = 0, 1, 2
"""States of the interrupt flag."""
_SLOTS = 7


class CancelToken:
    """Stops native code from another thread: give it to a call, then `cancel()` it.

    A token stays cancelled; take a new one for the next call.
    """

    __slots__ = ("_flag", "address")

    def __init__(self) -> None:
        self._flag = ctypes.c_int32(RUNNING)
        self.address = ctypes.addressof(self._flag)

    def cancel(self) -> None:
        """Let the calls that have this token stop at their next look."""
        self._flag.value = CANCELLED

    @property
    def cancelled(self) -> bool:
        """Whether somebody cancelled it."""
        return self._flag.value == CANCELLED

    def take_interrupt(self) -> bool:
        """Whether SIGINT came since the last look; forgets it."""
        if self._flag.value != INTERRUPTED:
            return False
        self._flag.value = RUNNING
        return True


class Context:
    """The context structure of the native interface, for one call at a time.

    `helpers` is how many workers of the pool may take part.
    """

    __slots__ = ("_detail", "_pool", "_slots", "address", "helpers", "token")

    def __init__(self, native: NativeRuntime, pool: ThreadPool, helpers: int) -> None:
        self._pool = pool
        self.helpers = helpers
        self._detail = (ctypes.c_int64 * 4)()
        self._slots = (ctypes.c_int64 * _SLOTS)()
        self.token = CancelToken()
        addresses = native.addresses
        parallel = "wb_parallel_for" if helpers else "wb_serial_for"
        self._slots[0] = self.token.address
        self._slots[1] = addresses[parallel]
        self._slots[2] = pool.address
        self._slots[3] = addresses["wb_alloc"]
        self._slots[4] = addresses["wb_free"]
        self._slots[5] = ctypes.addressof(self._detail)
        self._slots[6] = helpers
        self.address = ctypes.addressof(self._slots)

    def use(self, token: CancelToken) -> None:
        """Listen to this token, and see that the workers are there (they are not after a fork)."""
        token.take_interrupt()  # an interrupt of an earlier call that Python has raised itself
        self.token = token
        self._slots[0] = token.address
        if self.helpers > self._pool.workers:
            self._pool.ensure(self.helpers)

    @property
    def detail(self) -> tuple[int, int, int, int]:
        """What the kernel wrote at a fault: offending index, bound, and so on."""
        a, b, c, d = self._detail
        return a, b, c, d
