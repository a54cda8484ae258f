from __future__ import annotations

import time

import msgspec
import pytest

import workbench as wb
from workbench.session import Session
from workbench.support import CompileError
from workbench.view.offers import (
    place_facts,
    place_offers,
    primitive_of,
    some_offers,
    try_primitive,
)
from workbench.view.protocol import OfferView
from workbench.view.views import SessionViews

MATMUL = """
@T.prim_func
def matmul(
    A: T.Buffer((64, 48), "float32"),
    B: T.Buffer((48, 80), "float32"),
    C: T.Buffer((64, 80), "float32"),
):
    for i, j, k in T.grid(64, 80, 48):
        with T.block("C"):
            vi, vj, vk = T.axis.remap("SSR", [i, j, k])
            with T.init():
                C[vi, vj] = T.float32(0)
            C[vi, vj] = C[vi, vj] + A[vi, vk] * B[vk, vj]
"""
SECONDS = 0.05
"""What the list at one loop may take; several times that on a busy machine."""


@pytest.fixture
def session() -> Session:
    return wb.open(wb.parse(MATMUL))


def place(session: Session, name: str) -> str:
    """The key of a loop or block of the head."""
    detail = SessionViews(session).detail(session.head.index, "matmul/")
    row = next(row for row in detail.loops if row.name == name)
    assert row.node is not None
    return row.node


def offered(session: Session, name: str) -> dict[str, OfferView]:
    found = place_offers(session.module, place(session, name), "s")
    return {offer.name: offer for offer in found}


def test_what_applies_comes_first_with_parameters_that_can_be_performed(session: Session) -> None:
    offers = offered(session, "j")
    answers = [offer.answer for offer in offers.values()]
    assert answers == sorted(answers, key=lambda answer: answer != "applies")
    split = offers["Split"]
    assert [choice.label for choice in split.choices][:2] == ["[None, 8]", "[None, 16]"]
    assert split.own == "factors"
    assert split.doc.startswith("Replace a loop by nested ones")
    for offer in offers.values():
        if offer.answer == "applies":
            chosen = primitive_of(offer.name, offer.choices[0].arguments)
            assert chosen.run(session.module).module is not session.module


def test_a_refusal_has_its_witness(session: Session) -> None:
    parallel = offered(session, "k")["Parallel"]
    assert parallel.answer == "illegal"
    assert "k=1" in parallel.notes[0]
    assert "k=0" in parallel.notes[0]


def test_labels_tell_choices_apart_and_leave_the_rest_out(session: Session) -> None:
    offers = offered(session, "C")
    assert [choice.label for choice in offers["DecomposeReduction"].choices] == ["k", "j", "i"]
    assert [choice.label for choice in offers["CacheRead"].choices] == ["A", "B"]
    assert [choice.label for choice in offered(session, "i")["Parallel"].choices] == [""]
    layouts = [choice.label for choice in offers["TransformLayout"].choices]
    assert layouts[0] == "C, (i1, i0)"
    assert len(layouts) == len(set(layouts))


@pytest.mark.parametrize(
    ("text", "factors"),
    [("None, 12", [None, 12]), ("[4, None, 2]", [4, None, 2]), (" 8 , _ ", [8, None])],
)
def test_own_parameters_are_read_from_text(
    session: Session, text: str, factors: list[int | None]
) -> None:
    offer = try_primitive(session.module, "Split", {"loop": "j", "factors": text}, "s")
    assert offer.answer == "applies"
    (choice,) = offer.choices
    assert choice.arguments["factors"] == factors
    assert primitive_of("Split", choice.arguments)


def test_names_are_read_from_text(session: Session) -> None:
    offer = try_primitive(session.module, "Reorder", {"loops": "k, 'j', i"}, "s")
    assert offer.answer == "applies"
    assert offer.choices[0].arguments["loops"] == ["k", "j", "i"]


def test_own_parameters_that_fit_nowhere_are_answered_or_refused(session: Session) -> None:
    zero = try_primitive(session.module, "Split", {"loop": "j", "factors": "0, 12"}, "s")
    assert zero.answer == "inapplicable"
    assert "positive" in zero.reason
    with pytest.raises(CompileError) as refused:
        try_primitive(session.module, "Split", {"loop": "j", "factors": "a, 12"}, "s")
    assert refused.value.diagnostics[0].code == "view/bad-parameters"


