"""ScheduleDefault: tile, vectorise and run in parallel the loops of every tensor function.

Rewrite::

    lv0 = R.call_tir(cls.matmul, (x, w))
    # matmul: for i, j, k in T.grid(64, 64, 64): C[i, j] += A[i, k] * B[k, j]
    =>
    lv0 = R.call_tir(cls.matmul_scheduled, (x, w))
    # matmul stays as the algorithm of matmul_scheduled:
    for i_0 in T.parallel(16):
        for j_0 in range(3):
            C_local[...] = 0
            for k in range(64): C_local[...] += A[...] * B[...]   # unrolled, vectors
            C[...] = C_local[...]
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

from typing_extensions import override

from workbench.ir import CallTIR, CallTIRInplace, IRModule, TensorFunction
from workbench.passes.scheduled import add_scheduled, scheduled_form
from workbench.rewrite import ModuleEditor, Refusal, Rule, Site, all_bindings, note
from workbench.schedule.cpu.default import ScheduleOptions, schedule_function
from workbench.support import NodeId
from workbench.support.limits import as_in


@dataclass(frozen=True)
class ScheduleDefault(Rule):
    """Give tensor functions the default CPU schedule.

    `lanes` is the number of float32 elements of a vector; `rows` and `vectors` force a register
    tile (0 chooses one). Sums are reassociated. Reference: `tvm.s_tir.dlight`.
    """

    name: ClassVar[str] = "schedule-default"
    absent: ClassVar[str] = "no tensor function is called; legalize first"
    lanes: int = as_in(ScheduleOptions, "lanes")
    rows: int = as_in(ScheduleOptions, "rows")
    vectors: int = as_in(ScheduleOptions, "vectors")
    parallel: bool = as_in(ScheduleOptions, "parallel")

    @override
    def sites(self, module: IRModule) -> Iterator[Site | Refusal]:
        functions = module.tensor_functions
        called: set[str] = set()
        for name, function in module.graph_functions.items():
            for binding in all_bindings(function):
                call = binding.value
                if isinstance(call, CallTIR | CallTIRInplace) and call.callee in functions:
                    callee = call.callee
                    called.add(callee)
                    yield self._judge(name, binding.var.id, callee, functions[callee])
        for name, function in functions.items():
            if name not in called and not function.private:
                yield self._judge(name, NodeId(-1), name, function)

    def _judge(
        self, function: str, value: NodeId, callee: str, called: TensorFunction
    ) -> Site | Refusal:
        scheduled = schedule_function(called, self.options)
        if isinstance(scheduled, str):
            return note("schedule/not-scheduled", f"`{callee}`: {scheduled}", function, value)
        return Site(function, (value,), f"`{callee}`")

    @override
    def rewrite(self, site: Site, editor: ModuleEditor) -> None:
        binding = editor.binding(site.function, site.nodes[0])
        if binding is None:
            function = editor.function(site.function)
            assert isinstance(function, TensorFunction)
            editor.set_function(site.function, scheduled_form(function, self.options))
            return
        call = binding.value
        assert isinstance(call, CallTIR | CallTIRInplace)
        name = add_scheduled(editor, call.callee, self.options)
        editor.replace_value(site.function, site.nodes[0], replace(call, callee=name), self.name)

    @cached_property
    def options(self) -> ScheduleOptions:
        """The parameters as the schedule takes them."""
        return ScheduleOptions(self.lanes, self.rows, self.vectors, self.parallel)
