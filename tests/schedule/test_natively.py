"""What the native half of the fuzzing is able to find."""

import pytest

from tests.generate.programs import Program
from tests.schedule.natively import assert_same_natively
from workbench.script import parse
from workbench.support import CompileError

SHIFT = """
@T.prim_func
def f(A: T.Buffer(("n",), "float32"), B: T.Buffer(("n",), "float32"), C: T.Buffer(("m",), "int32")):
    n = T.int64()
    m = T.int64()
    for p in range(n - 3):
        B[p] = A[p + 3]
    for q in range(m):
        C[q] = C[q] + 1
"""
PROGRAM = Program(SHIFT, {"n": 5, "m": 4}, affine=False, symbolic=True)


def _wrong(addition: str) -> None:
    assert_same_natively(PROGRAM, PROGRAM.parse(), parse(SHIFT + addition), [{"n": 7, "m": 7}], 3)


def test_equal_programs_compute_the_same() -> None:
    _wrong("")


@pytest.mark.parametrize("where", ["n < 3", "n == 1", "n == 7", "n == 5", "n > 8", "m == 0"])
def test_what_differs_on_some_extents_only_is_found(where: str) -> None:
    with pytest.raises(AssertionError, match="`B` natively with"):
        _wrong(f"    for z in range(n):\n        if {where}:\n            B[z] = T.float32(100)\n")


def test_integers_are_compared_to_the_bit() -> None:
    with pytest.raises(AssertionError, match="holds integers and differs"):
        _wrong('    for z in range(m):\n        C[z] = C[z] + T.cast(z == 16, "int32")\n')


def test_an_access_outside_is_found() -> None:
    with pytest.raises(CompileError, match="out of bounds"):
        _wrong("    if n > 8:\n        B[n] = T.float32(1)\n")


def test_programs_that_read_what_nobody_wrote_are_not_compared() -> None:
    memory = '    t = T.alloc_buffer((8,), "float32")\n'
    text = f"{SHIFT}{memory}    for q in range(n):\n        B[q] = t[0]\n"
    program = Program(text, {"n": 5, "m": 4}, affine=False, symbolic=True)
    assert_same_natively(program, program.parse(), parse(SHIFT), (), 3)
