"""What a person does in JupyterLab, for tests: open a notebook, run cells, look, click."""

import itertools
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import nbformat
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import Error, Locator, Page

from tests.ui.server import Server

OURS = "@workbench/lab"
OUTPUT = ".wb-output"
KERNEL_SECONDS = 60
CELL_SECONDS = 120

_numbers = itertools.count()

NOTEBOOK_READY = "() => window.jupyterapp?.shell?.currentWidget?.context?.isReady === true"
KERNEL_READY = """async () => {
  const panel = window.jupyterapp?.shell?.currentWidget;
  if (!panel?.sessionContext) return false;
  await panel.sessionContext.ready;
  const kernel = panel.sessionContext.session?.kernel;
  if (!kernel) return false;
  await kernel.info;
  return kernel.status === 'idle';
}"""
RUN_CELL = """async (index) => {
  const content = window.jupyterapp.shell.currentWidget.content;
  content.deselectAll();
  content.activeCellIndex = index;
  await window.jupyterapp.commands.execute('notebook:run-cell');
}"""
RUN_ALL = "() => window.jupyterapp.commands.execute('notebook:run-all-cells')"
SHOW_CELL = """async (index) => {
  const content = window.jupyterapp.shell.currentWidget.content;
  await content.scrollToItem(index, 'start');
}"""
CELL_OUTPUTS = """(index) => {
  const panel = window.jupyterapp.shell.currentWidget;
  return panel.content.widgets[index].model.sharedModel.toJSON().outputs ?? [];
}"""
SET_SOURCE = """([index, source]) => {
  const panel = window.jupyterapp.shell.currentWidget;
  panel.content.widgets[index].model.sharedModel.setSource(source);
}"""
CELL_SOURCES = """() =>
  window.jupyterapp.shell.currentWidget.content.widgets.map(
    cell => cell.model.sharedModel.getSource())"""
COMMAND = "([name, args]) => { void window.jupyterapp.commands.execute(name, args); }"
SAVE = "() => window.jupyterapp.shell.currentWidget.context.save()"
SHUT_KERNEL = "() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()"
RESTART_KERNEL = "() => window.jupyterapp.shell.currentWidget.sessionContext.restartKernel()"


