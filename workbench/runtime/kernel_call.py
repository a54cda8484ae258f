"""One kernel called on arrays and numbers."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence
from typing import Any

from workbench.runtime.arrays import address_of, is_array
from workbench.runtime.context import Context
from workbench.runtime.faults import raise_for_status
from workbench.runtime.kernels import Kernel
from workbench.runtime.native import NativeRuntime
from workbench.runtime.program import Place
from workbench.runtime.signature import slot_of

_MAIN_THREAD = threading.main_thread().ident


def call_kernel(
    kernel: Kernel,
    arguments: Sequence[Any],
    native: NativeRuntime,
    context: Context,
    place: Place | None = None,
) -> None:
    """Run one kernel on arrays (row-major) and numbers, in the order of its parameters.

    Raises:
        CompileError: `run/wrong-argument`, and as `raise_for_status`.
    """
    signature = kernel.signature
    bound = signature.bind_values(arguments)
    slots = (ctypes.c_int64 * (len(arguments) + len(bound)))()
    for position, (param, argument) in enumerate(zip(signature.params, arguments, strict=True)):
        slots[position] = address_of(argument) if is_array(argument) else slot_of(param, argument)
    slots[len(arguments) :] = bound
    instruction = (ctypes.c_int64 * 2)(kernel.address, ctypes.addressof(slots))
    guard = threading.get_ident() == _MAIN_THREAD
    segment = (ctypes.c_int64 * 6)(
        ctypes.addressof(instruction), 1, context.address, 0, 0, int(guard)
    )
    status = native.run(ctypes.addressof(segment))
    if status:
        raise_for_status(status, kernel, context, place)
