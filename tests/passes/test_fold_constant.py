"""Constants that cannot be folded: a call that fails stays, and fails where it runs."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.interpret import run
from workbench.passes import FoldConstant
from workbench.runtime import build
from workbench.script import parse
from workbench.support import CompileError

TEXT = """
@R.function
def main(x: R.Tensor((3,), "int32")):
    with R.dataflow():
        i = R.floor_divide(R.const([7, -7, 1], "int32"), R.const([0, 2, 2], "int32"))
        j = R.negative(i)
        k = R.add(R.const([1, 2, 3], "int32"), R.const([1, 1, 1], "int32"))
        y = R.add(R.add(x, j), k)
        R.output(y)
    return y
"""


def test_a_call_that_fails_is_not_folded_nor_what_reads_it() -> None:
    result = FoldConstant()(parse(TEXT))
    assert [d.code for d in result.remarks] == ["fold/fails"] * 2
    assert "an integer by zero" in result.remarks[0].message
    text = result.module.script()
    assert "R.floor_divide" in text
    assert "R.negative" in text
    assert text.count("R.add") == 2
    for runs in (lambda x: run(result.module, x), build(result.module)):
        with pytest.raises(CompileError, match="run/division-by-zero"):
            runs(np.zeros(3, np.int32))
