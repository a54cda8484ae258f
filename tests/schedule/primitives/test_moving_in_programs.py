"""Blocks that move in programs as people write them: branches, scalars, nested blocks, loops."""

from __future__ import annotations

import pytest

from tests.schedule.checks import answered, applied, body
from workbench.analysis.dependence import AnswerKind
from workbench.schedule import Primitive
from workbench.schedule.primitives.compute_at import ComputeAt
from workbench.schedule.primitives.compute_inline import ComputeInline
from workbench.schedule.primitives.decompose_reduction import DecomposeReduction
from workbench.schedule.primitives.reverse_compute_at import ReverseComputeAt
from workbench.schedule.primitives.reverse_compute_inline import ReverseComputeInline
from workbench.schedule.primitives.rfactor import Rfactor
from workbench.script import parse

CHAIN = """
@T.prim_func
def f(A: T.Buffer((8, 6), "float32"), C: T.Buffer((8, 6), "float32")):
    B = T.sblock_alloc_buffer((8, 6), "float32")
    for i, j in T.grid(8, 6):
        with T.sblock("B"):
            vi, vj = T.axis.remap("SS", [i, j])
            B[vi, vj] = A[vi, vj] * T.float32(2)
CONSUMER
"""

PRODUCER = """
@T.prim_func
def f(A: T.Buffer((8, 6), "float32"), C: T.Buffer((8, 6), "float32")):
    B = T.sblock_alloc_buffer((8, 6), "float32")
PRODUCER
    for i, j in T.grid(8, 6):
        with T.sblock("C"):
            vi, vj = T.axis.remap("SS", [i, j])
            C[vi, vj] = B[vi, vj] + T.float32(1)
"""

CONSUMERS = {
    "branch": """\
    for i, j in T.grid(8, 6):
        if i < 5:
            with T.sblock("C"):
                vi, vj = T.axis.remap("SS", [i, j])
                C[vi, vj] = B[vi, vj] + T.float32(1)
        else:
            with T.sblock("D"):
                vi, vj = T.axis.remap("SS", [i, j])
                C[vi, vj] = B[vi, 5 - vj]
""",
    "scalar": """\
    for i in range(8):
        k: T.let[T.int64] = 7 - i
        for j in range(6):
            with T.sblock("C"):
                vi, vj = T.axis.remap("SS", [i, j])
                C[vi, vj] = B[k, vj] + T.float32(1)
""",
    "blockless": """\
    for i in range(8):
        for j in range(1, 5):
            C[i, j] = B[i, j - 1] + B[i, j + 1]
""",
    "nested block": """\
    for i in range(8):
        with T.sblock("outer"):
            vi = T.axis.spatial(8, i)
            for j in range(6):
                with T.sblock("C"):
                    vj = T.axis.spatial(6, j)
                    C[vi, vj] = B[vi, vj] + T.float32(1)
""",
    "while": """\
    for i in range(8):
        k = T.alloc_buffer((), "int64")
        k[()] = 0
        while k[()] < 6:
            C[i, k[()]] = B[i, k[()]]
            k[()] = k[()] + 1
""",
    "triangle": """\
    for i in range(8):
        for j in range(T.min(i + 1, 6)):
            with T.sblock("C"):
                vi, vj = T.axis.remap("SS", [i, j])
                C[vi, vj] = B[vi, vj]
""",
    "modulo": """\
    for i, j in T.grid(8, 6):
        with T.sblock("C"):
            vi, vj = T.axis.remap("SS", [i, j])
            C[vi, vj] = B[(vi + 3) % 8, vj] + B[vi // 2, vj]
""",
    "predicate": """\
    for i, j in T.grid(8, 8):
        with T.sblock("C"):
            vi = T.axis.spatial(8, i)
            vj = T.axis.spatial(6, j)
            T.where(j < 6)
            C[vi, vj] = B[vi, vj]
""",
}

PRODUCERS = {
    "branch": """\
    for i, j in T.grid(9, 6):
        if i < 8:
            with T.sblock("B"):
                vi = T.axis.spatial(8, i)
                vj = T.axis.spatial(6, j)
                B[vi, vj] = A[vi, vj] * T.float32(2)
""",
    "scalar": """\
    for i in range(8):
        k: T.let[T.int64] = 7 - i
        for j in range(6):
            with T.sblock("B"):
                vi = T.axis.spatial(8, k)
                vj = T.axis.spatial(6, j)
                B[vi, vj] = A[vi, vj] * T.float32(2)
""",
    "loop variables in the body": """\
    for i, j in T.grid(8, 6):
        with T.sblock("B"):
            vi, vj = T.axis.remap("SS", [i, j])
            B[vi, vj] = A[7 - i, j] * T.float32(2)
""",
    "split": """\
    for io, j, ii in T.grid(3, 6, 3):
        with T.sblock("B"):
            vi = T.axis.spatial(8, io * 3 + ii)
            vj = T.axis.spatial(6, j)
            T.where(io * 3 + ii < 8)
            B[vi, vj] = A[vi, vj] * T.float32(2)
""",
    "fused": """\
    for f in range(48):
        with T.sblock("B"):
            vi = T.axis.spatial(8, f // 6)
            vj = T.axis.spatial(6, f % 6)
            B[vi, vj] = A[vi, vj] * T.float32(2)
""",
    "tiled stores": """\
    for i, j in T.grid(4, 6):
        with T.sblock("B"):
            vi, vj = T.axis.remap("SS", [i, j])
            for u in range(2):
                B[vi * 2 + u, vj] = A[vi * 2 + u, vj] * T.float32(2)
""",
    "reduction with a loop inside": """\
    for i, j, k in T.grid(8, 6, 3):
        with T.sblock("B"):
            vi, vj, vk = T.axis.remap("SSR", [i, j, k])
            with T.init():
                B[vi, vj] = T.float32(0)
            for u in range(2):
                B[vi, vj] = B[vi, vj] + A[vi, vk * 2 + u]
""",
    "two stores": """\
    for i, j in T.grid(4, 6):
        with T.sblock("B"):
            vi, vj = T.axis.remap("SS", [i, j])
            B[vi * 2, vj] = A[vi * 2, vj]
            B[vi * 2 + 1, vj] = A[vi * 2, vj] * T.float32(3)
""",
    "a scalar inside": """\
    for i, j in T.grid(8, 6):
        with T.sblock("B"):
            vi, vj = T.axis.remap("SS", [i, j])
            k: T.let[T.int64] = 7 - vi
            B[k, vj] = A[vi, vj] * T.float32(2)
""",
    "backwards": """\
    for i, j in T.grid(8, 6):
        with T.sblock("B"):
            vi = T.axis.spatial(8, 7 - i)
            vj = T.axis.spatial(6, j)
            B[vi, vj] = A[vi, vj] * T.float32(2)
""",
}


