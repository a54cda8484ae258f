"""Arguments of a wrong kind: each call is refused by one diagnostic and changes nothing."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import workbench as typed
from workbench.analysis import patterns as typed_patterns
from workbench.ir import GraphBuilder as TypedBuilder
from workbench.ir import IRModule, TensorType, module_digest
from workbench.ir.registry import find_tensor_intrinsic
from workbench.rewrite import Pass, PassResult, registered_passes
from workbench.schedule.intrinsics.registry import intrinsic
from workbench.schedule.methods import blocks, compute, loops, memory, sampling
from workbench.session import session as sessions
from workbench.session import tree
from workbench.support import CompileError
from workbench.support.kinds import describe, fits

wb: Any = typed
patterns: Any = typed_patterns
GraphBuilder: Any = TypedBuilder
TEXT = """
@I.ir_module
class Module:
    @T.prim_func
    def mm(
        a: T.Buffer((8, 8), "float32"), b: T.Buffer((8, 8), "float32"),
        c: T.Buffer((8, 8), "float32"),
    ):
        for i, j, k in T.grid(8, 8, 8):
            with T.sblock("C"):
                vi, vj, vk = T.axis.remap("SSR", [i, j, k])
                with T.init():
                    c[vi, vj] = T.float32(0)
                c[vi, vj] = c[vi, vj] + a[vi, vk] * b[vk, vj]

    @R.function
    def main(
        x: R.Tensor((8, 8), "float32"), y: R.Tensor((8, 8), "float32")
    ) -> R.Tensor((8, 8), "float32"):
        with R.dataflow():
            m = R.call_tir(cls.mm, (x, y), out_ty=R.Tensor((8, 8), "float32"))
            z = R.nn.relu(m)
            R.output(z)
        return z
