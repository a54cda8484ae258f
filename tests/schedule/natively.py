"""Scheduled programs as native code, against the reference interpreter on the program before.

Symbols take small values, so that loops are empty or their extents negative, and values that fill
vectors and leave a rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from unittest.mock import patch

import numpy as np

from tests.generate.programs import Program
from tests.schedule.agreeing import Arrays, assert_agree
from workbench.interpret import run_tensor_function, tensor
from workbench.ir import IRModule, TensorFunction
from workbench.runtime import build

EXTENTS = ((0, 0), (1, 1), (0, 3), (2, 0), (9, 18))


def assert_same_natively(
    program: Program, before: IRModule, after: IRModule, more: Iterable[dict[str, int]], seed: int
) -> None:
    """Native code of `after` computes what `before` does; floats may be rounded elsewhere.

    Programs that read what nobody wrote compute anything: they are run, and not compared.

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
        found, again = ([array.copy() for array in expected] for _ in range(2))
        run_tensor_function(function, expected)
        native(*found, function="f")
        try:
            assert_agree(f"natively with {symbols}", names, expected, found, rounding=True)
        except AssertionError:
            if not _depends_on_unwritten(function, again, expected):
                raise


def _depends_on_unwritten(function: TensorFunction, arguments: Arrays, expected: Arrays) -> bool:
    """Whether a function computes something else where its memory begins with zeros."""
    with patch.object(tensor, "_marked", np.zeros):
        run_tensor_function(function, list(arguments))
    return any(a.tobytes() != b.tobytes() for a, b in zip(arguments, expected, strict=True))


def _extents(program: Program, more: Iterable[dict[str, int]]) -> Iterable[dict[str, int]]:
    """Values of the symbols, those that the program has and others where it may have them."""
    yield program.symbols
    if program.symbolic:
        yield from more
        for values in EXTENTS:
            yield dict(zip(program.symbols, values, strict=False))
