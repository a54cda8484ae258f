"""Tensor functions called from Python in destination-passing style."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from workbench.interpret.foreign import as_array
from workbench.ir import BufferType, Var
from workbench.runtime.arrays import Array, as_number, direct, is_array, is_number
from workbench.runtime.context import Context
from workbench.runtime.kernel_call import call_kernel
from workbench.runtime.kernels import Kernel
from workbench.runtime.native import NativeRuntime
from workbench.runtime.signature import describe
from workbench.support import CompileError, Diagnostic
from workbench.support.amounts import counted


class DirectCall:
    """A kernel as a function on arrays and numbers, in the order of its parameters."""

    def __init__(self, kernel: Kernel, native: NativeRuntime) -> None:
        self._kernel = kernel
        self._native = native

    def call(self, arguments: Sequence[Any], context: Context) -> None:
        """Run; arrays that the function writes are changed in place.

        Raises:
            CompileError: `run/wrong-argument`, `run/overlapping-arguments`, and what
                running raises.
        """
        signature = self._kernel.signature
        if len(arguments) != len(signature.params):
            raise CompileError(self._count(len(arguments)))
        converted = [
            self._convert(param, argument, written=position in signature.written)
            for position, (param, argument) in enumerate(
                zip(signature.params, arguments, strict=True)
            )
        ]
        self._refuse_overlap(converted)
        passed = [direct(a) if is_array(a) else a for a in converted]
        call_kernel(self._kernel, passed, self._native, context)
        for position in signature.written:
            if passed[position] is not converted[position]:
                np.copyto(converted[position], passed[position])

    def _convert(self, param: Var, argument: Any, *, written: bool) -> Any:  # noqa: ANN401
        if not isinstance(param.type, BufferType):
            value = as_number(argument)
            if isinstance(value, bool | int | float):
                return value
            raise self._wrong(param, argument)
        array: Any = as_array(argument)
        if not written and is_number(array):
            array = np.asarray(array)
        if not is_array(array):
            raise self._wrong(param, argument)
        if written and not array.flags.writeable:
            raise CompileError(
                Diagnostic(
                    "run/wrong-argument",
                    f"`{self._kernel.name}` writes `{param.name}`, got a read-only array",
                    function=self._kernel.name,
                    node=param.id,
                )
            )
        return array

    def _refuse_overlap(self, arguments: Sequence[Any]) -> None:
        params = self._kernel.signature.params
        arrays = [(p, a) for p, a in zip(params, arguments, strict=True) if is_array(a)]
        for position in self._kernel.signature.written:
            for param, array in arrays:
                if param is not params[position] and _overlap(array, arguments[position]):
                    raise CompileError(
                        Diagnostic(
                            "run/overlapping-arguments",
                            f"`{params[position].name}`, which `{self._kernel.name}` writes, "
                            f"shares memory with `{param.name}`",
                            function=self._kernel.name,
                            node=params[position].id,
                            hint="pass an array of its own for each output",
                        )
                    )

    def _count(self, found: int) -> Diagnostic:
        names = [describe(param) for param in self._kernel.signature.params]
        return Diagnostic(
            "run/wrong-argument",
            f"`{self._kernel.name}` takes {counted(len(names), 'argument')}, got {found}",
            function=self._kernel.name,
            notes=tuple(names[:8]),
            hint="a tensor function is called with its outputs as arguments",
        )

    def _wrong(self, param: Var, found: Any) -> CompileError:  # noqa: ANN401
        return CompileError(
            Diagnostic(
                "run/wrong-argument",
                f"`{self._kernel.name}` needs {describe(param)}, got `{type(found).__name__}`",
                function=self._kernel.name,
                node=param.id,
            )
        )


def _overlap(a: Array, b: Array) -> bool:
    return bool(a.size and b.size and np.may_share_memory(a, b) and np.shares_memory(a, b))