def test_what_a_loop_carries_is_said_once_for_all_kinds(session: Session) -> None:
    lines = place_facts(session.module, place(session, "k"))
    update = next(line for line in lines if line.endswith("(reduction)"))
    assert update.startswith("carries: anti, flow, output of C, C → C, distance (k +)")
    for name in ("i", "C"):
        facts = place_facts(session.module, place(session, name))
        assert not any(line.startswith("carries") for line in facts)


def test_what_a_loop_reads_and_writes_is_a_box(session: Session) -> None:
    reads, writes, *_ = place_facts(session.module, place(session, "k"))
    assert reads.startswith("reads ")
    assert "A[i, 0:" in reads
    assert writes == "writes C[i, j]"


def test_a_place_that_is_gone_is_said(session: Session) -> None:
    with pytest.raises(CompileError) as gone:
        place_facts(session.module, "matmul/999")
    assert gone.value.diagnostics[0].code == "view/unknown-place"


def test_the_history_says_what_became_of_loops(session: Session) -> None:
    views = SessionViews(session)
    before = place(session, "j")
    session.schedule("matmul").split("j", factors=[None, 16])
    assert views.history().steps[1].became == {before: place(session, "j_0")}
    assert views.history().steps[0].became == {}


def test_the_list_at_a_loop_comes_at_once(session: Session) -> None:
    keys = [place(session, name) for name in ("i", "j", "k", "C")]
    times: list[float] = []
    for key in keys * 3:
        started = time.perf_counter()
        place_offers(session.module, key, "s")
        times.append(time.perf_counter() - started)
    assert sorted(times)[len(times) // 2] < 8 * SECONDS


def test_a_list_that_takes_long_comes_in_parts(session: Session) -> None:
    key = place(session, "j")
    whole, end = some_offers(session.module, key, "s")
    assert end is None
    first, following = some_offers(session.module, key, "s", seconds=-1)
    assert following == 1
    parts = list(first)
    while following is not None:
        more, following = some_offers(session.module, key, "s", following, -1)
        assert len(more) <= 1
        parts += more
    assert parts == whole


def test_a_module_of_tensor_functions_is_a_picture(session: Session) -> None:
    views = SessionViews(session)
    (function,) = views.module(0).functions
    assert function.name == ""
    (card,) = function.nodes
    assert (card.key, card.kind, card.label, card.callee) == (
        "matmul/", "tensor", "matmul", "matmul",
    )  # fmt: skip
    session.schedule("matmul").parallel("i")
    assert views.module(1).functions[0].nodes[0].change == "rewritten"
    assert msgspec.json.encode(views.bundle())


def test_a_tensor_function_has_details_of_its_own(session: Session) -> None:
    session.schedule("matmul").parallel("i")
    views = SessionViews(session)
    detail = views.detail(1, "matmul/")
    assert (detail.title, detail.callee, detail.editable) == ("matmul", "matmul", True)
    assert detail.facts == ["492 kop, 47 KiB, 10.2 ops/byte"]
    assert [origin.detail for origin in detail.origin] == ["matmul", "Parallel: rewritten"]
    assert "define" in detail.llvm
    assert detail.assembly
    assert [action.scope for action in detail.actions] == ["module"] * len(detail.actions)
    rows = {row.name: row for row in detail.loops if row.name}
    assert list(rows) == ["i", "j", "k", "C"]
    assert rows["i"].kind == "parallel"
    assert rows["i"].cost == "492 kop · 47 KiB"
    assert rows["k"].cost == "96 op · 388 B"
    assert rows["i"].cost_detail.startswith("one run: 491 520 operations, ")
    with pytest.raises(CompileError) as gone:
        views.detail(1, "matmul2/")
    assert gone.value.diagnostics[0].code == "view/unknown-node"


def test_a_called_function_opens_too_and_says_who_calls() -> None:
    session = wb.open(
        wb.parse(
            """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((8, 4), "float32")):
        with R.dataflow():
            y = R.nn.relu(x)
            z = R.nn.relu(y)
            R.output(z)
        return z
"""
        )
    )
    session.apply("LegalizeOps")
    views = SessionViews(session)
    assert [function.name for function in views.module(1).functions] == ["main"]
    card = next(card for card in views.module(1).cards if card.kind == "tensor")
    detail = views.detail(1, f"{card.name}/")
    assert detail.facts[1:] == ["called 2 times"]
    assert [origin.detail for origin in detail.origin] == ["LegalizeOps: made"]