@pytest.mark.parametrize("name", CONSUMERS)
def test_a_producer_moves_to_any_consumer(name: str) -> None:
    module = parse(CHAIN.replace("CONSUMER\n", CONSUMERS[name]))
    after = applied(module, ComputeAt(block="B", loop="i#2"))
    assert body(after).startswith("for i in range(8):")


@pytest.mark.parametrize("name", CONSUMERS)
def test_a_producer_goes_into_any_consumer(name: str) -> None:
    module = parse(CHAIN.replace("CONSUMER\n", CONSUMERS[name]))
    after = applied(module, ComputeInline(block="B"))
    assert "B[" not in body(after)


@pytest.mark.parametrize("name", PRODUCERS)
def test_any_producer_moves(name: str) -> None:
    module = parse(PRODUCER.replace("PRODUCER\n", PRODUCERS[name]))
    after = applied(module, ComputeAt(block="B", loop="C.i"))
    assert body(after).startswith("for i in range(8):")


@pytest.mark.parametrize("name", ["branch", "scalar", "split", "fused", "backwards"])
def test_consumers_follow_the_order_of_any_producer(name: str) -> None:
    module = parse(PRODUCER.replace("PRODUCER\n", PRODUCERS[name]))
    loop = {"split": "io", "fused": "f"}.get(name, "i#1")
    applied(module, ReverseComputeAt(block="C", loop=loop))
    applied(module, ReverseComputeInline(block="C"))


def test_the_body_of_a_while_loop_stays() -> None:
    text = """
@T.prim_func
def f(A: T.Buffer((8,), "float32"), C: T.Buffer((8,), "float32")):
    B = T.sblock_alloc_buffer((8,), "float32")
    k = T.alloc_buffer((), "int64")
    k[()] = 0
    while k[()] < 8:
        with T.sblock("B"):
            vi = T.axis.spatial(8, k[()])
            B[vi] = A[vi] * T.float32(2)
        k[()] = k[()] + 1
    for i in range(8):
        with T.sblock("C"):
            vi = T.axis.spatial(8, i)
            C[vi] = B[vi]
"""
    answer = answered(parse(text), ComputeAt(block="B", loop="i"))
    assert answer.kind is AnswerKind.INAPPLICABLE
    assert answer.message == "`B` cannot leave the `while` around it"


def test_a_call_for_its_effect_stays() -> None:
    text = PRODUCER.replace(
        "PRODUCER\n",
        """\
    for i in range(8):
        with T.sblock("B"):
            vi = T.axis.spatial(8, i)
            T.evaluate(T.prefetch(0, dtype="int32"))
            B[vi, 0] = A[vi, 0]
""",
    )
    primitives: tuple[Primitive, ...] = (ComputeAt(block="B", loop="C.i"), ComputeInline(block="B"))
    for primitive in primitives:
        answer = answered(parse(text), primitive)
        assert answer.kind is AnswerKind.UNPROVED
        assert answer.message == "`B` calls something for its effect"


def test_declared_regions_follow() -> None:
    text = """
@T.prim_func
def f(A: T.Buffer((8, 6), "float32"), S: T.Buffer((8,), "float32")):
    B = T.sblock_alloc_buffer((8, 6), "float32")
    for i, j in T.grid(8, 6):
        with T.sblock("B"):
            vi, vj = T.axis.remap("SS", [i, j])
            T.reads(A[vi, vj])
            T.writes(B[vi, vj])
            B[vi, vj] = A[vi, vj] * T.float32(2)
    for i, k in T.grid(8, 6):
        with T.sblock("S"):
            vi, vk = T.axis.remap("SR", [i, k])
            T.reads(B[vi, vk])
            T.writes(S[vi])
            with T.init():
                S[vi] = T.float32(0)
            S[vi] = S[vi] + B[vi, vk]
"""
    module = parse(text)
    assert "T.reads(A[vi, vj])" in body(applied(module, ComputeAt(block="B", loop="S.i")))
    assert "T.reads(B" not in body(applied(module, ComputeInline(block="B")))
    applied(module, DecomposeReduction(block="S", loop="k"))
    applied(module, Rfactor(loop="k"))
