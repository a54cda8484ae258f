from __future__ import annotations

import pytest

from tests.schedule import scripts
from tests.schedule.checks import answered, applied
from workbench.analysis.dependence import AnswerKind
from workbench.schedule import Schedule
from workbench.schedule.primitives.cache_read import CacheRead
from workbench.schedule.primitives.set_scope import SetScope
from workbench.script import parse
from workbench.support import CompileError

LOCAL = """
@T.prim_func
def f(A: T.Buffer((6,), "float32"), B: T.Buffer((6,), "float32")):
    for i in range(6):
        with T.sblock("outer"):
            vi = T.axis.spatial(6, i)
            t = T.sblock_alloc_buffer((1,), "float32")
            with T.sblock("t"):
                t[0] = A[vi] * T.float32(2)
            with T.sblock("B"):
                B[vi] = t[0] + A[vi]
"""


def test_the_buffer_of_the_function_gets_the_scope_everywhere() -> None:
    module = applied(parse(scripts.MATMUL), CacheRead(block="C"))
    step = SetScope(block="A_global", buffer_index=0, storage_scope="local")
    after = applied(module, step)
    assert 'A_global = T.sblock_alloc_buffer((6, 5), "float32", scope="local")' in after.script()
    assert step.run(module).remarks[0].message.startswith("on a CPU all scopes are plain memory")


def test_a_buffer_of_a_block() -> None:
    step = SetScope(block="t", buffer_index="t", storage_scope="shared")
    assert (
        't = T.sblock_alloc_buffer((1,), "float32", scope="shared")'
        in applied(parse(LOCAL), step).script()
    )


def test_a_parameter_is_inapplicable() -> None:
    answer = answered(parse(LOCAL), SetScope(block="B", buffer_index="B", storage_scope="local"))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == "`B` is a parameter: it lives where the caller put it"


def test_a_scope_that_is_no_name() -> None:
    with pytest.raises(CompileError) as error:
        answered(parse(LOCAL), SetScope(block="t", storage_scope=""))
    assert error.value.diagnostics[0].code == "schedule/bad-storage-scope"


def test_the_method() -> None:
    schedule = Schedule(parse(LOCAL))
    schedule.set_scope(schedule.get_block("t"), 0, "local")
    assert 'scope="local"' in schedule.module.script()
    again = Schedule(parse(LOCAL))
    exec(schedule.trace.python(), {"sch": again})
    assert again.module.script() == schedule.module.script()
