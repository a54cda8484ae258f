"""The executable: a module that runs."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from workbench.interpret import copied, has_library_calls, out_of_memory
from workbench.ir import GraphFunction, IRModule, TensorFunction
from workbench.runtime.arguments import Parameters, in_order, input_values
from workbench.runtime.arrays import is_array, is_fields
from workbench.runtime.context import CancelToken, Context
from workbench.runtime.direct_calls import DirectCall
from workbench.runtime.frames import Frame, Layout, lay_out
from workbench.runtime.kernels import Kernel
from workbench.runtime.program import Program
from workbench.runtime.report import BuildReport, Profile, Timing
from workbench.runtime.stepwise import Activation, Machine
from workbench.runtime.thread_pool import ThreadPool
from workbench.support import CompileError, Diagnostic, NodeId
from workbench.support.kinds import methods_check_kinds, wrong_arguments

MAX_LAYOUTS = 16
"""Bindings of symbolic dimensions whose memory plans are kept, for each function."""


@methods_check_kinds()
class Executable:
    """A built module. Call it with arrays; calls from several threads are allowed.

    `report` says how many calls are compiled, library and reference, and what building took.
    Reference: `tvm.relax.VirtualMachine`.
    """

    def __init__(
        self,
        module: IRModule,
        machine: Machine,
        programs: Mapping[str, Program | None],
        pool: ThreadPool,
        helpers: int,
        report: BuildReport,
    ) -> None:
        self.module = module
        self.report = report
        self._machine = machine
        self._pool = pool
        self._helpers = helpers
        self._functions = {
            name: _Function(name, function, programs[name], self)
            for name, function in machine.module.graph_functions.items()
        }
        self._direct: dict[str, DirectCall] = {}
        self._contexts: list[Context] = []
        self._running: set[CancelToken] = set()

    # --- running ------------------------------------------------------------------------------

    def __call__(
        self,
        *arrays: Any,  # noqa: ANN401
        function: str = "main",
        cancel: CancelToken | None = None,
        **named: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """The result of a graph function: fresh numpy arrays, tuples of them for tuples.

        Arguments are given in the order of the parameters, or by their names.

        Arguments are numpy arrays or anything with DLPack; row-major ones of the right dtype are
        not copied (others are, with a warning), and torch takes the results without a copy:
        `torch.from_dlpack(result)`, of bfloat16 (which numpy's DLPack lacks)
        `torch.from_dlpack(result.view("uint16")).view(torch.bfloat16)`.

        A tensor function is called in destination-passing style, its
        outputs are arguments, and gives None. `cancel` stops the call from another thread.

        Raises:
            CompileError: `run/wrong-argument`, `run/overlapping-arguments`, `run/out-of-memory`,
                `run/out-of-bounds`, `library/raised` and the like.
            KeyboardInterrupt: SIGINT came while native code ran.
        """
        if named or cancel is not None or type(function) is not str:
            arrays = self._in_order(function, arrays, named, cancel)
        token = cancel or CancelToken()
        self._running.add(token)
        try:
            found = self._functions.get(function)
            if found is not None:
                return found.call(arrays, token, say_copies=True)
            self._call_directly(function, arrays, token)
        finally:
            self._running.discard(token)
        return None

    def _in_order(
        self, function: str, arrays: Sequence[Any], named: Mapping[str, Any], cancel: object
    ) -> tuple[Any, ...]:
        wrong = wrong_arguments(
            "Executable", function=(function, str), cancel=(cancel, CancelToken | None)
        )
        if wrong:
            raise CompileError(wrong)
        if not named:
            return tuple(arrays)
        return tuple(in_order(function, self.module[function].params, arrays, named))

    def _call_directly(self, function: str, arrays: Sequence[Any], token: CancelToken) -> None:
        call = self._tensor_function(function)
        try:
            context = self._contexts.pop()
            context.use(token)
        except IndexError:
            context = self.context(token)
        try:
            call.call(arrays, context)
        finally:
            self._contexts.append(context)

    def cancel(self) -> None:
        """Stop all calls that run now; they raise `Cancelled`."""
        for token in tuple(self._running):
            token.cancel()

    def values(
        self,
        arrays: Sequence[Any],
        given: Mapping[NodeId, Any] | None = None,
        function: str = "main",
        cancel: CancelToken | None = None,
    ) -> dict[NodeId, Any]:
        """Parameters and every binding that ran, by id; branches that ran included.

        Bindings in `given` take those values instead of being computed.

        Raises:
            CompileError: as a call, and `run/not-a-graph-function`.
        """
        return self._activation(arrays, given or {}, function, cancel)

    def profile(
        self,
        arrays: Sequence[Any],
        repeats: int = 10,
        function: str = "main",
        cancel: CancelToken | None = None,
    ) -> Profile:
        """Seconds of each binding and of whole calls, over `repeats` runs after one that warms up.

        Raises:
            CompileError: as a call, and `run/not-a-graph-function`.
        """
        found = self._graph_function(function)
        token = cancel or CancelToken()
        found.call(arrays, token)
        totals: list[float] = []
        bindings: dict[NodeId, list[float]] = {}
        for _ in range(max(1, repeats)):
            start = time.perf_counter()
            found.call(arrays, token)
            totals.append(time.perf_counter() - start)
            for node, seconds in found.timed(arrays, token).items():
                bindings.setdefault(node, []).append(seconds)
        timings = {node: Timing.of(samples) for node, samples in bindings.items()}
        return Profile(function, timings, Timing.of(totals))

    def binding_seconds(
        self,
        arrays: Sequence[Any],
        function: str = "main",
        cancel: CancelToken | None = None,
    ) -> dict[NodeId, float]:
        """Seconds of each binding in one run, where several would take too long.

        Raises:
            CompileError: as a call, and `run/not-a-graph-function`.
        """
        return dict(self._graph_function(function).timed(arrays, cancel or CancelToken()))

    def intermediate_bytes(self, arrays: Sequence[Any], function: str = "main") -> int:
        """Bytes that a call with such arguments holds for values that it does not return.

        What the numpy references of operators and library functions allocate is not counted; 0
        where the function runs binding by binding.

        Raises:
            CompileError: as a call, and `run/not-a-graph-function`.
        """
        return self._graph_function(function).intermediate_bytes(arrays)

    def follows_plan(self, function: str = "main") -> bool:
        """Whether a graph function follows the memory plan in its attributes.

        Raises:
            CompileError: `run/not-a-graph-function`.
        """
        return self._graph_function(function).follows_plan

    def __repr__(self) -> str:
        names = ", ".join(self._functions) or "no graph function"
        report = self.report
        compiled, others = report.compiled, (report.library, report.reference)
        calls = f"{compiled} calls compiled, {others[0]} in libraries, {others[1]} in numpy"
        return f"Executable {self.module.name!r}: {names}; {calls}"

    # --- looking inside -----------------------------------------------------------------------

    @property
    def kernels(self) -> tuple[str, ...]:
        """Names of the tensor functions that are compiled, those that building made included."""
        return tuple(self._machine.kernels)

    def llvm(self, name: str) -> str:
        """The LLVM text of a tensor function.

        Raises:
            CompileError: `module/unknown-function`.
        """
        return self._kernel(name).code().llvm

    def assembly(self, name: str) -> str:
        """The assembly of a tensor function.

        Raises:
            CompileError: `module/unknown-function`.
        """
        return self._kernel(name).assembly()

    # --- parts --------------------------------------------------------------------------------

    def context(self, token: CancelToken) -> Context:
        """A context for one call."""
        context = Context(self._machine.native, self._pool, self._helpers)
        context.use(token)
        return context

    @property
    def machine(self) -> Machine:
        """What the calls of this executable share."""
        return self._machine

    def _kernel(self, name: str) -> Kernel:
        kernel = self._machine.kernels.get(name)
        if kernel is None:
            self._machine.module[name]  # says what there is
            raise CompileError(
                Diagnostic("build/not-compiled", f"`{name}` has no native code of its own")
            )
        return kernel

    def _graph_function(self, name: str) -> _Function:
        found = self._functions.get(name)
        if found is None:
            self._machine.module[name]
            raise CompileError(
                Diagnostic("run/not-a-graph-function", f"`{name}` is a tensor function")
            )
        return found

    def _tensor_function(self, name: str) -> DirectCall:
        found = self._direct.get(name)
        if found is None:
            function = self._machine.module[name]
            assert isinstance(function, TensorFunction)
            found = DirectCall(self._kernel(name), self._machine.native)
            self._direct[name] = found
        return found

    def _activation(
        self,
        arrays: Sequence[Any],
        given: Mapping[NodeId, Any],
        function: str,
        cancel: CancelToken | None,
    ) -> dict[NodeId, Any]:
        """The values of a run as they were when they were bound."""
        found = self._graph_function(function)
        token = cancel or CancelToken()
        seen: dict[NodeId, Any] = {}
        writes = has_library_calls(self.module)
        self._running.add(token)
        try:
            arguments, _ = found.parameters.check(arrays)
            Activation(
                self._machine,
                self.context(token),
                function,
                given=given,
                seen=seen,
                copies=writes,
            ).call([copied(argument) for argument in arguments] if writes else arguments)
        finally:
            self._running.discard(token)
        return seen


class _Function:
    """A graph function of an executable: its program, and frames by the shapes that were seen."""

    def __init__(
        self, name: str, function: GraphFunction, program: Program | None, owner: Executable
    ) -> None:
        self.name = name
        self.parameters = Parameters(name, function.params)
        self._program = program
        self._owner = owner
        self._frames: OrderedDict[tuple[Any, ...], list[Frame]] = OrderedDict()
        self._layouts: dict[tuple[Any, ...], Layout] = {}
        self._lock = threading.Lock()

    def call(self, arrays: Sequence[Any], token: CancelToken, *, say_copies: bool = False) -> Any:  # noqa: ANN401
        arguments, symbols = self.parameters.check(arrays, say_copies=say_copies)
        if self._program is None:
            return self._stepwise(arguments, token)[0]
        key = tuple(symbols.values())
        frame = self._take(key, symbols)
        if frame is None:
            return self._stepwise(arguments, token)[0]
        try:
            return frame.run(input_values(self._program, arguments), token)
        finally:
            self._frames.get(key, []).append(frame)

    def timed(self, arrays: Sequence[Any], token: CancelToken) -> dict[NodeId, float]:
        """Seconds of each binding in one run."""
        arguments, symbols = self.parameters.check(arrays)
        program = self._program
        if program is None:
            return self._stepwise(arguments, token)[1].seconds
        key = tuple(symbols.values())
        frame = self._take(key, symbols)
        if frame is None:
            return self._stepwise(arguments, token)[1].seconds
        times = [0.0] * len(program.steps)
        frame.run(input_values(program, arguments), token, times)
        self._frames.get(key, []).append(frame)
        seconds: dict[NodeId, float] = {}
        for step, took in zip(program.steps, times, strict=True):
            seconds[step.place.root] = seconds.get(step.place.root, 0.0) + took
        return seconds

    @property
    def follows_plan(self) -> bool:
        """Whether its program lies where a memory plan says."""
        return self._program is not None and self._program.memory is not None

    def intermediate_bytes(self, arrays: Sequence[Any]) -> int:
        """Bytes of the arena of a call with these arguments."""
        _, symbols = self.parameters.check(arrays)
        if self._program is None:
            return 0
        try:
            return self._layout(tuple(symbols.values()), symbols).arena_bytes
        except CompileError:
            if self._program.branches:
                return 0  # as in `_take`
            raise

    def _take(self, key: tuple[Any, ...], symbols: Mapping[NodeId, Any]) -> Frame | None:
        """A frame; None where something does not fit that may stand in a branch which is not run.

        Then the function runs binding by binding, which finds out.
        """
        free = self._frames.get(key)
        if free:
            try:
                return free.pop()
            except IndexError:  # another thread was faster
                pass
        try:
            return self._new_frame(key, symbols)
        except CompileError:
            if self._program is not None and self._program.branches:
                return None
            raise

    def _new_frame(self, key: tuple[Any, ...], symbols: Mapping[NodeId, Any]) -> Frame:
        machine = self._owner.machine
        layout = self._layout(key, symbols)
        context = self._owner.context(CancelToken())
        try:
            return Frame(layout, machine.kernels, machine.constants, machine.native, context)
        except CompileError as error:
            if isinstance(error.__cause__, MemoryError | ValueError):
                what = f"a call of `{self.name}`, for values that it does not return,"
                raise out_of_memory(what, layout.arena_bytes) from error.__cause__
            raise

    def _layout(self, key: tuple[Any, ...], symbols: Mapping[NodeId, Any]) -> Layout:
        assert self._program is not None
        with self._lock:
            layout = self._layouts.get(key)
            if layout is None:
                layout = lay_out(self._program, dict(symbols))
                self._layouts[key] = layout
                self._frames[key] = []
                while len(self._layouts) > MAX_LAYOUTS:
                    oldest, _ = self._frames.popitem(last=False)
                    del self._layouts[oldest]
        return layout

    def _stepwise(self, arguments: Sequence[Any], token: CancelToken) -> tuple[Any, Activation]:
        activation = Activation(self._owner.machine, self._owner.context(token), self.name)
        return _own(activation.call(arguments), activation.outputs, set()), activation


def _own(result: Any, outputs: Mapping[int, Any], given: set[int]) -> Any:  # noqa: ANN401
    """The result with copies of arrays that are not the caller's alone.

    `outputs` are arrays that were allocated for this call, by identity: a library may keep what it
    returns. `given` are those that the result has already.
    """
    if is_fields(result):
        return tuple(_own(item, outputs, given) for item in result)
    if not is_array(result):
        return result
    fresh = outputs.get(id(result)) is result and id(result) not in given
    given.add(id(result))
    return result if fresh else result.copy()
