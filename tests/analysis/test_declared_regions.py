"""Declared regions against what blocks touch."""

from __future__ import annotations

import pytest

from tests.schedule.checks import only
from workbench.analysis.declared_regions import undeclared_accesses
from workbench.ir.verify import check
from workbench.script import parse
from workbench.support import CompileError

SCRIPT = """
@T.prim_func
def f(
    A: T.Buffer((32,), "float32"), B: T.Buffer((32,), "float32"), C: T.Buffer((32,), "float32"),
    n: T.int64,
):
    for i in range(4):
        with T.sblock("C"):
            vi = T.axis.spatial(4, i)
            {declared}
            for k in range(8):
                {body}
"""
PLAIN = "C[vi * 8 + k] = A[vi * 8 + k] + C[vi * 8 + k]"


def messages(declared: str, body: str = PLAIN) -> list[str]:
    (function,) = parse(
        SCRIPT.format(declared=declared.replace("; ", "\n" + " " * 12), body=body)
    ).tensor_functions.values()
    return [fault.message for fault in undeclared_accesses(function)]


@pytest.mark.parametrize(
    ("declared", "body"),
    [
        ("T.reads(A[vi * 8:vi * 8 + 8]); T.writes(C[vi * 8:vi * 8 + 8])", PLAIN),
        ("T.reads(A[0:32]); T.writes(C[0:32])", PLAIN),
        ("T.reads(); T.writes()", PLAIN),
        ("T.writes(C[vi * 8:vi * 8 + 8])", PLAIN),
        ("T.reads(A[n:n + 8]); T.writes(C[vi * 8:vi * 8 + 8])", PLAIN),
        (
            "T.reads(A[0:4]); T.writes(C[vi * 8:vi * 8 + 8])",
            "C[vi * 8 + k] = T.if_then_else(k < 4, A[k], T.float32(0))",
        ),
    ],
)
def test_what_contains_all_or_cannot_be_decided(declared: str, body: str) -> None:
    assert messages(declared, body) == []


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        (
            "T.reads(A[vi * 8:vi * 8 + 4]); T.writes(C[vi * 8:vi * 8 + 8])",
            "block `C` reads `A` outside of what `T.reads` declares: in dimension 0 from 0 to 7 of "
            "an extent of 4",
        ),
        (
            "T.reads(A[vi * 8 + 1:vi * 8 + 9]); T.writes(C[vi * 8:vi * 8 + 8])",
            "block `C` reads `A` outside of what `T.reads` declares: in dimension 0 from -1 to 6 "
            "of an extent of 8",
        ),
        (
            "T.reads(B[0:8]); T.writes(C[vi * 8:vi * 8 + 8])",
            "block `C` reads `A`, which `T.reads` leaves out",
        ),
        (
            "T.reads(A[vi * 8:vi * 8 + 8]); T.writes(C[vi * 8])",
            "block `C` writes `C` outside of what `T.writes` declares: in dimension 0 from 0 to 7 "
            "of an extent of 1",
        ),
    ],
)
def test_what_is_left_out(declared: str, message: str) -> None:
    assert message in messages(declared)


def test_views_and_inner_blocks_are_looked_through() -> None:
    body = """with T.sblock("inner"):
                    vk = T.axis.spatial(8, k)
                    V = T.match_buffer(A[vi * 8 + vk:vi * 8 + vk + 2], (2,), "float32")
                    C[vi * 8 + vk] = V[1]"""
    (message,) = messages("T.reads(A[vi * 8:vi * 8 + 8]); T.writes(C[vi * 8:vi * 8 + 8])", body)
    assert message.endswith("in dimension 0 from 1 to 8 of an extent of 8")


def test_the_verifier_asks() -> None:
    declared = "T.reads(B[0:8]); T.writes(C[0:32])".replace("; ", "\n" + " " * 12)
    with pytest.raises(CompileError) as caught:
        check(parse(SCRIPT.format(declared=declared, body=PLAIN)))
    assert caught.value.diagnostics[0].code == "tensor/undeclared-access"


@pytest.mark.parametrize(
    ("index", "declared", "fault"),
    [
        ("v", "B[v]", False),
        ("7 - v", "B[v]", True),
        ("7 - v", "B[0:8]", False),
        ("8 - v", "B[0:8]", True),
        ("v * 2", "B[v]", True),
        ("0", "B[v]", True),
        ("v * 2", "B[0:8], B[8:16]", False),
        ("v + 8", "B[v], B[v + 1]", True),
        ("v + 8", "B[v], B[v + 8]", False),
    ],
)
def test_instances_of_the_block_are_compared(index: str, declared: str, fault: bool) -> None:
    text = f"""
@T.prim_func
def f(A: T.Buffer((8,), "float32"), B: T.Buffer((16,), "float32")):
    for i in range(8):
        with T.sblock("B"):
            v = T.axis.spatial(8, i)
            T.reads(A[v])
            T.writes({declared})
            B[{index}] = A[v]
"""
    assert bool(undeclared_accesses(only(parse(text)))) is fault
    guarded = text.replace("T.reads", "T.where(i == 3)\n            T.reads")
    told = bool(undeclared_accesses(only(parse(guarded))))
    assert told is (fault and index != "8 - v")  # what a predicate leaves out is not counted


@pytest.mark.parametrize(
    ("declared", "body", "where"),
    [
        ("T.reads(A[vi]); T.writes(C[vi // 2])", "C[(vi + 1) // 2] = A[vi]", "`C[2]` at `i=3`"),
        ("T.reads(A[vi]); T.writes(C[vi // 2])", "C[vi // 2] = A[vi]", ""),
        ("T.reads(A[vi]); T.writes(C[vi % 2])", "C[vi % 3] = A[vi]", "`C[0]` at `i=3`"),
        ("T.reads(A[vi]); T.writes(C[vi % 2])", "C[vi - vi // 2 * 2] = A[vi]", ""),
        (
            "T.reads(A[vi]); T.writes(C[vi])",
            "if vi > 1: C[vi + vi // 3] = A[vi]",
            "`C[4]` at `i=3`",
        ),
        ("T.reads(A[vi]); T.writes(C[vi])", "if vi < 3: C[vi + vi // 3] = A[vi]", ""),
        ("T.where(i < 3); T.writes(C[vi])", "C[vi + vi // 3] = A[vi]", ""),
        ("T.where(i > 2); T.writes(C[vi])", "C[vi + vi // 3] = A[vi]", "`C[4]` at `i=3`"),
        ("T.reads(A[0:3]); T.writes(C[vi])", "C[vi] = A[T.min(vi, 2)]", ""),
        ("T.reads(A[0:2]); T.writes(C[vi])", "C[vi] = A[T.min(vi, 2)]", "`A[2]` at `i=2`"),
        ("T.reads(A[vi], A[vi + 1]); T.writes(C[vi])", "C[vi] = A[vi + vi % 2]", ""),
    ],
)
def test_divisions_predicates_and_branches(declared: str, body: str, where: str) -> None:
    text = SCRIPT.format(declared=declared.replace("; ", "\n" + " " * 12), body="BODY")
    text = text.replace(
        "            for k in range(8):\n                BODY", f"            {body}"
    )
    found = [fault.message for fault in undeclared_accesses(only(parse(text)))]
    assert bool(found) is bool(where)
    assert all(where in message for message in found)


def test_what_memory_decides_is_trusted() -> None:
    body = "if A[k] > T.float32(0): C[k % 9 * 4] = A[k]"
    assert messages("T.writes(C[0:1])", body) == []
