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
