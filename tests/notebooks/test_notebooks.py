import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.rglob("*.ipynb"))
TIMEOUT_SECONDS = 180
WITHOUT_PROMISE = {"tour", "02-schedules", "11-blame"}
"""Those that teach a tool; each other one says which promise of the product it shows."""


def test_the_tour_is_there() -> None:
    assert FOLDER / "tour.ipynb" in NOTEBOOKS


def test_the_readme_lists_the_course_in_order() -> None:
    readme = (FOLDER.parent / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `([\w-]+)` \|", readme, flags=re.MULTILINE)
    lessons = [path.stem for path in NOTEBOOKS if path.stem != "tour"]
    assert listed == ["tour", *lessons]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_says_what_it_teaches_and_ends_with_exercises(path: Path) -> None:
    prose = [cell.source for cell in read(path).cells if cell.cell_type == "markdown"]
    assert prose[0].startswith("# ")
    assert re.search(r"you will learn|teaches|You will see", prose[0])
    assert any(text.startswith("## Exercises") or "\n## Exercises\n" in text for text in prose[-6:])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_says_which_promise_it_shows(path: Path) -> None:
    assert ("**The promise**: " in read(path).cells[0].source) == (path.stem not in WITHOUT_PROMISE)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_from_top_to_bottom(path: Path, tmp_path: Path) -> None:
    notebook = read(path)
    client = NotebookClient(
        notebook,
        timeout=TIMEOUT_SECONDS,
        kernel_name="python3",
        store_widget_state=True,
        resources={"metadata": {"path": str(tmp_path)}},
    )
    client.execute()
    counts = [cell.execution_count for cell in notebook.cells if is_code(cell)]
    assert counts == list(range(1, len(counts) + 1))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_kept_without_outputs(path: Path) -> None:
    for cell in filter(is_code, read(path).cells):
        assert cell.outputs == []
        assert cell.execution_count is None


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def is_code(cell: NotebookNode) -> bool:
    return cell.cell_type == "code" and bool(cell.source.strip())
