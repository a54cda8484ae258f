"""Properties of random programs: verify, print and parse back, run, build to the same values."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.generate import Generated, Seeded, modules, random_module, tensor_functions
from workbench.interpret import fresh_array, run, run_tensor_function, values
from workbench.ir import (
    IRModule,
    TensorFunction,
    TensorType,
    fingerprint,
    module_digest,
    structurally_equal,
    walk,
)
from workbench.ir.verify import verify
from workbench.passes import (
    BUILTIN_PASSES,
    DispatchToLibrary,
    Pass,
    default_pipeline,
    optimize,
)
from workbench.runtime import build
from workbench.script import parse, print_module
from workbench.session.catalogue import required_parameters
from workbench.support import NodeId

PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)
"""Without the search for an explanation, which takes minutes where an example takes 0.1 s."""


@given(modules())
def test_generated_modules_verify_and_run(generated: Generated) -> None:
    assert verify(generated.module) == ()
    result = run(generated.module, *generated.inputs())
    assert result is not None


@given(modules())
def test_running_twice_gives_the_same_bits(generated: Generated) -> None:
    first, second = (values(generated.module, generated.inputs()) for _ in range(2))
    assert set(first) == set(second)
    for node, value in first.items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(value, second[node])


def numbers(type_: TensorType) -> tuple[int, ...]:
    return tuple(d for d in type_.shape or () if isinstance(d, int))


@given(tensor_functions())
def test_generated_tensor_functions_write_all_of_their_output(
    case: tuple[TensorFunction, list[TensorType], TensorType],
) -> None:
    function, inputs, out = case
    module = IRModule((("f", function),))
    assert verify(module) == ()
    rng = np.random.default_rng(0)
    arrays = [rng.integers(-4, 5, numbers(t)).astype(t.dtype) for t in inputs]
    result = fresh_array(numbers(out), out.dtype or "")
    run_tensor_function(function, [*arrays, result])
    if result.dtype.kind == "f":
        assert not np.isnan(result).any()


def test_a_seed_fixes_the_module() -> None:
    for seed in range(20):
        first, second = (random_module(Seeded(seed)) for _ in range(2))
        assert module_digest(first.module) == module_digest(second.module)
        assert structurally_equal(first.module, second.module)


def test_generated_modules_use_every_kind_of_node() -> None:
    kinds: set[str] = set()
    for seed in range(150):
        module = random_module(Seeded(seed), steps=10).module
        kinds |= {type(node).__name__ for _, f in module.functions for node in walk(f)}
    expected = {"Alias", "CallFunction", "CallOp", "CallPacked", "CallTIR", "IfThenElse"}
    expected |= {"MatchCast", "TupleItem", "TupleValue", "Constant", "ShapeValue"}
    expected |= {"Block", "For", "If", "Let", "Seq", "Store", "While", "Select", "Cast", "Not"}
    assert expected <= kinds


@pytest.mark.parametrize("seed", range(12))
def test_fingerprints_tell_functions_apart(seed: int) -> None:
    functions = random_module(Seeded(seed), steps=10).module.tensor_functions.values()
    for a in functions:
        for b in functions:
            assert (fingerprint(a) == fingerprint(b)) == structurally_equal(a, b)


@given(modules())
def test_printing_and_parsing_gives_the_module_back(generated: Generated) -> None:
    text = print_module(generated.module)
    parsed = parse(text, like=generated.module)
    assert structurally_equal(parsed, generated.module)
    assert print_module(parsed) == text


@settings(phases=PHASES, max_examples=20)
@given(modules())
def test_the_build_computes_what_the_interpreter_does(generated: Generated) -> None:
    inputs = generated.inputs()
    expected, got = run(generated.module, *inputs), build(generated.module)(*inputs)
    pairs = zip(expected, got, strict=True) if isinstance(expected, tuple) else [(expected, got)]
    for a, b in pairs:
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-5)


def agree(before: Mapping[NodeId, object], after: Mapping[NodeId, object]) -> None:
    """Values that both have are the same up to rounding, dtypes and shapes exactly."""
    for node, value in after.items():
        known = before.get(node)
        if isinstance(value, np.ndarray) and known is not None:
            assert isinstance(known, np.ndarray)
            assert (known.dtype, known.shape) == (value.dtype, value.shape)
            np.testing.assert_allclose(value, known, rtol=1e-4, atol=1e-5)


@settings(phases=PHASES, max_examples=30)
@given(modules())
def test_every_pass_keeps_every_shared_value(generated: Generated) -> None:
    inputs = generated.inputs()
    module, before = generated.module, values(generated.module, inputs)
    expected = run(module, *inputs)
    for step in (*default_pipeline(), DispatchToLibrary()):
        module = check_step(step, module, before, expected, inputs)


def without_parameters() -> list[Pass]:
    """Every pass that we ship and that needs no parameters, in the order of the list."""
    return [kind() for kind in BUILTIN_PASSES if not required_parameters(kind)]


@settings(phases=PHASES, max_examples=60)
@given(modules(steps=10), st.data())
def test_any_order_of_passes_keeps_every_shared_value(
    generated: Generated, data: st.DataObject
) -> None:
    inputs = generated.inputs()
    module, before = generated.module, values(generated.module, inputs)
    expected = run(module, *inputs)
    for step in data.draw(st.permutations(without_parameters())):
        module = check_step(step, module, before, expected, inputs)


def check_step(
    step: Pass,
    module: IRModule,
    before: Mapping[NodeId, object],
    expected: object,
    inputs: list[np.ndarray],
) -> IRModule:
    """The module after a pass, which gives the same twice and keeps values and result."""
    result = step(module)
    assert module_digest(step(module).module) == module_digest(result.module)
    assert verify(result.module) == (), step
    agree(before, values(result.module, inputs))
    agree({NodeId(0): expected}, {NodeId(0): run(result.module, *inputs)})
    return result.module


@settings(phases=PHASES, max_examples=20)
@given(modules())
def test_the_optimized_build_computes_the_same(generated: Generated) -> None:
    inputs = generated.inputs()
    expected, got = run(generated.module, *inputs), build(optimize(generated.module))(*inputs)
    pairs = zip(expected, got, strict=True) if isinstance(expected, tuple) else [(expected, got)]
    for a, b in pairs:
        np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-5)


@settings(phases=PHASES, max_examples=20)
@given(modules())
def test_every_step_prints_and_parses_back(generated: Generated) -> None:
    module = generated.module
    for step in default_pipeline():
        module = step(module).module
        assert structurally_equal(parse(print_module(module), like=module), module), step
