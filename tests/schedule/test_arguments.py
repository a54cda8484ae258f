"""Whatever a method of `Schedule` is given: it takes it, or says why not and changes nothing."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from workbench.analysis.index_map import IndexMap
from workbench.ir import IRModule, module_digest
from workbench.ir.verify import check
from workbench.passes import ScheduleDefault
from workbench.schedule import Schedule, ScheduleOptions
from workbench.schedule.arguments import PLACES
from workbench.schedule.primitives import PRIMITIVES
from workbench.script import parse
from workbench.support import CompileError

MODULE: IRModule = parse("""
@T.prim_func
def f(
    A: T.Buffer((8, 6), "float32"), B: T.Buffer((6, 8), "float32"), D: T.Buffer((8, 8), "float32")
):
    C = T.alloc_buffer((8, 8), "float32")
    for i, j, k in T.grid(8, 8, 6):
        with T.sblock("C"):
            vi, vj, vk = T.axis.remap("SSR", [i, j, k])
            with T.init():
                C[vi, vj] = T.float32(0)
            C[vi, vj] = C[vi, vj] + A[vi, vk] * B[vk, vj]
    for x, y in T.grid(8, 8):
        with T.sblock("D"):
            vi, vj = T.axis.remap("SS", [x, y])
            D[vi, vj] = T.max(C[vi, vj], T.float32(0))
