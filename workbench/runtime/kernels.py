"""Kernels: tensor functions as native code, compiled once per fingerprint."""

from __future__ import annotations

import hashlib
import time
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from typing import Literal

from workbench.codegen import (
    CODEGEN_VERSION,
    KernelCode,
    Target,
    assembly,
    emit,
)
from workbench.ir import TensorFunction, fingerprint, function_digest
from workbench.runtime.cache import ObjectCache
from workbench.runtime.compile_pool import compile_objects
from workbench.runtime.engine import LoadedObject, llvm_version
from workbench.runtime.signature import KernelSignature, signature_of
from workbench.support.identity_memo import LARGE_MODULE

Checks = Literal["auto", "off"]
SYMBOL = "kernel"
_LOADED: weakref.WeakValueDictionary[str, LoadedObject] = weakref.WeakValueDictionary()


@dataclass(frozen=True, slots=True)
class Kernel:
    """A tensor function as native code: `i32 (ptr arguments, ptr context)` at `address`."""

    name: str
    function: TensorFunction
    signature: KernelSignature
    target: Target
    checks: Checks
    loaded: LoadedObject

    @property
    def address(self) -> int:
        """Where the code is."""
        return self.loaded.addresses[SYMBOL]

    def code(self) -> KernelCode:
        """The LLVM text and the fault sites, made again: the cache keeps neither."""
        return emit(self.function, SYMBOL, self.target, self.checks)

    def assembly(self) -> str:
        """The assembly text."""
        return assembly(self.code().llvm, self.target)


@dataclass(slots=True)
class KernelStatistics:
    """What preparing kernels took: distinct kernels compiled and found, and seconds."""

    compiled: int = 0
    cached: int = 0
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list[str])


def prepare_kernels(
    functions: Mapping[str, TensorFunction], target: Target, checks: Checks
) -> tuple[dict[str, Kernel], KernelStatistics]:
    """Kernels of tensor functions by name: from memory, from the cache on disk, or compiled now.

    Raises:
        CompileError: what code generation says.
    """
    start = time.perf_counter()
    statistics = KernelStatistics()
    cache = ObjectCache.default()
    keys = {name: _key(function, target, checks) for name, function in functions.items()}
    objects = _find(keys, cache)
    statistics.cached = len(objects)
    missing = {key: name for name, key in reversed(keys.items()) if key not in objects}
    codes = [emit(functions[name], SYMBOL, target, checks) for name in missing.values()]
    for key, code in zip(missing, compile_objects(codes, target), strict=True):
        cache.write("kernels", key, code)
        objects[key] = _load(key, code)
    statistics.compiled = len(missing)
    statistics.seconds = time.perf_counter() - start
    if cache.problem:
        statistics.notes.append(cache.problem)
    kernels = {
        name: Kernel(
            name, function, _signature(name, function), target, checks, objects[keys[name]]
        )
        for name, function in functions.items()
    }
    return kernels, statistics


def _find(keys: Mapping[str, str], cache: ObjectCache) -> dict[str, LoadedObject]:
    found: dict[str, LoadedObject] = {}
    for key in keys.values():
        if key in found:
            continue
        loaded = _LOADED.get(key)
        if loaded is None:
            code = cache.read("kernels", key)
            loaded = _load(key, code) if code is not None else None
        if loaded is not None:
            found[key] = loaded
    return found


def _load(key: str, code: bytes) -> LoadedObject:
    loaded = LoadedObject(code, (SYMBOL,))
    _LOADED[key] = loaded
    return loaded


def _key(function: TensorFunction, target: Target, checks: Checks) -> str:
    parts: Sequence[str] = (
        _fingerprint(function_digest(function), _ByIdentity(function)),
        repr(target),
        checks,
        str(CODEGEN_VERSION),
        _generator_digest(),
        llvm_version(),
    )
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()


@lru_cache(maxsize=1)
def _generator_digest() -> str:
    """A digest of the code generator itself: whoever works on it never meets old objects."""
    state = hashlib.blake2b(digest_size=16)
    folder = resources.files("workbench.codegen")
    for source in sorted(folder.iterdir(), key=lambda item: item.name):
        if source.name.endswith(".py"):
            state.update(source.read_bytes())
    return state.hexdigest()


class _ByIdentity:
    """Carries a function past a cache that is keyed by its digest."""

    __slots__ = ("function",)

    def __init__(self, function: TensorFunction) -> None:
        self.function = function

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByIdentity)

    def __hash__(self) -> int:
        return 0


@lru_cache(maxsize=LARGE_MODULE)
def _fingerprint(_digest: str, carried: _ByIdentity) -> str:
    return fingerprint(carried.function)


@lru_cache(maxsize=LARGE_MODULE)
def _signature_by_digest(name: str, _digest: str, carried: _ByIdentity) -> KernelSignature:
    return signature_of(name, carried.function)


def _signature(name: str, function: TensorFunction) -> KernelSignature:
    return _signature_by_digest(name, function_digest(function), _ByIdentity(function))
