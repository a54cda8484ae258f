"""The command line, called as a function: what it prints and the exit status that it gives."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

import workbench as wb
from workbench.cli import main

SCRIPT = """
@I.ir_module
class Module:
    @R.function
    def {name}(x: R.Tensor((2, 3), dtype="float32"), w: R.Tensor((3, 4), dtype="float32")):
        y = R.matmul(x, w)
        z = R.nn.relu(y)
        return z
"""
TIMES = re.compile(r"median of \d+ +([\d.]+) ms +\[([\d.]+) \.\. ([\d.]+)\]")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A small module in a file."""
    path = tmp_path / "small.wb"
    wb.save(wb.parse(SCRIPT.format(name="main")), path)
    return path


@pytest.mark.parametrize("options", [(), ("--plain",), ("--plain", "--threads", "1")])
def test_run_prints_inputs_and_times(
    saved: Path, options: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(saved), *options]) == 0
    shown = capsys.readouterr()
    found = TIMES.search(shown.out)
    assert found is not None, shown.out
    median, low, high = map(float, found.groups())
    assert 0 < low <= median <= high
    assert "inputs         seeded" in shown.out
    assert shown.err == ""


def test_run_takes_a_script_whose_function_is_not_called_main(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "other.py"
    path.write_text(SCRIPT.format(name="other"), encoding="utf-8")
    assert main(["run", str(path), "--plain"]) == 0
    assert TIMES.search(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("missing.onnx", None, "load/no-file"),
        ("damaged.onnx", b"no model", "onnx/bad-file"),
        ("damaged.wb", b"PK\x05\x06" + bytes(18), "script/bad-file"),
        ("empty.py", b"", "script/"),
    ],
)
def test_a_file_that_is_no_model_gives_one_diagnostic_and_status_one(
    tmp_path: Path,
    name: str,
    content: bytes | None,
    code: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    assert main(["run", str(path)]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("error") == 1, shown.err
    assert code in shown.err
    assert "Traceback" not in shown.err


def test_an_unknown_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["walk"])
    assert stopped.value.code == 2
    assert "invalid choice" in capsys.readouterr().err


def test_lab_opens_a_notebook_on_the_model(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []

    def note(command: list[str]) -> int:
        commands.append(command)
        return 0

    monkeypatch.setattr("workbench.cli.subprocess.call", note)
    assert main(["lab", str(saved)]) == 0
    (command,) = commands
    folder = next(w.split("=", 1)[1] for w in command if w.startswith("--ServerApp.root_dir="))
    book = nbformat.read(Path(folder) / "workbench.ipynb", as_version=4)
    nbformat.validate(book)
    assert repr(str(saved)) in book.cells[0].source
    assert "--LabApp.default_url=/lab/tree/workbench.ipynb" in command


def test_lab_without_a_model_opens_an_empty_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr("workbench.cli.subprocess.call", commands.append)
    main(["lab"])
    (command,) = commands
    folder = next(w.split("=", 1)[1] for w in command if w.startswith("--ServerApp.root_dir="))
    assert list(Path(folder).iterdir()) == []
    assert not any("default_url" in word for word in command)