""")
FOREIGN = Schedule(MODULE)
GIVEN: dict[str, Any] = {
    "loop": "C.i",
    "loops": ("i", "j"),
    "block": "C",
    "factors": [None, 4],
    "thread_axis": "blockIdx.x",
    "block_or_loop": "C",
    "ann_key": "key",
    "ann_val": 1,
    "target": "C.i",
    "tensor_intrin": "fma_4x16_f32",
    "buffer": "C",
    "index_map": "lambda i, j: (j, i)",
    "padding": [4, 4, 4],
    "n": 2,
    "candidates": [1, 2],
    "name": "C",
    "place": "C",
}
"""Arguments with which a method can be called, where another one is tried."""
NO_PLACES: list[Any] = [
    3,
    2**70,
    -0.5,
    b"i",
    object(),
    type,
    len,
    {"i": 1},
    MODULE,
    (("i", ("j",)),),
    np.int64(3),
    np.array([1, 2]),
    np.array([["C"]]),
    [None],
]
ODD: list[Any] = [
    *NO_PLACES,
    None,
    True,
    np.True_,
    0,
    -1,
    float("nan"),
    float("inf"),
    "",
    "nope",
    "#",
    "\0",
    [],
    (),
    ["i", 2],
    [True, 8],
    [2.0, 4],
    [None, 2**70],
    ("read", 0),
    ("read", 2**70),
    ("read", None),
    (("read", 0),),
    np.float32(2),
    np.uint8(1),
    np.array([2, 4]),
    np.array(["C", "D"]),
    np.array(None),
    np.timedelta64(3, "ns"),
    iter(["C", "D"]),
    FOREIGN.get_block("C"),
    FOREIGN.get_loop("i"),
    [FOREIGN.get_block("C")],
    IndexMap.of("lambda i, j: (j, i)", 2),
    lambda: 0,
    "lambda i, j: (i // 0, j)",
]
PLUMBING = {"apply", "decide", "loop_ref", "block_ref", "copy"}
METHODS = [
    name
    for name, _ in inspect.getmembers(Schedule, inspect.isfunction)
    if not name.startswith("_") and name not in PLUMBING
]


def arguments(
    method: Callable[..., Any], tried: str, value: object
) -> tuple[list[Any], dict[str, Any]]:
    """Arguments of a call: `value` for `tried`, what fits for those that are needed."""
    args: list[Any] = []
    keywords: dict[str, Any] = {}
    for name, parameter in list(inspect.signature(method).parameters.items())[1:]:
        if parameter.kind is parameter.VAR_POSITIONAL:
            args = [value, "j"] if name == tried else list(GIVEN[name])
        elif name == tried:
            keywords[name] = value
        elif parameter.default is parameter.empty:
            keywords[name] = GIVEN[name]
    return args, keywords


def parameters() -> Iterator[tuple[str, str]]:
    for method in METHODS:
        for name in list(inspect.signature(getattr(Schedule, method)).parameters)[1:]:
            yield method, name


@pytest.mark.parametrize(("method", "tried"), list(parameters()))
def test_odd_arguments_are_taken_or_refused_in_words(method: str, tried: str) -> None:
    for value in ODD:
        schedule = Schedule(MODULE)
        member = getattr(Schedule, method)
        args, keywords = arguments(member, tried, value)
        try:
            member(schedule, *args, **keywords)
        except CompileError as error:
            assert schedule.module is MODULE
            assert len(schedule.trace) == 0
            for diagnostic in error.diagnostics:
                assert "\n" not in diagnostic.message
                assert len(diagnostic.message) < 250, diagnostic.message
        else:
            check(schedule.module)
            again = Schedule(MODULE)
            exec(schedule.trace.python(), {"sch": again})
            assert module_digest(again.module) == module_digest(schedule.module)
            assert again.trace.python() == schedule.trace.python()
            hash(schedule.trace)


def places() -> Iterator[tuple[str, str]]:
    yield from ((method, name) for method, name in parameters() if name in PLACES)


@pytest.mark.parametrize(("method", "tried"), list(places()))
def test_what_is_no_place_is_refused_as_such(method: str, tried: str) -> None:
    member = getattr(Schedule, method)
    numbers = "int" in str(inspect.signature(inspect.unwrap(member)).parameters[tried].annotation)
    for value in NO_PLACES:
        if numbers and isinstance(value, int | np.integer):
            continue
        args, keywords = arguments(member, tried, value)
        with pytest.raises(CompileError) as caught:
            member(Schedule(MODULE), *args, **keywords)
        (diagnostic,) = caught.value.diagnostics
        assert diagnostic.code == "schedule/not-a-place", (value, diagnostic)
        assert diagnostic.function == "f"
        assert diagnostic.message.startswith("expected a ")


@pytest.mark.parametrize(("method", "tried"), list(places()))
def test_references_of_another_schedule_are_refused(method: str, tried: str) -> None:
    member = getattr(Schedule, method)
    loop, block = FOREIGN.get_loop("i"), FOREIGN.get_block("C")
    for value in (loop, block, [block], np.array([block, None], dtype=object)[:1]):
        args, keywords = arguments(member, tried, value)
        with pytest.raises(CompileError) as caught:
            member(Schedule(MODULE), *args, **keywords)
        (diagnostic,) = caught.value.diagnostics
        assert diagnostic.code in {"schedule/foreign-reference", "schedule/not-a-place"}
    first = list(inspect.signature(member).parameters)[1]
    if first == tried and tried in {"loop", "block"}:
        own = {"loop": loop, "block": block}[tried]
        args, keywords = arguments(member, tried, own)
        with pytest.raises(CompileError, match="belongs to another schedule"):
            member(Schedule(MODULE), *args, **keywords)


SAME: list[tuple[Callable[[Any], object], Callable[[Any], object]]] = [
    (lambda s: s.cache_read("C", np.int64(0)), lambda s: s.cache_read("C", 0)),
    (lambda s: s.cache_write("C", np.uint8(0)), lambda s: s.cache_write("C", 0)),
    (
        lambda s: s.set_scope("C", np.int64(0), np.str_("local")),
        lambda s: s.set_scope("C", 0, "local"),
    ),
    (lambda s: s.reindex("D", np.int64(0)), lambda s: s.reindex("D", 0)),
    (
        lambda s: s.reindex("D", ("read", np.int64(0))),
        lambda s: s.reindex("D", ("read", 0)),
    ),
    (
        lambda s: s.transform_layout("C", ["write", np.int32(0)], "lambda i, j: (j, i)"),
        lambda s: s.transform_layout("C", ("write", 0), "lambda i, j: (j, i)"),
    ),
    (lambda s: s.rfactor("k", np.int64(1)), lambda s: s.rfactor("k", 1)),
    (lambda s: s.split("i", np.array([2, 4])), lambda s: s.split("i", [2, 4])),
    (lambda s: s.loop_partition("i", [None, np.int8(3)]), lambda s: s.loop_partition("i", [5, 3])),
    (lambda s: s.pad_einsum("C", np.array([5, 1, 4])), lambda s: s.pad_einsum("C", [5, 1, 4])),
    (lambda s: s.compute_at("C", np.int64(0)), lambda s: s.compute_at("C", 0)),
    (lambda s: s.compute_at("C", "x", False, np.int64(0)), lambda s: s.compute_at("C", "x")),
    (
        lambda s: s.annotate("C", "tile", np.array([[1, 2], [3, 4]])),
        lambda s: s.annotate("C", "tile", ((1, 2), (3, 4))),
    ),
    (lambda s: s.split("i", iter([2, 4])), lambda s: s.split("i", [2, 4])),
    (
        lambda s: s.cache_read("C", "A", consumer_blocks="C"),
        lambda s: s.cache_read("C", "A", consumer_blocks=["C"]),
    ),
    (
        lambda s: s.cache_write("C", 0, "local", s.get_block("D")),
        lambda s: s.cache_write("C", 0, "local", ["D"]),
    ),
    (lambda s: s.blockize(blocks="C"), lambda s: s.blockize(s.get_block("C"))),
    (lambda s: s.blockize(np.array(["C"])), lambda s: s.blockize(["C"])),
]


@pytest.mark.parametrize(("given", "usual"), SAME)
def test_numbers_of_numpy_and_single_blocks_are_taken(
    given: Callable[[Any], object], usual: Callable[[Any], object]
) -> None:
    one, other = Schedule(MODULE), Schedule(MODULE)
    given(one)
    usual(other)
    assert module_digest(one.module) == module_digest(other.module)
    assert one.module is not MODULE
    again = Schedule(MODULE)
    exec(one.trace.python(), {"sch": again})
    assert module_digest(again.module) == module_digest(one.module)


def test_a_truth_value_is_no_number() -> None:
    refused: list[Callable[[Any], object]] = [
        lambda s: s.rfactor("k", True),
        lambda s: s.rfactor("k", np.True_),
        lambda s: s.cache_read("C", False),
        lambda s: s.compute_location("C", True),
        lambda s: s.sample_perfect_tile("i", True),
        lambda s: s.sample_perfect_tile("i", 2, decision=[True, 8]),
        lambda s: s.sample_categorical([True, 2]),
        lambda s: s.sample_categorical([1, 2], decision=True),
        lambda s: s.split("i", [True, 8]),
    ]
    for call in refused:
        with pytest.raises(CompileError, match=r"True|False"):
            call(Schedule(MODULE))


def test_a_tile_of_very_many_factors_is_refused() -> None:
    schedule = Schedule(MODULE)
    assert len(schedule.sample_perfect_tile("i", 63)) == 63
    for n in (64, 2**70):
        with pytest.raises(CompileError, match="no loop has more than `63` factors above 1"):
            schedule.sample_perfect_tile("i", n)


def test_primitives_made_by_hand_keep_plain_values() -> None:
    kinds = {kind.name: kind for kind in PRIMITIVES}
    split: Any = kinds["split"]
    made = split("f", "i", [None, np.int64(4)])
    assert made == split("f", "i", (None, 4))
    assert hash(made) == hash(split("f", "i", (None, 4)))
    reading: Any = kinds["cache-read"]
    assert reading("f", "C", np.int64(0))(MODULE).module == reading("f", "C", 0)(MODULE).module
    for wrong in (split("f", 3, (None, 4)), reading("f", "C", 0.5), reading("f", "C", True)):
        with pytest.raises(CompileError) as caught:
            Schedule(MODULE).apply(wrong)
        assert [d.code for d in caught.value.diagnostics] == ["call/wrong-kind"]
        assert caught.value.diagnostics[0].function == "f"


def test_a_seed_of_another_kind_is_told_of_the_class_that_was_called() -> None:
    with pytest.raises(CompileError) as caught:
        Schedule(MODULE, seed="one")  # pyright: ignore[reportArgumentType]
    assert caught.value.diagnostics[0].message.startswith("`Schedule` takes an integer as `seed`")


@pytest.mark.parametrize("variable", ["a b", "", "for", "1st", "s.x", "s; exit()"])
def test_a_trace_is_written_with_a_name(variable: str) -> None:
    schedule = Schedule(MODULE)
    schedule.parallel("i")
    with pytest.raises(CompileError, match="takes the name of a variable"):
        schedule.trace.python(variable)
    assert schedule.trace.python("again").startswith("again.parallel(")


@pytest.mark.parametrize("name", ["lanes", "rows", "vectors"])
def test_options_and_the_pass_have_one_limit(name: str) -> None:
    said: list[str] = []
    wrong: dict[str, Any] = {name: -1}
    for made in (lambda: ScheduleOptions(**wrong), lambda: ScheduleDefault(**wrong)(MODULE)):
        with pytest.raises(CompileError) as caught:
            made()
        said.append(caught.value.diagnostics[0].message.split(" is ")[1])
    assert said[0] == said[1]
    assert said[0].startswith("a number from ")


@pytest.mark.parametrize("name", ["reorder", "fuse"])
def test_a_list_of_loops_where_they_go_one_by_one(name: str) -> None:
    schedule = Schedule(MODULE)
    with pytest.raises(CompileError) as caught:
        getattr(schedule, name)(["i", "j"])
    assert caught.value.diagnostics[0].hint == "give them one by one: `*loops`"


@pytest.mark.parametrize("name", ["bounds", "proves", "simplify"])
def test_a_question_about_a_place_is_text(name: str) -> None:
    schedule = Schedule(MODULE)
    with pytest.raises(CompileError) as caught:
        getattr(schedule.facts(schedule.get_loops(schedule.get_blocks()[0])[0]), name)(3)
    assert caught.value.diagnostics[0].code == "call/wrong-kind"