"""
M: IRModule = wb.parse(TEXT)
UNTYPED: Any = M
X = np.ones((8, 8), "float32")


@functools.cache
def session() -> Any:  # noqa: ANN401
    return wb.Session(M)


@functools.cache
def executable() -> Any:  # noqa: ANN401
    return wb.build(M)


def read_only() -> Any:  # noqa: ANN401
    made = np.ones((8, 8), "float32")
    made.flags.writeable = False
    return made


KIND, PLACE, ARGUMENT = "call/wrong-kind", "schedule/not-a-place", "run/wrong-argument"
CALLS: list[tuple[str, Callable[[], object]]] = [
    (KIND, lambda: wb.open(None)),
    (KIND, lambda: wb.open(3)),
    (KIND, lambda: wb.open(b"model")),
    (KIND, lambda: wb.open(M, name=3)),
    ("call/arguments", lambda: wb.open()),
    ("call/arguments", lambda: wb.open(M, title="x")),
    (KIND, lambda: wb.load(None)),
    (KIND, lambda: wb.load([])),
    (KIND, lambda: wb.save(None, "x.wb")),
    (KIND, lambda: wb.save(M, None)),
    ("save/bad-path", lambda: wb.save(M, "a\0b")),
    (KIND, lambda: wb.parse(None)),
    (KIND, lambda: wb.parse(b"x")),
    (KIND, lambda: wb.parse(Path("x.py"))),
    (KIND, lambda: wb.parse(TEXT, like=TEXT)),
    (KIND, lambda: wb.parse(TEXT, namespace=[1])),
    (KIND, lambda: wb.build(session())),
    (KIND, lambda: wb.build(None)),
    (KIND, lambda: wb.build(M, "x86")),
    (KIND, lambda: wb.build(M, num_threads="2")),
    (KIND, lambda: wb.build(M, num_threads=1.5)),
    ("build/bad-option", lambda: wb.build(M, num_threads=0)),
    (KIND, lambda: wb.build(M, checks="on")),
    (KIND, lambda: wb.build(M, checks=None)),
    (KIND, lambda: wb.optimize(session())),
    (KIND, lambda: wb.Session("module")),
    (KIND, lambda: wb.register_pass(None)),
    (KIND, lambda: wb.register_pass(dict)),
    (KIND, lambda: wb.schedule.register_intrinsic("dot")),
    (KIND, lambda: wb.allow(None)),
    (KIND, lambda: wb.add_shared_object(M, "text", ["f"])),
    (KIND, lambda: wb.add_shared_object(M, b"", "f")),
    (KIND, lambda: session().checkout(None)),
    (KIND, lambda: session().checkout("1")),
    (KIND, lambda: session().checkout(1.0)),
    ("session/unknown-step", lambda: session().checkout(-1)),
    ("session/not-a-pass", lambda: session().apply(None)),
    ("session/not-a-pass", lambda: session().apply([])),
    ("session/not-a-pass", lambda: session().apply(dict)),
    (KIND, lambda: session().apply("LegalizeOps", at="first")),
    (KIND, lambda: session().swap(None, "library numpy.matmul")),
    (KIND, lambda: session().swap("m", None)),
    (KIND, lambda: session().swap("m", 3)),
    (KIND, lambda: session().edit("mm", None)),
    (KIND, lambda: session().diff(0, None)),
    (KIND, lambda: session().implementations(0)),
    (KIND, lambda: session().recipe("last")),
    (KIND, lambda: session().inputs(ranges=3)),
    (KIND, lambda: session().compare(0)),
    (KIND, lambda: session().compare(["a"])),
    (KIND, lambda: session().measure(None)),
    (KIND, lambda: session().subscribe(None)),
    (KIND, lambda: session().wait("long")),
    (KIND, lambda: session().schedule(3)),
    (ARGUMENT, lambda: session().run(None)),
    (ARGUMENT, lambda: session().run(X)),
    (ARGUMENT, lambda: session().inputs(X)),
    (ARGUMENT, lambda: executable()(X)),
    (ARGUMENT, lambda: executable()(X, X, X)),
    (ARGUMENT, lambda: executable()(X, "x")),
    (ARGUMENT, lambda: executable()(X, X.astype("float64"))),
    (ARGUMENT, lambda: executable()(X, X.astype(object))),
    (ARGUMENT, lambda: executable()(X, X.astype(">f4"))),
    (ARGUMENT, lambda: executable()(X, X[:4])),
    (ARGUMENT, lambda: executable()(X, X[0])),
    (ARGUMENT, lambda: executable()(X, X.tolist())),
    (KIND, lambda: wb.Schedule(M, 3)),
    (KIND, lambda: wb.Schedule(M, ["mm"])),
    (KIND, lambda: wb.Schedule(M, "mm", "seed")),
    ("schedule/which-function", lambda: wb.Schedule(None)),
    (KIND, lambda: wb.passes.Implement(None, "library numpy.matmul")(M)),
    (KIND, lambda: wb.passes.Implement("m", 3)(M)),
    (KIND, lambda: wb.passes.LegalizeOps(only=3)(M)),
    (KIND, lambda: wb.passes.PartitionForLibrary(3)(M)),
    (KIND, lambda: wb.schedule.Split("mm", "i", 4)(M)),
    (KIND, lambda: wb.schedule.Parallel("mm", 4)(M)),
    (KIND, lambda: GraphBuilder().param(None, TensorType((2,)))),
    (KIND, lambda: GraphBuilder().param("x", None)),
    (KIND, lambda: GraphBuilder().emit(None)),
    (KIND, lambda: GraphBuilder().emit("relu")),
    (KIND, lambda: GraphBuilder().call_library(3, (), TensorType((2,)))),
    (KIND, lambda: GraphBuilder().call_library("f", (), None)),
    (KIND, lambda: GraphBuilder().build(None)),
    (KIND, lambda: GraphBuilder(3)),
    ("module/no-constant", lambda: GraphBuilder().constant(object(), "c")),
    ("module/no-constant", lambda: GraphBuilder().constant(["a"], "c")),
    (KIND, lambda: UNTYPED.with_function("f", None)),
    (KIND, lambda: UNTYPED.with_function(None, M["mm"])),
    (KIND, lambda: wb.te.create_tensor_function(None, [])),
    (KIND, lambda: wb.te.create_tensor_function([1], [2])),
    (KIND, lambda: wb.te.emit_te(None, len)),
    (KIND, lambda: wb.te.emit_te(GraphBuilder(), None)),
    (KIND, lambda: patterns.op(None)),
    (KIND, lambda: patterns.op(["matmul", 3])),
    ("pattern/not-a-pattern", lambda: patterns.op("matmul", 3)),
    (KIND, lambda: patterns.item(patterns.anything(), "0")),
    (KIND, lambda: list(patterns.find("matmul", M))),
    (KIND, lambda: list(patterns.find(patterns.anything(), None))),
]

ON_SCHEDULES: list[tuple[str, Callable[[Any], object]]] = [
    (KIND, lambda s: s.cache_read("C", None)),
    (KIND, lambda s: s.cache_read("C", 0, 3)),
    (KIND, lambda s: s.cache_read("C", 0.5)),
    (PLACE, lambda s: s.cache_read(None, 0)),
    (KIND, lambda s: s.set_scope("C", 0, None)),
    (KIND, lambda s: s.store_at(None, "i")),
    (KIND, lambda s: s.rfactor("k", None)),
    (KIND, lambda s: s.rfactor("k", "0")),
    (PLACE, lambda s: s.rfactor(None, 0)),
    ("schedule/bad-factor", lambda s: s.split("i", factors=None)),
    ("schedule/bad-factor", lambda s: s.split("i", factors=4)),
    ("schedule/bad-factor", lambda s: s.split("i", factors=["4", 2])),
    ("schedule/bad-factor", lambda s: s.split("i", factors=[None, 2.0])),
    ("schedule/bad-factor", lambda s: s.split("i", factors=[None, float("nan")])),
    ("call/arguments", lambda s: s.split("i")),
    (PLACE, lambda s: s.split(0, factors=[2, 4])),
    (PLACE, lambda s: s.fuse("i", None)),
    (PLACE, lambda s: s.reorder(1, 2)),
    (PLACE, lambda s: s.parallel(None)),
    (PLACE, lambda s: s.blockize(3)),
    (PLACE, lambda s: s.add_unit_loop(3)),
    (KIND, lambda s: s.bind("i", 3)),
    (KIND, lambda s: s.annotate("i", None, 1)),
    ("schedule/bad-annotation", lambda s: s.annotate("i", "key", object())),
    (KIND, lambda s: s.get_block(None)),
    (KIND, lambda s: s.get_loop(3)),
    (PLACE, lambda s: s.get_loops(None)),
    (KIND, lambda s: s.transform_layout("C", 0, None)),
    (KIND, lambda s: s.transform_layout("C", 0, 3)),
    (KIND, lambda s: s.transform_layout("C", 0, lambda i, j: (i, j), pad_value="0")),
    ("index-map/not-a-map", lambda s: s.transform_layout("C", 0, lambda i: i)),
    ("index-map/not-a-map", lambda s: s.transform_layout("C", 0, lambda i, j: None)),  # noqa: ARG005
    ("index-map/not-a-map", lambda s: s.transform_layout("C", 0, lambda i, j: (i / 2, j))),
    ("index-map/not-a-map", lambda s: s.transform_layout("C", 0, "i, j")),
    ("expr/truth", lambda s: s.transform_layout("C", 0, lambda i, j: (i if i > j else j, j))),
    ("index-map/not-a-map", lambda s: s.transform_layout("C", 0, lambda i, j: (i**2, j))),
    ("schedule/no-such-buffer", lambda s: s.transform_layout("C", [], lambda i, j: (i, j))),
    ("schedule/no-such-buffer", lambda s: s.reindex("C", ("read",))),
    (KIND, lambda s: s.pad_einsum("C", 4)),
    (KIND, lambda s: s.tensorize("i", None)),
    ("schedule/bad-sample", lambda s: s.sample_categorical(None)),
    ("schedule/bad-sample", lambda s: s.sample_categorical("ab")),
    ("schedule/bad-sample", lambda s: s.sample_categorical([])),
    ("schedule/bad-sample", lambda s: s.sample_categorical([1, 2.5])),
    ("schedule/bad-sample", lambda s: s.sample_categorical([1, 2], [0.5])),
    ("schedule/bad-sample", lambda s: s.sample_categorical([1, 2], [0.5, "x"])),
    ("schedule/bad-sample", lambda s: s.sample_categorical([1, 2], [float("nan"), 0.5])),
    ("schedule/bad-decision", lambda s: s.sample_categorical([1, 2], decision="a")),
    (KIND, lambda s: s.sample_perfect_tile("i", None)),
    (KIND, lambda s: s.sample_perfect_tile("i", 2.0)),
    ("schedule/bad-decision", lambda s: s.sample_perfect_tile("i", 2, decision=3)),
    ("schedule/bad-decision", lambda s: s.sample_perfect_tile("i", 2, decision=["a", 4])),
    ("schedule/bad-decision", lambda s: s.sample_compute_location("C", "x")),
    (KIND, lambda s: s.trace.with_decisions(None)),
    (KIND, lambda s: s.trace.with_decisions([1])),
    (KIND, lambda s: s.trace.with_decisions({"a": (1,)})),
    (KIND, lambda s: s.trace.with_decisions({0: 4})),
    (KIND, lambda s: s.trace.apply(None)),
]


def codes(call: Callable[[], object]) -> list[str]:
    with pytest.raises(CompileError) as caught:
        call()
    assert all(1 <= len(d.render().split("\n")) <= 12 for d in caught.value.diagnostics)
    return [diagnostic.code for diagnostic in caught.value.diagnostics]


@pytest.mark.parametrize(("code", "call"), CALLS)
def test_a_call_with_a_wrong_kind_is_refused_and_changes_nothing(
    code: str, call: Callable[[], object]
) -> None:
    before = module_digest(M), len(session().steps), session().head.index
    passes = registered_passes()
    assert codes(call) == [code]
    assert (module_digest(M), len(session().steps), session().head.index) == before
    assert registered_passes() == passes


@pytest.mark.parametrize(("code", "call"), ON_SCHEDULES)
def test_a_method_of_a_schedule_refuses_and_changes_nothing(
    code: str, call: Callable[[Any], object]
) -> None:
    schedule = wb.Schedule(M, "mm")
    before = module_digest(schedule.module), len(schedule.trace)
    assert codes(lambda: call(schedule)) == [code]
    assert (module_digest(schedule.module), len(schedule.trace)) == before


@pytest.mark.filterwarnings("ignore:argument")
def test_arrays_that_fit_otherwise_are_taken() -> None:
    expected = executable()(X, X)
    for array in (X.T, read_only(), np.asfortranarray(X)):
        np.testing.assert_array_equal(executable()(X, array), expected)


def test_messages_say_argument_expectation_and_finding() -> None:
    with pytest.raises(CompileError) as caught:
        wb.build(M, num_threads="2")
    assert "`build` takes an integer or `None` as `num_threads`, got `'2'`" in str(caught.value)


def test_the_signature_is_shown_where_arguments_are_missing() -> None:
    with pytest.raises(CompileError) as caught:
        wb.Schedule(M, "mm").split("i")
    assert "missing a required argument: 'factors'" in str(caught.value)
    assert "loop" in caught.value.diagnostics[0].notes[0]


HOMES = (blocks, compute, loops, memory, sampling, sessions, tree)


def test_all_annotations_that_are_checked_can_be_read() -> None:
    kinds = [k for home in HOMES for _, k in inspect.getmembers(home, inspect.isclass)]
    methods = [m for k in kinds for _, m in inspect.getmembers(k, inspect.isfunction)]
    ours = [m for m in methods if m.__module__.startswith("workbench.s")]
    assert len(ours) > 60
    for method in ours:
        assert typing.get_type_hints(inspect.unwrap(method)) is not None


@pytest.mark.parametrize(
    ("value", "hint", "expected"),
    [
        (np.int64(3), int, True),
        (True, int, False),
        (True, float, True),
        (np.timedelta64(3, "ns"), int, False),
        (None, int, False),
        (3.0, int, False),
        (3, float, True),
        (np.float32(3), float, True),
        ("ab", tuple[str, ...], False),
        (["a"], tuple[str, ...], True),
        (["a", 1], tuple[str, ...], False),
        ((1, "a"), tuple[int, str], True),
        ((1,), tuple[int, str], False),
        (None, int | None, True),
        ("on", typing.Literal["on", "off"], True),
        (1, typing.Literal["on", "off"], False),
        (len, Callable[..., Any], True),
        (3, Callable[..., Any], False),
        ({"a": 1}, dict[str, int], True),
        ({1: 1}, dict[str, int], False),
        (bool, type[int], True),
        (str, type[int], False),
        (np.True_, bool, True),
        (np.array("a"), tuple[str, ...], False),
        (np.array(1), tuple[int, int], False),
        (np.array([1, 2]), tuple[int, ...], True),
        ("abc", Iterable[int], False),
        (np.array(1), Iterable[int], False),
        ([1, 2], Iterable[int], True),
        (iter([1, 2]), Iterable[int], True),
        (frozenset({"a"}), frozenset[int], False),
        (frozenset({1}), frozenset[int], True),
        ({1: "a"}.keys(), typing.AbstractSet[int], True),
    ],
)
def test_what_an_annotation_allows(value: object, hint: object, expected: bool) -> None:
    assert fits(value, hint) is expected


def test_annotations_in_words() -> None:
    assert describe(int | str | None) == "an integer, a text or `None`"
    assert describe(tuple[int, ...]) == "a list of integers"
    assert describe(IRModule) == "an `IRModule`"


def test_a_shipped_pass_keeps_its_names() -> None:
    @dataclass(frozen=True)
    class Mine(Pass):
        name: ClassVar[str] = "legalize-ops"

        def run(self, module: IRModule) -> PassResult:
            return PassResult(module)

    before = registered_passes()
    assert codes(lambda: wb.register_pass(Mine)) == ["pass/name-taken"]
    other = type("LegalizeOps", (Mine,), {"name": "mine"})
    assert codes(lambda: wb.register_pass(other)) == ["pass/name-taken"]
    assert registered_passes() == before


def test_a_shipped_intrinsic_keeps_its_name() -> None:
    known = intrinsic("dot_16x4_vnni")
    assert codes(lambda: wb.schedule.register_intrinsic(known)) == ["schedule/intrinsic-taken"]
    forced = lambda: wb.schedule.register_intrinsic(known, override=True)  # noqa: E731
    assert codes(forced) == ["schedule/intrinsic-taken"]
    assert find_tensor_intrinsic("dot_16x4_vnni") is None
