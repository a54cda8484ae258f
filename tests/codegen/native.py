"""Compiles one tensor function and calls it with numpy arrays."""

from __future__ import annotations

import ctypes
from typing import Any, Literal

import llvmlite.binding as llvm
import numpy as np

from workbench.codegen import Target, compile_object, emit, host_target
from workbench.codegen.kernel import symbolic_dims
from workbench.ir.expr import BufferType, Var, dtype_of, is_float
from workbench.ir.tensor import TensorFunction
from workbench.script import parse

_POINTER, _SIZE, _STATUS = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32
_Body = ctypes.CFUNCTYPE(_STATUS, _POINTER, _POINTER, _SIZE, _SIZE)
_ParallelFor = ctypes.CFUNCTYPE(_STATUS, _POINTER, _POINTER, _POINTER, _SIZE, _SIZE)
_Alloc = ctypes.CFUNCTYPE(_POINTER, _SIZE)
_Free = ctypes.CFUNCTYPE(None, _POINTER)
_Entry = ctypes.CFUNCTYPE(_STATUS, _POINTER, _POINTER)


def function(parameters: str, body: str) -> TensorFunction:
    """A tensor function from the script of its parameters and its body."""
    text = f"@T.prim_func\ndef f({parameters}):\n{body}"
    (found,) = parse(text).tensor_functions.values()
    return found


class Native:
    """A compiled tensor function and a context that counts what it does.

    `live` are allocations not yet freed; `chunks` the parallel ranges that ran; `limit` the
    bytes that may be allocated at once.
    """

    def __init__(
        self,
        fn: TensorFunction,
        checks: Literal["auto", "off"] = "auto",
        target: Target | None = None,
    ) -> None:
        self.fn = fn
        target = target or host_target()
        self.code = emit(fn, "kernel", target, checks)
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        machine = llvm.Target.from_default_triple().create_target_machine()
        self.engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
        data = compile_object(self.code.llvm, target)
        self.engine.add_object_file(llvm.object_file.ObjectFileRef.from_data(data))
        self.engine.finalize_object()
        self.entry = _Entry(self.engine.get_function_address("kernel"))
        self.live: dict[int, Any] = {}
        self.allocations = 0
        self.limit = 1 << 40
        self.chunks: list[tuple[int, int]] = []
        self.flag = np.zeros(1, np.int32)
        self.detail = np.zeros(4, np.int64)
        self._callbacks = (_ParallelFor(self._run), _Alloc(self._alloc), _Free(self._free))
        run, alloc, free = (ctypes.cast(c, _POINTER).value or 0 for c in self._callbacks)
        self.context = np.array(
            [self.flag.ctypes.data, run, 0, alloc, free, self.detail.ctypes.data], np.int64
        )

    def __call__(self, *arguments: Any) -> int:  # noqa: ANN401
        """The status of a call; every allocation must have been freed."""
        slots, dims = list[int](), dict[int, int]()
        for param, argument in zip(self.fn.params, arguments, strict=True):
            slots.append(_slot(param, argument))
            if isinstance(param.type, BufferType):
                assert argument.flags.c_contiguous
                for extent, size in zip(param.type.shape, argument.shape, strict=True):
                    if isinstance(extent, Var):
                        dims.setdefault(extent.id, size)
        slots += [dims[var.id] for var in symbolic_dims(self.fn)]
        array = np.array([*slots, 0], np.int64)
        status = self.entry(array.ctypes.data, self.context.ctypes.data)
        assert not self.live
        return status

    def _run(self, context: int, body: int, closure: int, begin: int, end: int) -> int:
        call = _Body(body)
        middle = (begin + end) // 2
        for lo, hi in ((begin, middle), (middle, end)):
            self.chunks.append((lo, hi))
            if status := call(context, closure, lo, hi):
                return status
        return 0

    def _alloc(self, size: int) -> int | None:
        if size > self.limit:
            return None
        self.allocations += 1
        memory = np.empty(size + 64, np.uint8)
        memory[:] = 0xAB
        address = -(-memory.ctypes.data // 64) * 64
        self.live[address] = memory
        return address

    def _free(self, address: int) -> None:
        del self.live[address]


def _slot(param: Var, argument: Any) -> int:  # noqa: ANN401
    if isinstance(param.type, BufferType):
        return argument.ctypes.data
    if is_float(dtype_of(param)):
        return int(np.float64(argument).view(np.int64))
    return int(argument)


PLAIN = Target("x86_64-unknown-linux-gnu", "x86-64", "", 128)
"""A processor without AVX, FMA and float16 conversion; its code runs on every x86-64."""
