"""One module for any shape (U7): fused, laid out and built once, right for twenty shapes."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from workbench.frontend.networks import resnet18
from workbench.frontend.transformer import transformer_encoder
from workbench.interpret import run
from workbench.ir import BufferType, CallOp, CallTIR, IRModule, TensorType, Type, walk
from workbench.ir.verify import verify
from workbench.passes import (
    BindSymbolicVariables,
    CanonicalizeBindings,
    ChooseLayouts,
    CombineParallelMatmuls,
    DispatchToLibrary,
    EliminateCommonSubexpressions,
    EliminateDeadCode,
    FoldConstant,
    FuseOps,
    FuseTensorFunctions,
    LegalizeOps,
    PartitionForLibrary,
    Pass,
    RemoveUnusedParameters,
    ScheduleDefault,
    Simplify,
    TransformLayouts,
    default_pipeline,
)
from workbench.runtime import Executable, build
from workbench.schedule import Schedule
from workbench.support import CompileError

WIDTH = 32
SHAPES = (
    *((1, 1), (0, 5), (0, 0), (1, 2), (2, 3), (5, 7), (4, 17), (1, 64), (2, 48), (7, 13)),
    *((1, 127), (3, 31), (2, 97), (8, 16), (16, 1), (1, 128), (6, 6), (11, 4), (3, 0), (2, 200)),
)
BATCHES = (1, 0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 19, 23)
fused = (FuseOps(), FuseTensorFunctions(), ScheduleDefault(), EliminateDeadCode())


class LayOutWeights(Pass):
    """Weights of products in panels of 16 columns: `(k, j)` to `(j // 16, k, j % 16)`."""

    name = "lay-out-weights"

    def run(self, module: IRModule) -> Any:  # noqa: ANN401
        panels = "lambda k, j: (j // 16, k, j % 16)"
        calls = [b for b in module.graph_functions["main"].bindings if is_dense(b.value)]
        return TransformLayouts(tuple((b.var.name, "x2", panels) for b in calls))(module)


def is_dense(value: object) -> bool:
    if not isinstance(value, CallTIR) or not value.callee.startswith("matmul"):
        return False
    weight = value.args[1].type  # pyright: ignore[reportAttributeAccessIssue]
    return isinstance(weight, TensorType) and weight.rank == 2


PIPELINES: dict[str, tuple[Pass, ...]] = {
    "legalized": (LegalizeOps(),),
    "default": default_pipeline(),
    "laid out": (LegalizeOps(), LayOutWeights(), FoldConstant(), EliminateDeadCode(), *fused),
    "chosen layouts": (LegalizeOps(), ChooseLayouts(), FoldConstant(), *fused),
    "library first": (PartitionForLibrary("numpy"), *default_pipeline()),
    "library between": (LegalizeOps(), DispatchToLibrary(), *fused),
    "library last": (LegalizeOps(), *fused[:2], DispatchToLibrary(), *fused[2:]),
    "everything": (
        CanonicalizeBindings(),
        EliminateCommonSubexpressions(),
        CombineParallelMatmuls(),
        FoldConstant(),
        LegalizeOps(),
        ChooseLayouts(),
        FoldConstant(),
        *fused[:2],
        Simplify(),
        *fused[2:],
        RemoveUnusedParameters(),
    ),
}
LIBRARY = {"library first", "library between", "library last"}


def applied(module: IRModule, passes: tuple[Pass, ...]) -> IRModule:
    for step in passes:
        module = step(module).module
    assert verify(module) == ()
    return module


@cache
def encoder() -> IRModule:
    return transformer_encoder(width=WIDTH, hidden=48)


@cache
def network() -> IRModule:
    return resnet18(None, 32, width=0.25)


@cache
def lowered(pipeline: str) -> IRModule:
    return applied(encoder(), PIPELINES[pipeline])


def sequence(b: int, n: int) -> np.ndarray:
    return np.random.default_rng(31 * b + n).standard_normal((b, n, WIDTH)).astype(np.float32)


@cache
def expected(b: int, n: int) -> np.ndarray:
    return run(encoder(), sequence(b, n))


def close(found: Any, wanted: np.ndarray) -> None:  # noqa: ANN401
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=2e-3, atol=2e-4)


@pytest.fixture
def built(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Executable:
    """The executable; from now on, nothing can be compiled or legalized."""
    executable = build(lowered(request.param))

    def no(*_: object, **__: object) -> None:
        pytest.fail("something was compiled for a shape")

    for name in ("emit", "compile_objects", "prepare_kernels"):
        monkeypatch.setattr(f"workbench.runtime.kernels.{name}", no)
    monkeypatch.setattr(LegalizeOps, "run", no)
    return executable


@pytest.mark.parametrize("built", PIPELINES, indirect=True)
def test_built_once_an_encoder_is_right_for_twenty_shapes(built: Executable) -> None:
    assert len(set(SHAPES)) == 20
    kernels = built.kernels
    for b, n in SHAPES:
        close(built(sequence(b, n)), expected(b, n))
    assert built.kernels == kernels
    assert built.report.stepwise == ()
    assert built.report.reference == 0


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_each_part_does_its_work_on_symbolic_shapes(pipeline: str) -> None:
    module = lowered(pipeline)
    report = build(module).report
    assert (report.library > 0) == (pipeline in LIBRARY)
    main = module.graph_functions["main"]
    assert not any(isinstance(b.value, CallOp) for b in main.bindings)
    if pipeline not in {"legalized", *LIBRARY}:
        assert report.compiled <= 16
        called = {b.value.callee for b in main.bindings if isinstance(b.value, CallTIR)}
        assert sum(name.startswith("fused_") for name in called) >= 5
        for name in called:
            text = str(dict(module.tensor_functions[name].attrs).get("scheduled"))
            assert "matmul" not in name or " 6x" in text or " 4x" in text


def test_laid_out_weights_are_constants_in_panels() -> None:
    module = lowered("laid out")
    shapes = [module.pool[digest].shape for digest in module.pool]
    assert (WIDTH // 16, WIDTH, 16) in shapes
    calls = [b.value for b in module.graph_functions["main"].bindings]
    assert not any(isinstance(c, CallOp) and c.op == "layout_transform" for c in calls)


CONVOLUTIONS: dict[str, tuple[Pass, ...]] = {
    name: PIPELINES[name] for name in ("default", "chosen layouts", "library first", "everything")
}


@pytest.mark.parametrize("passes", CONVOLUTIONS.values(), ids=CONVOLUTIONS)
def test_built_once_a_convolutional_network_is_right_for_twenty_batches(
    passes: tuple[Pass, ...],
) -> None:
    executable = build(applied(network(), passes))
    plain = build(network())
    for batch in BATCHES:
        x = np.random.default_rng(batch).standard_normal((batch, 3, 32, 32)).astype(np.float32)
        close(executable(x), plain(x))


def test_blocked_layouts_are_chosen_for_a_symbolic_batch() -> None:
    result = ChooseLayouts()(LegalizeOps()(network()).module)
    weights = FoldConstant()(result.module).module
    calls = [b.value for b in weights.graph_functions["main"].bindings]
    ranks = [c.out_types[0].rank for c in calls if isinstance(c, CallTIR) and "conv2d" in c.callee]
    left = [c for c in calls if isinstance(c, CallOp) and c.op == "layout_transform"]
    assert ranks.count(5) >= 15
    assert len(left) <= 1


# --- schedules by hand ------------------------------------------------------------------------


def test_a_schedule_by_hand_is_right_for_every_shape() -> None:
    module = LegalizeOps()(encoder()).module
    schedule = Schedule(module, "matmul")
    b, i, j, k = schedule.get_loops("matmul")
    outer, inner = schedule.split(i, factors=[None, 5])
    left, lanes = schedule.split(j, factors=[None, 8])
    schedule.reorder(b, outer, left, k, inner, lanes)
    schedule.parallel(outer)
    schedule.vectorize(lanes)
    executable = build(schedule.module)
    for b_, n in SHAPES:
        close(executable(sequence(b_, n)), expected(b_, n))


# --- specialised ------------------------------------------------------------------------------


def symbolic(module: IRModule) -> set[str]:
    """Functions in which some dimension is not a number."""
    return {
        name
        for name, function in module.functions
        for node in walk(function)
        if any(not isinstance(d, int) for d in shape_of(getattr(node, "type", None)))
    }


def shape_of(type_: Type | None) -> tuple[object, ...]:
    return type_.shape or () if isinstance(type_, TensorType | BufferType) else ()


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_specialising_leaves_no_symbol_in_any_function(pipeline: str) -> None:
    general = lowered(pipeline)
    assert "main" in symbolic(general)
    special = applied(general, (BindSymbolicVariables({"b": 2, "n": 96}), Simplify()))
    assert symbolic(special) == set()
    text = special.script()
    assert "T.int64()" not in text
    called = {c.callee for c in walk(special["main"]) if isinstance(c, CallTIR)}
    for name in called:
        assert "T.where" not in IRModule(((name, special[name]),)).script(), name
    executable = build(special)
    close(executable(sequence(2, 96)), expected(2, 96))
    with pytest.raises(CompileError) as caught:
        executable(sequence(2, 95))
    (only,) = caught.value.diagnostics
    assert (only.code, only.function) == ("run/wrong-argument", "main")
    assert only.message == "dimension 1 of `x` must be `96`, got `95`"


@pytest.mark.parametrize("extents", [(1, 1), (0, 3), (3, 7)])
def test_one_general_module_and_special_ones_agree(extents: tuple[int, int]) -> None:
    b, n = extents
    special = applied(lowered("default"), (BindSymbolicVariables({"b": b, "n": n}), Simplify()))
    close(build(special)(sequence(b, n)), expected(b, n))
    half = applied(lowered("default"), (BindSymbolicVariables({"n": n}), Simplify()))
    executable = build(half)
    for batch in (0, 1, 4):
        close(executable(sequence(batch, n)), expected(batch, n))
