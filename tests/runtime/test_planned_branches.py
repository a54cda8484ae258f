"""Functions with branches as programs: both arms in one memory, one of which runs."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.generate import Seeded
from tests.generate.branches import random_branches
from workbench.interpret import run
from workbench.ir import IRModule
from workbench.ir.verify import verify
from workbench.passes import LegalizeOps, PlanMemory
from workbench.runtime import Executable, build
from workbench.script import parse
from workbench.support import CompileError


def arrays(seed: int) -> list[NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(2, 3)).astype("float32") for _ in range(2)]


def assert_same(executable: Executable, module: IRModule, *arguments: NDArray[Any]) -> None:
    for found, expected in zip(executable(*arguments), run(module, *arguments), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("seed", range(24))
def test_all_paths_give_what_the_interpreter_gives(seed: int) -> None:
    module = random_branches(Seeded(1000 + seed), ("2", '"n"')[seed % 2])
    planned = PlanMemory()(module).module
    assert verify(planned) == ()
    followed, plain = build(planned), build(module)
    assert followed.follows_plan()
    assert followed.report.notes == ()
    assert followed.report.stepwise == plain.report.stepwise == ()
    given = arrays(seed)
    kept = [array.copy() for array in given]
    for flags in product([np.array(False), np.array(True)], repeat=3):
        for executable in (followed, plain):
            assert_same(executable, module, *given, *flags)
    for before, after in zip(kept, given, strict=True):
        np.testing.assert_array_equal(before, after)


def module_of(body: str, params: str = 'x: R.Tensor(("n", 4), "float32")') -> IRModule:
    flag = 'p: R.Tensor((), "bool")'
    return parse(f"@R.function\ndef main({params}, {flag}):\n{body}")


def raised(call: Callable[[], object]) -> str:
    with pytest.raises(CompileError) as error:
        call()
    return error.value.diagnostics[0].code


YES, NO = np.array(True), np.array(False)

CHECKED = """
    if p:
        a = R.match_cast(x, R.Tensor((3, 4), "float32"))
        b = R.exp(a)
        y = R.sum(b, axis=0)
    else:
        y = R.max(x, axis=0)
    return y
"""


def test_a_check_in_a_branch_that_does_not_run_is_no_fault() -> None:
    executable = build(module_of(CHECKED))
    three, five = np.ones((3, 4), "float32"), np.ones((5, 4), "float32")
    np.testing.assert_allclose(executable(three, YES), np.exp(three).sum(0), rtol=1e-6)
    np.testing.assert_allclose(executable(three, NO), three[0])
    np.testing.assert_allclose(executable(five, NO), five[0])
    assert raised(lambda: executable(five, YES)) == "run/type-mismatch"
    assert executable.intermediate_bytes([five, NO]) == 0


def test_a_dimension_that_is_negative_in_the_other_branch_is_no_fault() -> None:
    executable = build(
        module_of("""
    if p:
        a = R.strided_slice(x, axes=[0], begin=[2], end=[1000])
        b = R.sum(a, axis=0)
        y = b
    else:
        y = R.sum(x, axis=0)
    return y
""")
    )
    one = np.ones((1, 4), "float32")
    np.testing.assert_allclose(executable(one, NO), one[0])
    np.testing.assert_allclose(executable(np.ones((5, 4), "float32"), YES), 3 * one[0])


BRANCHES = """
    a = R.exp(x)
    if p:
        b = R.sin(a)
        c = R.cos(b)
        y = c
    else:
        d = R.tanh(a)
        y = d
    z = R.add(y, x)
    return z
"""


def test_branches_compute_in_the_memory_of_the_result() -> None:
    """One array, the result: `a` and what both arms give lie there one after the other."""
    module = LegalizeOps()(module_of(BRANCHES)).module
    x = np.ones((8, 4), "float32")
    planned = build(PlanMemory()(module).module)
    assert planned.report.notes == ()
    assert planned.follows_plan()
    assert planned.intermediate_bytes([x, YES]) == 0
    assert build(module).intermediate_bytes([x, YES]) > 0
    for flag in (YES, NO):
        np.testing.assert_allclose(planned(x, flag), run(module, x, flag), rtol=1e-6)


def test_steps_of_a_branch_are_timed_at_the_branch() -> None:
    module = module_of(BRANCHES)
    x = np.ones((64, 4), "float32")
    profile = build(module).profile([x, YES], repeats=2)
    main = module.graph_functions["main"]
    assert set(profile.bindings) == {binding.var.id for binding in main.bindings}
    assert all(timing.median > 0 for timing in profile.bindings.values())