@dataclass
class Lab:
    """One page of JupyterLab.

    `errors` collects the page errors and console errors that name our extension (JupyterLab throws
    some of its own); the fixture fails a test that leaves any.
    """

    page: Page
    server: Server
    screenshots: Path
    errors: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        self.page.on("pageerror", lambda error: self._note(error.stack or error.message))
        self.page.on(
            "console",
            lambda message: (
                self._note(f"{message.text} at {message.location}")
                if message.type == "error"
                else None
            ),
        )

    def _note(self, text: str) -> None:
        if OURS in text:
            self.errors.append(text)

    def write(self, name: str, *sources: str) -> str:
        """Put a notebook with these code cells into the server's folder; gives its name."""
        notebook = new_notebook(
            cells=[new_code_cell(source) for source in sources],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        )
        nbformat.write(notebook, self.server.folder / name)
        return name

    def copy(self, notebook: Path) -> str:
        """Put a copy of a notebook file into the server's folder; gives its name."""
        (self.server.folder / notebook.name).write_bytes(notebook.read_bytes())
        return notebook.name

    def open(self, name: str, *, kernel: bool = True) -> None:
        """Open a notebook in a workspace of its own and wait for its kernel."""
        workspace = f"test-{next(_numbers)}"
        self.page.goto(
            f"{self.server.url}/lab/workspaces/{workspace}/tree/{name}?token={self.server.token}"
        )
        self.page.wait_for_selector(".jp-NotebookPanel .jp-Cell", timeout=KERNEL_SECONDS * 1000)
        self.page.wait_for_function(NOTEBOOK_READY, timeout=KERNEL_SECONDS * 1000)
        if kernel:
            self.wait_for_kernel()

    def reload(self) -> None:
        """Load the page again, as the browser's button does, and wait for the kernel."""
        self.page.reload()
        self.page.wait_for_selector(".jp-NotebookPanel .jp-Cell", timeout=KERNEL_SECONDS * 1000)
        self.wait_for_kernel()

    def wait_for_kernel(self) -> None:
        """Return when the notebook's kernel has answered and is idle."""
        self.page.wait_for_function(KERNEL_READY, timeout=KERNEL_SECONDS * 1000)

    def run(self, index: int) -> Locator:
        """Run one cell, counted from 0, wait until it has run, and give the cell."""
        self._finish(RUN_CELL, index)
        return self.cell(index)

    def run_all(self) -> None:
        """Run all cells and wait until they have run."""
        self._finish(RUN_ALL, None)

    def _finish(self, script: str, argument: int | None) -> None:
        self.page.evaluate(
            f"(x) => {{ window.wbDone = ({script})(x).then(() => true); }}", argument
        )
        self.page.wait_for_function("() => window.wbDone", timeout=CELL_SECONDS * 1000)

    def cell(self, index: int) -> Locator:
        """One cell, scrolled into view (JupyterLab takes cells far away out of the page)."""
        self.page.evaluate(SHOW_CELL, index)
        return self.page.locator(
            f'.jp-NotebookPanel:visible .jp-Cell[data-windowed-list-index="{index}"]'
        )

    def output(self, index: int) -> Locator:
        """What our extension drew in the output of a cell."""
        return self.cell(index).locator(OUTPUT)

    def outputs(self, index: int) -> list[dict[str, object]]:
        """The outputs of a cell as the notebook would save them."""
        return self.page.evaluate(CELL_OUTPUTS, index)

    def sources(self) -> list[str]:
        """The text of all cells."""
        return self.page.evaluate(CELL_SOURCES)

    def find(self, text: str) -> int:
        """Position of the first cell whose text holds `text`."""
        sources = self.sources()
        found = [index for index, source in enumerate(sources) if text in source]
        assert found, f"no cell holds {text!r}"
        return found[0]

    def text_of(self, index: int) -> str:
        """What a cell printed and gave, as plain text."""
        return "\n".join(_plain(output) for output in self.outputs(index))

    def set_source(self, index: int, source: str) -> None:
        """Replace the text of a cell."""
        self.page.evaluate(SET_SOURCE, [index, source])

    def command(self, name: str, **arguments: object) -> None:
        """Execute a command of JupyterLab, without waiting for it."""
        self.page.evaluate(COMMAND, [name, arguments])

    def save(self) -> None:
        """Save the notebook and wait for it."""
        self.page.evaluate(SAVE)

    def shut_kernel_down(self) -> None:
        """Shut the notebook's kernel down and wait for it."""
        self.page.evaluate(SHUT_KERNEL)

    def restart_kernel(self) -> None:
        """Restart the notebook's kernel and wait until it is idle again."""
        self.page.evaluate(RESTART_KERNEL)
        self.wait_for_kernel()

    def theme(self, name: Literal["light", "dark"]) -> None:
        """Change JupyterLab's theme and wait until it is there."""
        title = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}[name]
        self.command("apputils:change-theme", theme=title)
        light = "true" if name == "light" else "false"
        body = f'body[data-jp-theme-light="{light}"]'
        self.page.wait_for_selector(body, state="attached")

    def screenshot(self, name: str, part: Locator | None = None) -> Path:
        """Keep a picture of the page, or of a part of it, among the artefacts of the run."""
        self.screenshots.mkdir(parents=True, exist_ok=True)
        path = self.screenshots / f"{re.sub(r'[^a-zA-Z0-9_-]+', '-', name)}.png"
        (part or self.page).screenshot(path=path, animations="disabled")
        return path

    def close(self) -> None:
        """End the kernels of the page and close it."""
        try:
            self.page.evaluate("() => window.jupyterapp?.serviceManager.sessions.shutdownAll()")
        except Error:
            self._note(f"{OURS}: the page was gone at the end of the test")
        self.page.context.close()


def _plain(output: dict[str, object]) -> str:
    data = output.get("data")
    text = data.get("text/plain", "") if isinstance(data, dict) else output.get("text", "")
    return "".join(text) if isinstance(text, list) else str(text)
