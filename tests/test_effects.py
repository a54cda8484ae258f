"""Effects keep their order through every pass; branches and recursion survive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

import workbench as wb
from tests.generate import random_module
from tests.generate.choices import Choices, Seeded, chance
from tests.generate.sequences import MAKERS, Sequence, apply_step, check_sequence, start
from workbench.interpret import run
from workbench.ir import (
    Binding,
    BindingBlock,
    CallPacked,
    IfThenElse,
    IRModule,
    LibraryFunction,
    PackedStyle,
    TensorType,
    Var,
    register_library,
    walk,
)
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
from workbench.support import IdSource, NodeId

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


# --- generated modules ---------------------------------------------------------------------------


def look(x: np.ndarray) -> np.ndarray:
    LOG.append((f"looked {x.dtype} {x.shape}", float(np.abs(x.astype("float64")).max(initial=0))))
    return x


register_library(LibraryFunction("test.effects.look", look, "test"))


def with_effects(choices: Choices, module: IRModule) -> IRModule:
    """The module with effects between the values of `main`, and inside its branches."""
    main = module.graph_functions["main"]
    ids = IdSource(main.next_id)
    blocks = tuple(_watched(choices, ids, main.blocks))
    made = replace(main, blocks=blocks, pure=False, next_id=ids.next)
    return module.with_function("main", made)


def _watched(
    choices: Choices, ids: IdSource, blocks: tuple[BindingBlock, ...]
) -> Iterator[BindingBlock]:
    for block in blocks:
        for binding in block.bindings:
            value = binding.value
            if isinstance(value, IfThenElse):
                then, otherwise = (
                    replace(body, blocks=tuple(_watched(choices, ids, body.blocks)))
                    for body in (value.then, value.otherwise)
                )
                value = replace(value, then=then, otherwise=otherwise)
            kept = (binding.var.id,) if block.dataflow else ()
            yield BindingBlock((replace(binding, value=value),), block.dataflow, kept)
            type_ = binding.var.type
            if isinstance(type_, TensorType) and chance(choices, 2):
                call = CallPacked("test.effects.look", (binding.var,), (type_,), PackedStyle.EFFECT)
                seen = Var(ids.new(), "seen", type_)
                yield BindingBlock((Binding(seen, call),))


def effect_sequence(seed: int) -> tuple[Seeded, Sequence, list[tuple[str, float]]]:
    """A generated module with effects, its arguments, and what its effects see."""
    choices = Seeded(seed)
    generated = random_module(choices, steps=8)
    module = with_effects(choices, generated.module)
    assert verify(module) == ()
    sequence = start(replace(generated, module=module))
    return choices, sequence, trace(module, sequence.given(), built=False)


@pytest.mark.parametrize("seed", range(50))
def test_random_passes_keep_the_effects_of_generated_modules(seed: int) -> None:
    choices, sequence, expected = effect_sequence(seed)
    check_sequence(choices, sequence, 8, f"seed {seed}")
    given = sequence.given()
    for built in (False, True):
        same_trace(trace(sequence.module, given, built=built), expected)
    LOG.clear()
    wb.build(sequence.module).values(given)
    same_trace(list(LOG), expected)


def test_generated_modules_have_effects_in_branches_too() -> None:
    seen, inside = 0, 0
    for seed in range(60):
        _, sequence, expected = effect_sequence(seed)
        seen += len(expected)
        for binding in sequence.main.bindings:
            value = binding.value
            bodies = (value.then, value.otherwise) if isinstance(value, IfThenElse) else ()
            inside += sum(isinstance(n, CallPacked) for body in bodies for n in walk(body))
    assert seen > 60
    assert inside > 5


@pytest.mark.parametrize("seed", range(20))
def test_the_optimized_build_keeps_the_effects_of_generated_modules(seed: int) -> None:
    _, sequence, expected = effect_sequence(seed)
    same_trace(trace(wb.optimize(sequence.module), sequence.given(), built=True), expected)


# --- effects that a wrong pass would spoil are seen ---------------------------------------------


def test_an_effect_that_is_left_out_done_twice_or_moved_is_seen() -> None:
    module, given = program(), arguments(condition=True)
    expected = trace(module, given, built=False)
    main = module.graph_functions["main"]
    plain = next(i for i, b in enumerate(main.blocks) if not b.dataflow)
    calls = main.blocks[plain].bindings
    again = replace(calls[0], var=replace(calls[0].var, id=main.next_id))
    swapped = (calls[1], calls[0], *calls[2:])
    for bindings in (calls[1:], (*calls, again), swapped):
        block = replace(main.blocks[plain], bindings=bindings)
        blocks = (*main.blocks[:plain], block, *main.blocks[plain + 1 :])
        spoiled = replace(main, blocks=blocks, next_id=NodeId(main.next_id + 1))
        found = trace(module.with_function("main", spoiled), given, built=True)
        with pytest.raises(AssertionError):
            same_trace(found, expected)
