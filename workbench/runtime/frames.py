"""A program with memory: shapes, offsets, argument slots; one native call a segment."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.analysis.memory import ALIGNMENT, ONE, Lifetime, place
from workbench.interpret import evaluate, extents
from workbench.interpret.allocation import new_array
from workbench.ir import Dim, ScalarValue, ShapeValue, StringValue, TupleType, Type
from workbench.ir.dtypes import numpy_dtype
from workbench.ir.expr import TensorType
from workbench.runtime.arrays import (
    Array,
    Constants,
    address_of,
    aligned_bytes,
    direct,
    is_array,
    is_fields,
)
from workbench.runtime.context import CancelToken, Context
from workbench.runtime.faults import raise_for_status
from workbench.runtime.host_calls import checked_result, placed, wrong_result
from workbench.runtime.kernels import Kernel
from workbench.runtime.native import NativeRuntime
from workbench.runtime.program import (
    HostKind,
    HostStep,
    JumpStep,
    KernelStep,
    Operand,
    PlannedMemory,
    Program,
    Storage,
    TupleOperand,
    ValueRef,
    operand_values,
)
from workbench.runtime.signature import slot_of
from workbench.support import CompileError, Diagnostic, NodeId

Shape = tuple[int, ...]
_MAIN_THREAD = threading.main_thread().ident
_SEGMENT_SLOTS = 6
_FAILED, _TIMES, _GUARD = 3, 4, 5


@dataclass(frozen=True, slots=True)
class Layout:
    """A program for one binding of its symbols: shapes, bytes and offsets of all values."""

    program: Program
    symbols: Mapping[NodeId, Any]
    shapes: tuple[Shape | None, ...]
    arena_bytes: int
    arena: Mapping[int, int]
    """Offset in the arena, by value."""


def lay_out(program: Program, symbols: Mapping[NodeId, Any]) -> Layout:
    """Shapes and memory of a program for these symbols.

    Raises:
        CompileError: `run/type-mismatch`, `run/negative-dimension`.
    """
    for check in program.checks:
        left, right = evaluate(check.left, symbols), evaluate(check.right, symbols)
        if left != right:
            symbol = f" (`{check.declared}`)" if check.declared else ""
            wanted = f"`{check.declared}`" if check.solved else f"`{right}`{symbol}"
            raise CompileError(
                Diagnostic(
                    "run/type-mismatch",
                    f"{check.what} must be {wanted}, got `{left}`",
                    function=check.place.function,
                    node=check.place.node,
                )
            )
    shapes = tuple(
        None if value.shape is None else extents(value.shape, symbols) for value in program.values
    )
    if program.memory is not None:
        return Layout(program, symbols, shapes, *_as_planned(program, program.memory, shapes))
    lifetimes = _lifetimes(program, shapes)
    memory = place(tuple(lifetimes.values()))
    arena = dict(zip(lifetimes, memory.offsets, strict=True))
    return Layout(program, symbols, shapes, memory.size, arena)


def _as_planned(
    program: Program, plan: PlannedMemory, shapes: Sequence[Shape | None]
) -> tuple[int, dict[int, int]]:
    """Bytes of the arena and offsets in it: what a unit is follows from the sizes of values."""
    units = [1] * len(plan.storages)
    symbolic: set[int] = set()
    for index, spot in plan.spots.items():
        size = _bytes(shapes[index], program.values[index].dtype)
        if spot.size.unit != ONE:
            known = units[spot.storage] if spot.storage in symbolic else 0
            units[spot.storage] = max(known, -(-size // max(1, spot.size.count)))
            symbolic.add(spot.storage)
    starts: list[int] = []
    end = 0
    for (scope, count), unit in zip(plan.storages, units, strict=True):
        starts.append(end)
        if scope == "arena":
            end += -(-count * unit // ALIGNMENT) * ALIGNMENT
    return end, {
        index: starts[spot.storage] + spot.offset * units[spot.storage]
        for index, spot in plan.spots.items()
    }


def _lifetimes(program: Program, shapes: Sequence[Shape | None]) -> dict[int, Lifetime]:
    spans: dict[int, tuple[int, int]] = {}
    for position, step in enumerate(program.steps):
        used = [i for operand in step.operands for i in operand_values(operand)]
        for index in (*used, *step.outputs):
            first, _ = spans.get(index, (position, position))
            spans[index] = first, position
    return {
        index: Lifetime(_bytes(shapes[index], program.values[index].dtype), *spans[index])
        for index in sorted(spans)
        if program.values[index].storage is Storage.ARENA
    }


def _bytes(shape: Shape | None, dtype: str | None) -> int:
    assert shape is not None
    assert dtype is not None
    size = numpy_dtype(dtype).itemsize
    for extent in shape:
        size *= max(0, extent)
    return size


@dataclass(slots=True)
class _Segment:
    """A run of kernel steps that one native call does: steps `start` to `stop`."""

    start: int
    stop: int
    slots: Any
    address: int
    instructions: Any


class Frame:
    """Memory and tables for one call at a time of a laid out program."""

    def __init__(
        self,
        layout: Layout,
        kernels: Mapping[str, Kernel],
        constants: Constants,
        native: NativeRuntime,
        context: Context,
    ) -> None:
        self.layout = layout
        self._kernels = kernels
        self._native = native
        self.context = context
        self._arena = aligned_bytes(layout.arena_bytes)
        values = layout.program.values
        self._values: list[Any] = [None] * len(values)
        self._patches: list[list[tuple[Any, int]]] = [[] for _ in values]
        self._outputs = [
            (i, layout.shapes[i] or (), numpy_dtype(v.dtype or "float32"))
            for i, v in enumerate(values)
            if v.storage is Storage.OUTPUT
        ]
        result = layout.program.result
        self._only_output = (
            result.index
            if isinstance(result, ValueRef) and values[result.index].storage is Storage.OUTPUT
            else None
        )
        self._transient = [
            i for i, v in enumerate(values) if v.storage not in {Storage.ARENA, Storage.CONSTANT}
        ]
        for index, value in enumerate(values):
            if value.storage is Storage.CONSTANT:
                self._values[index] = constants[value.digest]
        self._starts: dict[int, int] = {}
        """Parts of the plan by the position of their first step."""
        self._plan = self._segments()

    # --- tables -------------------------------------------------------------------------------

    def _segments(self) -> list[_Segment | int]:
        """Segments, and positions of the other steps between them."""
        plan: list[_Segment | int] = []
        steps = self.layout.program.steps
        targets = {step.target for step in steps if isinstance(step, JumpStep)}
        position = 0
        while position < len(steps):
            self._starts[position] = len(plan)
            step = steps[position]
            if not isinstance(step, KernelStep):
                self._make_views(step)
                plan.append(position)
                position += 1
                continue
            stop = position + 1
            while stop < len(steps) and stop not in targets and isinstance(steps[stop], KernelStep):
                stop += 1
            plan.append(self._segment(position, stop))
            position = stop
        self._starts[len(steps)] = len(plan)
        return plan

    def _segment(self, start: int, stop: int) -> _Segment:
        instructions = (ctypes.c_int64 * (2 * (stop - start)))()
        keep: list[Any] = [instructions]
        for row, step in enumerate(self.layout.program.steps[start:stop]):
            assert isinstance(step, KernelStep)
            kernel = self._kernels[step.callee]
            arguments = self._arguments(step, kernel)
            keep.append(arguments)
            instructions[2 * row] = kernel.address
            instructions[2 * row + 1] = ctypes.addressof(arguments)
        slots = (ctypes.c_int64 * _SEGMENT_SLOTS)()
        slots[0] = ctypes.addressof(instructions)
        slots[1] = stop - start
        slots[2] = self.context.address
        return _Segment(start, stop, slots, ctypes.addressof(slots), keep)

    def _arguments(self, step: KernelStep, kernel: Kernel) -> Any:  # noqa: ANN401
        signature = kernel.signature
        symbols = self.layout.symbols
        given = [
            evaluate(operand.value, symbols)
            if isinstance(operand, ScalarValue)
            else self._described(operand.index)
            for operand in step.operands
        ]
        try:
            bound = signature.bind(given)
        except CompileError as error:
            raise placed(error, step.place) from None
        slots = (ctypes.c_int64 * (len(given) + len(bound)))()
        for position, (param, operand) in enumerate(
            zip(signature.params, step.operands, strict=True)
        ):
            if isinstance(operand, ScalarValue):
                slots[position] = slot_of(param, given[position])
            else:
                self._point(slots, position, operand.index)
        slots[len(given) :] = bound
        return slots

    def _described(self, index: int) -> tuple[Shape, str]:
        shape = self.layout.shapes[index]
        assert shape is not None
        return shape, self.layout.program.values[index].dtype or ""

    def _point(self, slots: Any, position: int, index: int) -> None:  # noqa: ANN401
        """Let a slot hold the address of a value: now where it is fixed, else at each call."""
        if index in self.layout.arena:
            slots[position] = address_of(self._arena) + self.layout.arena[index]
        elif self.layout.program.values[index].storage is Storage.CONSTANT:
            slots[position] = address_of(self._values[index])
        else:
            self._patches[index].append((slots, position))

    def _make_views(self, step: HostStep | JumpStep) -> None:
        for operand in step.operands:
            for index in operand_values(operand):
                self._view(index)
        for index in step.outputs:
            self._view(index)

    def _view(self, index: int) -> None:
        if index not in self.layout.arena or self._values[index] is not None:
            return
        shape, dtype = self._described(index)
        start = self.layout.arena[index]
        size = _bytes(shape, dtype)
        self._values[index] = (
            self._arena[start : start + size].view(numpy_dtype(dtype)).reshape(shape)
        )

    # --- running ------------------------------------------------------------------------------

    def run(self, inputs: Sequence[tuple[int, Any]], token: CancelToken, times: Any = None) -> Any:  # noqa: ANN401
        """The result for input values by index. `times` gets the seconds of each step.

        Raises:
            KeyboardInterrupt, CompileError: as `raise_for_status` and the host calls do, and
                `run/wrong-result` or `run/type-mismatch`.
        """
        values = self._values
        self.context.use(token)
        for index, value in inputs:
            values[index] = value
            if self._patches[index]:
                self._patch(index, address_of(value))
        for index, shape, dtype in self._outputs:
            fresh = new_array(shape, dtype)
            values[index] = fresh
            self._patch(index, address_of(fresh))
        try:
            if self.layout.program.branches:
                self._run_branches(times)
            else:
                for part in self._plan:
                    self._run_part(part, times)
            if self._only_output is not None:
                return values[self._only_output]
            return self._result(self.layout.program.result, set())
        finally:
            for index in self._transient:
                values[index] = None

    def _run_branches(self, times: list[float] | None) -> None:
        number = 0
        while number < len(self._plan):
            part = self._plan[number]
            step = None if isinstance(part, _Segment) else self.layout.program.steps[part]
            if isinstance(step, JumpStep):
                go_on = any(bool(self._operand(condition)) for condition in step.operands)
                number = number + 1 if go_on else self._starts[step.target]
            else:
                self._run_part(part, times)
                number += 1

    def _run_part(self, part: _Segment | int, times: list[float] | None) -> None:
        if isinstance(part, _Segment):
            self._run_segment(part, times)
        else:
            self._run_host(part, times)

    def _patch(self, index: int, address: int) -> None:
        for slots, position in self._patches[index]:
            slots[position] = address

    def _run_segment(self, segment: _Segment, times: list[float] | None) -> None:
        slots = segment.slots
        slots[_GUARD] = threading.get_ident() == _MAIN_THREAD
        stamps = None
        if times is not None:
            stamps = (ctypes.c_int64 * (segment.stop - segment.start + 1))()
            slots[_TIMES] = ctypes.addressof(stamps)
        status = self._native.run(segment.address)
        if stamps is not None and times is not None:
            slots[_TIMES] = 0
            for row in range(segment.stop - segment.start):
                times[segment.start + row] = (stamps[row + 1] - stamps[row]) * 1e-9
        if status:
            failed: int = slots[_FAILED]
            step = self.layout.program.steps[segment.start + failed]
            assert isinstance(step, KernelStep)
            kernel = self._kernels[step.callee]
            raise_for_status(status, kernel, self.context, step.place)

    def _run_host(self, position: int, times: list[float] | None) -> None:
        step = self.layout.program.steps[position]
        assert isinstance(step, HostStep)
        start = time.perf_counter()
        arguments = [self._operand(operand) for operand in step.operands]
        if step.inner:
            arguments[:0] = self.context, self.layout.symbols
        try:
            returned = step.call(*arguments, *(self._values[i] for i in step.outputs))
            if step.result is not None:
                assert step.type is not None
                self._store(step, step.result, step.type, returned)
        except CompileError as error:
            raise placed(error, step.place, step.called) from error.__cause__
        if times is not None:
            times[position] = time.perf_counter() - start

    def _operand(self, operand: Operand) -> Any:  # noqa: ANN401
        match operand:
            case ValueRef(index=index):
                return self._values[index]
            case TupleOperand(fields=fields):
                return tuple(self._operand(item) for item in fields)
            case ShapeValue(dims=dims):
                return tuple(self._number(dim) for dim in dims)
            case ScalarValue(value=value):
                return self._number(value)
            case StringValue(text=text):
                return text

    def _number(self, dim: Dim) -> Any:  # noqa: ANN401
        return evaluate(dim, self.layout.symbols)

    def _store(self, step: HostStep, result: Operand, type_: Type, returned: Any) -> None:  # noqa: ANN401
        """Keep what a host call returned, once it is what the module says."""
        if isinstance(result, TupleOperand):
            fields = type_.fields if isinstance(type_, TupleType) else ()
            items = tuple(returned) if is_fields(returned) else ()
            if len(items) != len(result.fields):
                wanted = f"a tuple of {len(result.fields)}"
                raise wrong_result(step.checked, wanted, returned, _code(step))
            for part, field, item in zip(result.fields, fields, items, strict=True):
                self._store(step, part, field, item)
            return
        assert isinstance(result, ValueRef)
        if isinstance(type_, TensorType):
            returned = self._checked(step, result.index, type_, returned)
        self._values[result.index] = returned
        if self._patches[result.index]:
            self._patch(result.index, address_of(returned))

    def _checked(self, step: HostStep, index: int, type_: TensorType, returned: Any) -> Array:  # noqa: ANN401
        shape = self.layout.shapes[index]
        array = checked_result(step.checked, returned, type_.dtype, shape, type_.rank, _code(step))
        if any(np.may_share_memory(array, memory) for memory in self._reused()):
            return array.copy()
        return direct(array) if self._patches[index] else array

    def _reused(self) -> Iterator[Array]:
        """Memory that later steps may write."""
        yield self._arena
        for index in self.layout.program.rewritten:
            if self._values[index] is not None:
                yield self._values[index]

    def _result(self, operand: Operand, given: set[int]) -> Any:  # noqa: ANN401
        """What the caller gets: arrays of its own, even where the function returns a parameter."""
        if isinstance(operand, TupleOperand):
            return tuple(self._result(item, given) for item in operand.fields)
        found = self._operand(operand)
        if isinstance(operand, ValueRef) and is_array(found):
            storage = self.layout.program.values[operand.index].storage
            fresh = storage is Storage.OUTPUT and operand.index not in given
            given.add(operand.index)
            return found if fresh else found.copy()
        return found


def _code(step: HostStep) -> str:
    """The code of the fault that a call gave something else than its type says."""
    return "run/type-mismatch" if step.kind is HostKind.CONTROL else "run/wrong-result"
