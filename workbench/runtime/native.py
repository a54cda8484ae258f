"""The fixed native part: thread pool, instruction loop, interrupt guard, memory (`native.ll`)."""

from __future__ import annotations

import functools
import hashlib
import sys
from dataclasses import dataclass
from importlib import resources
from typing import Any

from workbench.runtime.cache import ObjectCache
from workbench.runtime.engine import LoadedObject, compile_text, host_triple, native_call
from workbench.support import CompileError, Diagnostic

SPINS = 2000
"""Pauses before a waiting thread sleeps: about 30 microseconds."""
_SYMBOLS = (
    "wb_alloc",
    "wb_free",
    "wb_parallel_for",
    "wb_serial_for",
    "wb_run",
    "wb_worker",
    "wb_stop",
)
_PAUSES = {
    "x86_64": ("declare void @llvm.x86.sse2.pause()", "call void @llvm.x86.sse2.pause()"),
    "aarch64": ("declare void @llvm.aarch64.hint(i32)", "call void @llvm.aarch64.hint(i32 1)"),
}
_FUTEX_CALLS = {"x86_64": 202, "aarch64": 98, "riscv64": 98, "powerpc64le": 221, "s390x": 238}
_WAIT, _WAKE = 128, 129
"""FUTEX_WAIT and FUTEX_WAKE, private to the process."""


@dataclass(frozen=True)
class NativeRuntime:
    """Addresses and entry points of the fixed native part.

    `threads` says whether a worker can sleep on this platform; if not, nothing runs in parallel.
    """

    addresses: dict[str, int]
    run: Any
    worker: Any
    stop: Any
    threads: bool


@functools.cache
def native_runtime() -> NativeRuntime:
    """The fixed native part, compiled once and taken from the object cache after that.

    Raises:
        CompileError: `build/unsupported-platform`.
    """
    if sys.platform == "win32":
        raise CompileError(
            Diagnostic(
                "build/unsupported-platform",
                "native code runs on Linux and macOS, not on Windows yet",
                hint="use the Windows Subsystem for Linux",
            )
        )
    triple = host_triple()
    text = native_text(triple)
    digest = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    cache = ObjectCache.default()
    code = cache.read("runtime", digest)
    if code is None:
        code = compile_text(text)
        cache.write("runtime", digest, code)
    loaded = LoadedObject(code, _SYMBOLS)
    addresses = dict(loaded.addresses)
    loaded.keep_forever()
    return NativeRuntime(
        addresses,
        native_call(addresses["wb_run"]),
        native_call(addresses["wb_worker"]),
        native_call(addresses["wb_stop"]),
        threads=_futex(triple) is not None,
    )


def native_text(triple: str) -> str:
    """The LLVM text of the fixed native part for a platform."""
    declare_pause, pause = _PAUSES.get(_architecture(triple), ("", ""))
    futex = _futex(triple)
    wait = wake = ""
    if futex is not None:
        wait = (
            f"%r = call i64 (i64, ...) @syscall(i64 {futex}, ptr %word, i64 {_WAIT}, "
            "i32 %value, ptr null, ptr null, i64 0)"
        )
        wake = (
            f"%r = call i64 (i64, ...) @syscall(i64 {futex}, ptr %word, i64 {_WAKE}, "
            "i32 %count, ptr null, ptr null, i64 0)"
        )
    values = {
        "triple": triple,
        "declare_pause": declare_pause,
        "pause": pause,
        "futex_wait": wait,
        "futex_wake": wake,
        "spins": str(SPINS),
        "clock": "6" if sys.platform == "darwin" else "1",
    }
    text = resources.files("workbench.runtime").joinpath("native.ll").read_text("utf-8")
    for name, value in values.items():
        text = text.replace("{{" + name + "}}", value)
    return text


def _architecture(triple: str) -> str:
    return triple.split("-", maxsplit=1)[0]


def _futex(triple: str) -> int | None:
    return _FUTEX_CALLS.get(_architecture(triple)) if "linux" in triple else None
