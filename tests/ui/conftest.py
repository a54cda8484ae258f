import shutil
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.ui.lab import Lab
from tests.ui.server import Server, lab_server

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SECONDS = 30
expect.set_options(timeout=1000 * SECONDS)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with lab_server(tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    executable = shutil.which("chromium")
    assert executable is not None, "no `chromium` on the path; `make journeys` installs it"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield running
        running.close()


@contextmanager
def open_page(
    browser: Browser, server: Server, repository: Path, width: int = 1280, height: int = 900
) -> Generator[Lab]:
    """A fresh page; its kernels end with it."""
    context = browser.new_context(viewport={"width": width, "height": height})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    running = Lab(context.new_page(), server, repository / "build" / "screenshots")
    yield running
    running.close()


@pytest.fixture
def lab(
    server: Server, browser: Browser, repository: Path, request: pytest.FixtureRequest
) -> Iterator[Lab]:
    """A fresh page of JupyterLab; errors that our extension throws in it fail the test."""
    with open_page(browser, server, repository) as running:
        yield running
        running.screenshot(f"{request.node.name}-end")
    assert running.errors == []
