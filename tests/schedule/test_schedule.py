from __future__ import annotations

import numpy as np
import pytest

from tests.schedule import programs
from tests.schedule.test_default import arrays_of
from workbench.interpret import run_tensor_function
from workbench.ir import For, LoopKind, TensorFunction, walk
from workbench.schedule.schedule import Schedule
from workbench.script import parse
from workbench.support import CompileError


def assert_same(a: TensorFunction, b: TensorFunction, rng: np.random.Generator) -> None:
    arrays = arrays_of(a, rng)
    expected, found = [x.copy() for x in arrays], [x.copy() for x in arrays]
    run_tensor_function(a, expected)
    run_tensor_function(b, found)
    np.testing.assert_allclose(found[-1], expected[-1], rtol=1e-5, atol=1e-5)


def code_of(error: pytest.ExceptionInfo[CompileError]) -> str:
    return error.value.diagnostics[0].code


@pytest.mark.parametrize("factors", [[None, 4], [2, None], [None, 2, 3], [7, 2], [16, 1]])
def test_split_keeps_the_values(factors: list[int | None], rng: np.random.Generator) -> None:
    function = programs.matmul(13, 10, 5)
    sch = Schedule(function)
    i, _, k = sch.get_loops("matmul")
    sch.split(i, factors)
    sch.split(k, [None, 2])
    assert len(sch.get_loops("matmul")) == len(factors) + 3
    assert_same(function, sch.tensor_function, rng)


def test_a_tiled_matmul_keeps_the_values(rng: np.random.Generator) -> None:
    function = programs.matmul(13, 20, 6)
    sch = Schedule(function)
    i, j, k = sch.get_loops("matmul")
    i0, i1 = sch.split(i, [None, 4])
    j0, j1 = sch.split(j, [None, 8])
    sch.reorder(i0, j0, k, i1, j1)
    sch.parallel(i0)
    sch.unroll(i1)
    sch.vectorize(j1)
    assert [loop.name for loop in sch.get_loops("matmul")] == [
        i0.name,
        j0.name,
        k.name,
        i1.name,
        j1.name,
    ]
    kinds = [n.kind for n in walk(sch.tensor_function.body) if isinstance(n, For)]
    assert kinds == [
        LoopKind.PARALLEL,
        LoopKind.SERIAL,
        LoopKind.SERIAL,
        LoopKind.UNROLLED,
        LoopKind.VECTORIZED,
    ]
    assert_same(function, sch.tensor_function, rng)
    assert len(sch.trace) == 6


@pytest.mark.parametrize("kind", ["parallel", "vectorize"])
def test_a_reduction_loop_is_refused_with_the_reason(kind: str) -> None:
    sch = Schedule(programs.matmul(4, 4, 4))
    before = sch.tensor_function
    with pytest.raises(CompileError) as error:
        getattr(sch, kind)(sch.get_loops("matmul")[2])
    assert code_of(error) == "schedule/illegal"
    assert "that another one writes" in error.value.diagnostics[0].message
    assert "rfactor" in error.value.diagnostics[0].hint
    assert sch.tensor_function is before


def test_what_is_wrong_is_said() -> None:
    sch = Schedule(programs.matmul(4, 4, 4))
    i, j, _ = sch.get_loops("matmul")
    sch.split(i, [None, 2])
    for action, code in (
        (lambda: sch.split(i, [None, 2]), "schedule/no-such-loop"),
        (lambda: sch.split(j, [None, 0]), "schedule/bad-factor"),
        (lambda: sch.split(j, [2, 1]), "schedule/bad-factor"),
        (lambda: sch.reorder(j, j), "schedule/bad-loops"),
        (lambda: sch.get_block("nothing"), "schedule/no-such-block"),
    ):
        with pytest.raises(CompileError) as error:
            action()
        assert code_of(error) == code
    before = sch.tensor_function
    sch.reorder()
    assert sch.tensor_function is before


@pytest.mark.parametrize(
    ("name", "code"),
    [
        (None, "schedule/which-function"),
        ("main", "schedule/which-function"),
        ("nothing", "module/unknown-function"),
    ],
)
def test_only_a_tensor_function_is_scheduled(name: str | None, code: str) -> None:
    module = parse("@R.function\ndef main(x: R.Tensor((4,), 'float32')):\n    return x\n")
    with pytest.raises(CompileError) as error:
        Schedule(module, name)
    assert code_of(error) == code
