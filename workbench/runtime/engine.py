"""LLVM as the runtime needs it: text to object code, object code into this process."""

from __future__ import annotations

import ctypes
import functools
import threading
from collections.abc import Mapping
from typing import Any

import llvmlite.binding

LLVM_LOCK = threading.RLock()
"""Held around every use of LLVM: its global state is not safe to share."""


@functools.cache
def llvm() -> Any:  # noqa: ANN401
    """The llvmlite binding, with the native target initialised."""
    binding: Any = llvmlite.binding
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    binding.initialize_native_asmparser()
    return binding


@functools.cache
def llvm_version() -> str:
    """The version of LLVM inside llvmlite, such as `22.1.0`; part of every cache key."""
    return ".".join(str(part) for part in llvm().llvm_version_info)


def host_triple() -> str:
    """The triple of this process."""
    return llvm().get_process_triple()


def compile_text(text: str) -> bytes:
    """Object code of LLVM text for this machine, without optimisation passes in the middle."""
    binding = llvm()
    with LLVM_LOCK:
        parsed = binding.parse_assembly(text)
        parsed.verify()
        return _host_machine().emit_object(parsed)


class LoadedObject:
    """Object code in this process. The code stays as long as this object is alive.

    `addresses` maps the requested symbols to where they are.
    """

    __slots__ = ("__weakref__", "_engine", "addresses")

    def __init__(self, code: bytes, symbols: tuple[str, ...]) -> None:
        binding = llvm()
        with LLVM_LOCK:
            empty = binding.parse_assembly(f'target triple = "{host_triple()}"\n')
            self._engine = binding.create_mcjit_compiler(empty, _loader_machine())
            self._engine.add_object_file(binding.ObjectFileRef.from_data(code))
            self._engine.finalize_object()
            self.addresses: Mapping[str, int] = {
                name: self._engine.get_function_address(name) for name in symbols
            }

    def keep_forever(self) -> None:
        """Never unload: code that threads may still run while the interpreter shuts down."""
        _IMMORTAL.append(self._engine)
        self._engine.detach()


_IMMORTAL: list[Any] = []
_INT_OF_PTR = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)


def native_call(address: int) -> Any:  # noqa: ANN401
    """A callable for `i32 (ptr)` at `address`; releases the interpreter lock while it runs."""
    return _INT_OF_PTR(address)


def _host_machine() -> Any:  # noqa: ANN401
    binding = llvm()
    return binding.Target.from_triple(host_triple()).create_target_machine(
        cpu=binding.get_host_cpu_name(),
        features=binding.get_host_cpu_features().flatten(),
        opt=2,
        codemodel="jitdefault",
        jit=True,
    )


def _loader_machine() -> Any:  # noqa: ANN401
    """A machine for an engine that only loads; the engine takes it over."""
    target = llvm().Target.from_triple(host_triple())
    return target.create_target_machine(opt=0, codemodel="jitdefault", jit=True)
