from __future__ import annotations

import io
from types import SimpleNamespace

import IPython.display
import pytest

from workbench.notebook import progress
from workbench.session.worker import Job


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "DELAY", 0.0)


def finish(job: Job) -> None:
    job.run()


def test_a_cell_shows_one_output_that_ends_as_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[dict[str, str]] = []
    outputs: list[object] = []

    def display(bundle: dict[str, str], **options: object) -> object:
        assert options == {"raw": True, "display_id": True}
        outputs.append(shown.append(bundle))
        return SimpleNamespace(update=lambda bundle, **_: shown.append(bundle))

    monkeypatch.setattr(progress, "shell", lambda: SimpleNamespace(kernel=object()))
    monkeypatch.setattr(IPython.display, "display", display)
    watch, job = progress.progress(), Job("compare steps 0, <3>", lambda _job: None)
    watch(job)
    job.state = "running"
    job.report("timing 0 imported", 3, 32)
    watch(job)
    watch(job)
    finish(job)
    watch(job)
    assert len(outputs) == 1
    texts = [bundle["text/plain"] for bundle in shown]
    assert texts[0] == "compare steps 0, <3> · waiting for other work"
    assert texts[1] == "compare steps 0, <3> · timing 0 imported · 3 of 32"
    assert texts[2].startswith("compare steps 0, <3> done in ")
    assert len(shown) == 3
    assert 'max="32" value="3"' in shown[1]["text/html"]
    assert "0, &lt;3&gt;" in shown[1]["text/html"]
    assert "<progress" not in shown[2]["text/html"]


def test_what_is_done_at_once_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    watch, job = progress.progress(), Job("compare steps 0", lambda _job: None)
    finish(job)
    watch(job)
    assert terminal.getvalue() == ""


def test_a_terminal_shows_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    watch, job = progress.progress(), Job("measure h", lambda _job: None)
    job.state = "running"
    job.report("building library numpy.matmul", 0, 5)
    watch(job)
    job.cancel()
    finish(job)
    watch(job)
    first, second = terminal.getvalue().split("\r")[1:]
    assert first == "measure h · building library numpy.matmul · 0 of 5"
    assert second.startswith("measure h cancelled after 0.0 s ")
    assert second.endswith("\n")
    assert len(second) == len(first) + 1


def test_where_nobody_looks_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    quiet = io.StringIO()
    monkeypatch.setattr("sys.stderr", quiet)
    watch, job = progress.progress(), Job("measure h", lambda _job: None)
    watch(job)
    assert quiet.getvalue() == ""
