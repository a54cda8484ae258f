"""Effects keep their order through every pass; branches and recursion survive."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from tests.generate.choices import Seeded
from tests.generate.sequences import MAKERS, Sequence, apply_step, check_sequence
from workbench.interpret import run
from workbench.ir import IRModule, LibraryFunction, register_library
from workbench.ir.verify import verify
from workbench.passes import (
    BUILTIN_PASSES,
    EliminateDeadCode,
    FuseOps,
    FuseTensorFunctions,
    LegalizeOps,
    Pass,
    ScheduleDefault,
)

LOG: list[tuple[str, float]] = []


def note_down(x: np.ndarray) -> np.ndarray:
    LOG.append(("noted", float(x.sum())))
    return x


def send(x: np.ndarray) -> np.ndarray:
    LOG.append(("sent", float(x.sum())))
    return x


for symbol, function in (("test.effects.note", note_down), ("test.effects.send", send)):
    register_library(LibraryFunction(symbol, function, "test"))

PROGRAM = """
@I.ir_module
class Program:
    @R.function(private=True, pure=False)
    def down(n: R.Tensor((), "float32")) -> R.Tensor((), "float32"):
        cls = Program
        again = R.greater(n, R.const(0.5, "float32"))
        if again:
            u = R.call_packed("test.effects.note", n, ty_args=(R.Tensor((), "float32"),))
            m = R.subtract(n, R.const(1.0, "float32"))
            r = cls.down(m)
        else:
            r = R.negative(n)
        return r

    @R.function(private=True, pure=False)
    def tell(p: R.Tensor((4,), "float32")) -> R.Tensor((4,), "float32"):
        q = R.exp(p)
        s = R.call_packed("test.effects.send", q, ty_args=(R.Tensor((4,), "float32"),))
        return q

    @R.function(pure=False)
    def main(x: R.Tensor((4,), "float32"), n: R.Tensor((), "float32"), c: R.Tensor((), "bool")):
        cls = Program
        with R.dataflow():
            a = R.exp(x)
            b = R.negative(a)
            R.output(a, b)
        s1 = R.call_packed("test.effects.send", b, ty_args=(R.Tensor((4,), "float32"),))
        n1 = R.call_packed("test.effects.note", a, ty_args=(R.Tensor((4,), "float32"),))
        s2 = R.call_packed("test.effects.send", b, ty_args=(R.Tensor((4,), "float32"),))
        with R.dataflow():
            d = R.exp(x)
            e = R.nn.relu(d)
            R.output(e)
        if c:
            n2 = R.call_packed("test.effects.note", e, ty_args=(R.Tensor((4,), "float32"),))
            f = cls.tell(e)
        else:
            s3 = R.call_packed("test.effects.send", x, ty_args=(R.Tensor((4,), "float32"),))
            f = R.negative(e)
        k = cls.down(n)
        unread = cls.tell(b)
        with R.dataflow():
            g = R.add(f, k)
            y = R.nn.relu(g)
            R.output(y)
        n3 = R.call_packed("test.effects.note", y, ty_args=(R.Tensor((4,), "float32"),))
        return y
"""

CONDITIONS = (True, False)
DEEP = 3


def program() -> IRModule:
    module = wb.parse(PROGRAM)
    assert verify(module) == ()
    return module


def arguments(condition: bool) -> list[np.ndarray]:
    x = np.array([0.5, -1.0, 2.0, 0.25], "float32")
    return [x, np.array(DEEP, "float32"), np.array(condition)]


def sequence_of(module: IRModule, condition: bool) -> Sequence:
    params = module.graph_functions["main"].params
    pairs = zip(params, arguments(condition), strict=True)
    return Sequence(module, {param.id: array for param, array in pairs})


def trace(module: IRModule, given: list[np.ndarray], *, built: bool) -> list[tuple[str, float]]:
    """What the effects saw, in order."""
    LOG.clear()
    (wb.build(module) if built else lambda *arrays: run(module, *arrays))(*given)
    return list(LOG)


def same_trace(found: list[tuple[str, float]], expected: list[tuple[str, float]]) -> None:
    assert [name for name, _ in found] == [name for name, _ in expected]
    np.testing.assert_allclose([v for _, v in found], [v for _, v in expected], rtol=1e-5)


def test_the_program_has_effects_in_order() -> None:
    kinds = {True: ["noted", "sent"], False: ["sent"]}
    for condition in CONDITIONS:
        found = [name for name, _ in trace(program(), arguments(condition), built=False)]
        before, after = ["sent", "noted", "sent"], ["noted"] * DEEP + ["sent", "noted"]
        assert found == [*before, *kinds[condition], *after]


def every_pass() -> list[tuple[str, Pass | None]]:
    return [(kind.__name__, None if kind in MAKERS else kind()) for kind in BUILTIN_PASSES]


@pytest.mark.parametrize(("name", "step"), every_pass(), ids=[name for name, _ in every_pass()])
@pytest.mark.parametrize("lowered", [False, True])
def test_each_pass_keeps_effects(name: str, step: Pass | None, lowered: bool) -> None:
    kind = next(kind for kind in BUILTIN_PASSES if kind.__name__ == name)
    for condition in CONDITIONS:
        expected = trace(program(), arguments(condition), built=False)
        for seed in range(1 if step else 4):
            sequence = sequence_of(program(), condition)
            if lowered:
                apply_step(LegalizeOps(), sequence)
            made = step or MAKERS[kind](Seeded(seed), sequence)
            if made is not None:
                apply_step(made, sequence)
            assert verify(sequence.module) == ()
            same_trace(trace(sequence.module, sequence.given(), built=False), expected)
            same_trace(trace(sequence.module, sequence.given(), built=True), expected)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_the_pipeline_keeps_effects(condition: bool) -> None:
    module, given = program(), arguments(condition)
    expected = trace(module, given, built=False)
    for step in (LegalizeOps(), FuseOps(), FuseTensorFunctions(), ScheduleDefault()):
        module = step(module).module
    module = EliminateDeadCode()(module).module
    same_trace(trace(module, given, built=True), expected)


@pytest.mark.parametrize("seed", range(25))
def test_random_passes_keep_effects(seed: int) -> None:
    condition = bool(seed % 2)
    expected = trace(program(), arguments(condition), built=False)
    sequence = sequence_of(program(), condition)
    check_sequence(Seeded(seed), sequence, 12, f"seed {seed}")
    same_trace(trace(sequence.module, sequence.given(), built=False), expected)
    same_trace(trace(sequence.module, sequence.given(), built=True), expected)
