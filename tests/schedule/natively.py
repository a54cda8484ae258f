"""Scheduled programs as native code, against the reference interpreter on the program before.

Symbols take small values, so that loops are empty or their extents negative, and values that fill
vectors and leave a rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from tests.generate.programs import Program
from tests.schedule.agreeing import assert_agree
from workbench.interpret import run_tensor_function
from workbench.ir import IRModule, TensorFunction
from workbench.runtime import build

EXTENTS = ((0, 0), (1, 1), (0, 3), (2, 0), (9, 18))


def assert_same_natively(
    program: Program, before: IRModule, after: IRModule, more: Iterable[dict[str, int]], seed: int
) -> None:
    """Native code of `after` computes what `before` does; floats may be rounded elsewhere.

    Raises:
        AssertionError: it computes something else.
        CompileError: it faults.
    """
    function = before["f"]
    assert isinstance(function, TensorFunction)
    names = [param.name for param in function.params]
    native = build(after)
    for symbols in _extents(program, more):
        expected = replace(program, symbols=symbols).arguments(function, seed)
        found = [array.copy() for array in expected]
        run_tensor_function(function, expected)
        native(*found, function="f")
        assert_agree(f"natively with {symbols}", names, expected, found, rounding=True)


def _extents(program: Program, more: Iterable[dict[str, int]]) -> Iterable[dict[str, int]]:
    """Values of the symbols, those that the program has and others where it may have them."""
    yield program.symbols
    if program.symbolic:
        yield from more
        for values in EXTENTS:
            yield dict(zip(program.symbols, values, strict=False))
