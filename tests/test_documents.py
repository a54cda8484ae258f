"""Code in the documents runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import workbench as wb

DOCS = Path(__file__).parent.parent / "docs"
MODEL = """
@I.ir_module
class Module:
    @R.function
    def main(
        x: R.Tensor((64, 64), "float32"), w: R.Tensor((64, 64), "float32")
    ) -> R.Tensor((64, 64), "float32"):
        with R.dataflow():
            h = R.matmul(x, w)
            y = R.nn.relu(h)
            R.output(y)
        return y
"""


def code_of(name: str, heading: str = "") -> str:
    text = (DOCS / name).read_text(encoding="utf-8")
    if heading:
        text = text.split(f"## {heading}\n")[1].split("\n## ")[0]
    found = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert found
    return "\n".join(found)


def test_tensor_expressions() -> None:
    names: dict[str, Any] = {}
    exec(code_of("expressions.md"), names)
    np.testing.assert_array_equal(names["result"], np.full((16, 4), 8.0, "float32"))
    assert "parallel" in names["sch"].module.script()
    padded = names["P"]
    assert padded.shape == (10,)


def test_analyses_by_themselves(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    exec(code_of("analysis.md"), names)
    shown = code_of("analysis.md").split('print(sch.facts("y"))\n')[1].split("\n```")[0]
    lines = [line.removeprefix("# ") for line in shown.splitlines() if line.startswith("# ")]
    assert capsys.readouterr().out.startswith("\n".join(lines))
    assert len(lines) == 5


def test_a_function_of_a_model_is_scheduled() -> None:
    names: dict[str, Any] = {"wb": wb, "model": wb.parse(MODEL)}
    exec(code_of("schedules.md", "From a model to one of its functions"), names)
    assert list(names["s"].module.tensor_functions) == ["matmul", "relu"]
    assert names["s"].wait()
    assert names["s"].head.verdict.state in {"exact", "close"}
    assert len(names["s"].path) == 6
