"""Exercises can be solved, and say so only then."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

from tests.notebooks.test_notebooks import FOLDER, TIMEOUT_SECONDS, is_code, read

SOLUTIONS = Path(__file__).resolve().parent / "solutions"
CHECKED = sorted(SOLUTIONS.glob("*.txt"))
ANSWER = re.compile(r"^(.+): (✓|not yet.*)$", re.MULTILINE)


def solutions(path: Path) -> dict[str, str]:
    """The text of each solution by the tag of the cell that it answers."""
    parts = re.split(r"^# (exercise-\d+)\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def answers(notebook: NotebookNode, folder: Path) -> dict[str, list[tuple[str, str]]]:
    """What each exercise says of its answers."""
    client = NotebookClient(
        notebook,
        timeout=TIMEOUT_SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute()
    return {
        tag: ANSWER.findall("".join(output.get("text", "") for output in cell.outputs))
        for cell in notebook.cells
        for tag in exercise_of(cell)
    }


def exercise_of(cell: NotebookNode) -> list[str]:
    """The tag of an exercise, as a list of one or none."""
    tags = cell.metadata.get("tags", []) if is_code(cell) else []
    return [tag for tag in tags if tag.startswith("exercise-")]


@pytest.mark.parametrize("path", CHECKED, ids=lambda path: path.stem)
def test_an_exercise_is_solved_by_its_solution_only(path: Path, tmp_path: Path) -> None:
    notebook = read(FOLDER / f"{path.stem}.ipynb")
    before = answers(notebook, tmp_path)
    solved = solutions(path)
    assert before.keys() == solved.keys()
    for tag, said in before.items():
        assert any(verdict != "✓" for _, verdict in said), f"{tag} is solved as it stands"
    for cell in notebook.cells:
        for tag in exercise_of(cell):
            checks = cell.source[re.search(r"^check\(", cell.source, re.MULTILINE).start() :]  # pyright: ignore[reportOptionalMemberAccess]
            cell.source = f"{solved[tag]}\n{checks}"
    for tag, said in answers(notebook, tmp_path).items():
        assert said, f"{tag} says nothing"
        assert all(verdict == "✓" for _, verdict in said), (tag, said)


def test_each_checked_notebook_has_solutions() -> None:
    checked = {
        path.stem
        for path in FOLDER.glob("*.ipynb")
        if any(exercise_of(cell) for cell in read(path).cells)
    }
    assert checked == {path.stem for path in CHECKED}
