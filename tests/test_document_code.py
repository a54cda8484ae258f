"""Every block of Python in README and docs runs as it stands, from an empty folder.

A block may use what `GIVEN` says of its page, as the text around it does, and what blocks above it
made. Where a block of text with an error follows, that error is what the block raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import workbench as wb
from workbench.session import Comparison

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(
    r"^```python\n(.*?)^```\n(?:\n```text\n(error\[.*?)^```)?", re.MULTILINE | re.DOTALL
)

KERNELS = """
@I.ir_module
class Module:
    @T.prim_func
    def matmul(
        A: T.Buffer((64, 64), "float32"),
        B: T.Buffer((64, 64), "float32"),
        C: T.Buffer((64, 64), "float32"),
    ):
        for i, j, k in T.grid(64, 64, 64):
            with T.sblock("C"):
                vi, vj, vk = T.axis.remap("SSR", [i, j, k])
                with T.init():
                    C[vi, vj] = T.float32(0)
                C[vi, vj] = C[vi, vj] + A[vi, vk] * B[vk, vj]

    @T.prim_func
    def blur(X: T.Buffer((66, 66), "float32"), Y: T.Buffer((64, 64), "float32")):
        H = T.alloc_buffer((66, 64), "float32")
        for i, j in T.grid(66, 64):
            with T.sblock("bx"):
                vi, vj = T.axis.remap("SS", [i, j])
                H[vi, vj] = X[vi, vj] + X[vi, vj + 1] + X[vi, vj + 2]
        for i, j in T.grid(64, 64):
            with T.sblock("by"):
                vi, vj = T.axis.remap("SS", [i, j])
                Y[vi, vj] = H[vi, vj] + H[vi + 1, vj] + H[vi + 2, vj]
"""
PRODUCT = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((64, 64), "float32"), w: R.Tensor((64, 64), "float32")):
        with R.dataflow():
            h = R.matmul(x, w)
            y = R.nn.relu(h)
            R.output(y)
        return y
"""
CONVOLUTION = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((1, 16, 8, 8), "float32"), w: R.Tensor((16, 16, 3, 3), "float32")):
        with R.dataflow():
            c = R.nn.conv2d(x, w, padding=[1, 1, 1, 1])
            y = R.nn.relu(c)
            R.output(y)
        return y
"""
GIVEN = {
    "schedules.md": {"module": KERNELS, "model": PRODUCT},
    "layouts.md": {"module": CONVOLUTION},
}


@dataclass(frozen=True)
class Code:
    """A block of Python, and the error that the text says it raises."""

    page: Path
    line: int
    text: str
    error: str


def blocks(page: Path) -> Iterator[Code]:
    text = page.read_text(encoding="utf-8")
    for found in BLOCK.finditer(text):
        line = text.count("\n", 0, found.start()) + 2
        yield Code(page, line, found[1], found[2] or "")


def run(code: Code, names: dict[str, Any]) -> None:
    if code.text.startswith("@I.ir_module"):
        wb.build(wb.parse(code.text))
        return
    source = "\n" * (code.line - 1) + code.text
    exec(compile(source, str(code.page), "exec"), names)


WITH_CODE = [page for page in PAGES if any(blocks(page))]


def test_blocks_are_found() -> None:
    written = sum(page.read_text(encoding="utf-8").count("```python") for page in PAGES)
    assert sum(len(list(blocks(page))) for page in PAGES) == written >= 10
    assert GIVEN.keys() <= {page.name for page in WITH_CODE}


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: page.name)
def test_code_runs_from_an_empty_folder(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = {name: wb.parse(text) for name, text in GIVEN.get(page.name, {}).items()}
    names: dict[str, Any] = {"__name__": "__main__", "wb": wb, **given} if given else {}
    for code in blocks(page):
        names.update(given)
        if code.error:
            with pytest.raises(wb.CompileError) as caught:
                run(code, names)
            assert str(caught.value).strip() == code.error.strip()
        else:
            run(code, names)
        for value in list(names.values()):
            if isinstance(value, wb.Session):
                assert value.wait(300)
                wrong = [step for step in value.steps[1:] if not step.verdict.good]
                assert wrong == []
                assert value.comparison is None or gain(value.comparison) > 2


def gain(comparison: Comparison) -> float:
    """How many times faster the last bar is than the first."""
    first, *_, last = (bar.seconds for bar in comparison.bars)
    return first / last
