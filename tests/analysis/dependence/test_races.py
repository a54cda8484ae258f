"""Races that the verifier finds in parallel and vectorised loops."""

from __future__ import annotations

import pytest

from workbench.ir import IRModule
from workbench.ir.verify import check, verify
from workbench.script import parse
from workbench.support import CompileError, Severity

TEXT = """
@I.ir_module
class Module:
    @T.prim_func
    def f(A: T.Buffer((8,), "float32"), I: T.Buffer((8,), "int64")):
        for i in T.KIND(EXTENT):
            A[WHERE] = VALUE
"""


def parsed(where: str, value: str, kind: str = "parallel", extent: int = 7) -> IRModule:
    text = TEXT.replace("KIND", kind).replace("EXTENT", str(extent))
    return parse(text.replace("WHERE", where).replace("VALUE", value))


@pytest.mark.parametrize("kind", ["parallel", "vectorized"])
def test_a_race_written_by_hand_is_refused_with_a_pair_of_iterations(kind: str) -> None:
    with pytest.raises(CompileError) as error:
        check(parsed("i", "A[i + 1]", kind))
    (fault,) = error.value.diagnostics
    assert fault.code == "tensor/racy-parallel"
    assert f"the iterations of the {kind} loop `i` are not independent" in fault.message
    assert fault.notes == ("`i=1` writes `A[1]`, which `i=0` reads",)


def test_what_is_not_proved_is_a_warning() -> None:
    module = parsed("I[i]", "T.float32(1)")
    (fault,) = verify(module)
    assert fault.code == "tensor/unproved-parallel"
    assert fault.severity is Severity.WARNING
    assert "`I[i]`" in fault.message
    check(module)


@pytest.mark.parametrize(
    ("where", "value", "kind", "extent"),
    [
        ("i", "A[i] + T.float32(1)", "parallel", 8),
        ("i", "A[i + 1]", "serial", 7),
        ("i", "A[i + 1]", "parallel", 1),
        ("i % 4 + 4", "A[i % 4]", "vectorized", 4),
    ],
)
def test_loops_without_races_pass(where: str, value: str, kind: str, extent: int) -> None:
    assert verify(parsed(where, value, kind, extent)) == ()


THREADS = """
@T.prim_func
def f(A: T.Buffer((8, 4), "float32"), S: T.Buffer((4,), "float32")):
    for k in T.thread_binding(8, thread="threadIdx.x"):
        for i in range(4):
            BODY
"""
TOGETHER = """with T.sblock("S"):
                vi = T.axis.spatial(4, i)
                vk = T.axis.KIND(8, k)
                with T.init():
                    S[vi] = T.float32(0)
                S[vi] = S[vi] + A[vk, vi]"""


def test_threads_that_would_race_are_a_warning() -> None:
    """They run one after the other here: what they compute is what the script says."""
    module = parse(THREADS.replace("BODY", "S[i] = S[i] + A[k, i]"))
    (fault,) = verify(module)
    assert fault.code == "tensor/racy-threads"
    assert fault.severity is Severity.WARNING
    assert fault.message == (
        "the iterations of the loop over threads `k` are not independent: the iterations of `k` "
        "update the same element of `S`, a sum"
    )
    assert fault.notes[-1] == (
        "on a processor the loop runs serially; bound to `threadIdx.x` it would race"
    )
    check(module)


def test_threads_may_reduce_together() -> None:
    assert verify(parse(THREADS.replace("BODY", TOGETHER.replace("KIND", "reduce")))) == ()
    (fault,) = verify(parse(THREADS.replace("BODY", TOGETHER.replace("KIND", "opaque"))))
    assert fault.code == "tensor/racy-threads"


def test_threads_that_reduce_together_and_race_beside_it() -> None:
    beside = "\n            S[0] = A[k, 0]"
    (fault,) = verify(parse(THREADS.replace("BODY", TOGETHER.replace("KIND", "reduce") + beside)))
    assert fault.code == "tensor/racy-threads"


def test_independent_threads_pass() -> None:
    assert verify(parse(THREADS.replace("BODY", "A[k, i] = A[k, i] + S[i]"))) == ()
