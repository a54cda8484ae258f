from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

import workbench as wb
from tests.session.programs import SMALL, SwapOperands, small
from workbench.ir import structurally_equal


def test_every_public_name_is_there() -> None:
    for name in wb.__all__:
        assert getattr(wb, name) is not None
    with pytest.raises(AttributeError):
        getattr(wb, "no_such_name")  # noqa: B009 - the point is that it is missing


def test_importing_the_package_loads_nothing_slow() -> None:
    """Half a second is promised: no compiler, no notebook, no ONNX on `import workbench`."""
    code = "import sys, workbench; print([m for m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for slow in ("llvmlite", "onnx", "ipywidgets", "networkx", "graphviz", "IPython"):
        assert f"'{slow}'" not in done.stdout


def test_load_reads_scripts_and_saved_modules(tmp_path: Path) -> None:
    script = tmp_path / "small.py"
    script.write_text(SMALL, encoding="utf-8")
    wb.save(small(), tmp_path / "small.wb")
    assert structurally_equal(wb.load(script), small())
    assert structurally_equal(wb.load(tmp_path / "small.wb"), small())
    assert wb.open(tmp_path / "small.wb").name == "small"


def test_a_missing_or_damaged_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(wb.CompileError, match=r"nothing\.onnx"):
        wb.open(tmp_path / "nothing.onnx")
    small_file = tmp_path / "small.wb"
    wb.save(small(), small_file)
    for read in (wb.open, wb.load):
        with pytest.raises(wb.CompileError, match=r"is a folder(.|\n)*`small\.wb`"):
            read(tmp_path)
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(b"\x08\x07\x12\x04torn")
    with pytest.raises(wb.CompileError):
        wb.open(damaged)


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (lambda data: data[: len(data) // 2], "of which the end is missing"),
        (lambda _: b"", "is empty"),
        (lambda data: b"torn" + data[4:200], "does not begin as one"),
        (lambda data: _turned(data, data.index(b"module.py") + 40), "is damaged"),
    ],
    ids=["cut off", "empty", "other", "changed"],
)
def test_a_damaged_saved_module_is_called_one(
    tmp_path: Path, damage: Callable[[bytes], bytes], what: str
) -> None:
    path = tmp_path / "small.wb"
    wb.save(wb.parse(SMALL.replace("relu", "gelu")), path)
    path.write_bytes(damage(path.read_bytes()))
    for read in (wb.open, wb.load):
        with pytest.raises(wb.CompileError, match=what) as caught:
            read(path)
        (fault,) = caught.value.diagnostics
        assert fault.code == "script/bad-file"
        assert "ONNX" not in fault.render()


def _turned(data: bytes, at: int) -> bytes:
    """Twenty bytes of compressed data with all bits turned."""
    return data[:at] + bytes(255 - byte for byte in data[at : at + 20]) + data[at + 20 :]


def test_open_takes_what_load_takes() -> None:
    model = onnx.load(importlib.import_module("workbench.frontend.demo").magika_path())
    session = wb.open(model, "magika")
    assert session.name == "magika"
    assert structurally_equal(session.module, wb.load(model))
    assert wb.open(model).name
    with pytest.raises(wb.CompileError, match=r"`open` takes a module, a path or an `onnx"):
        wb.open(3)


def test_three_mistakes_are_three_diagnostics_with_carets() -> None:
    text = SMALL.replace("R.matmul(x, w)", "R.matmul(x, ww)")
    text = text.replace("R.add(h, b)", "R.added(h, b)").replace("R.output(y)", "R.output(z)")
    with pytest.raises(wb.CompileError) as caught:
        wb.parse(text)
    assert len(caught.value.diagnostics) == 3
    assert all("^" in diagnostic.render() for diagnostic in caught.value.diagnostics)


def test_blame_names_the_first_wrong_step() -> None:
    session = wb.open(small())
    session.apply("FoldConstant")
    assert session.blame() is None
    session.apply(SwapOperands())
    session.apply("LegalizeOps")
    blamed = session.blame()
    assert blamed is not None
    assert blamed.index == 2
