"""A JupyterLab server of its own: temporary settings, data and notebooks, a free port."""

import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 60
FOLDERS = {
    "JUPYTER_CONFIG_DIR": "config",
    "JUPYTER_DATA_DIR": "data",
    "JUPYTER_RUNTIME_DIR": "runtime",
    "JUPYTERLAB_SETTINGS_DIR": "settings",
    "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
    "IPYTHONDIR": "ipython",
    "WORKBENCH_CACHE_DIR": "cache",
}
NO_NEWS = '{"fetchNews": "false", "checkForUpdates": false}'


@dataclass(frozen=True)
class Server:
    """A running server: where it listens, its token, and the folder that it shows."""

    url: str
    token: str
    folder: Path


@contextmanager
def lab_server(scratch: Path) -> Generator[Server]:
    """Start JupyterLab in a scratch folder; stop it at the end."""
    notebooks = scratch / "notebooks"
    notebooks.mkdir()
    port, token = free_port(), secrets.token_hex(16)
    log_path = scratch / "server.log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            command(port, token, notebooks),
            env=environment(scratch),
            cwd=notebooks,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until_up(url, token, process, log_path)
            yield Server(url, token, notebooks)
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def command(port: int, token: str, notebooks: Path) -> list[str]:
    """The command line of a server that shows no toast, opens no browser and exposes its app."""
    return [
        sys.executable,
        *("-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1"),
        f"--port={port}",
        "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={token}",
        f"--ServerApp.root_dir={notebooks}",
        "--LabApp.extension_manager=readonly",
        "--LabApp.expose_app_in_browser=True",
    ]


def environment(scratch: Path) -> dict[str, str]:
    """An environment whose Jupyter, IPython and object cache folders are temporary."""
    folders = {name: scratch / folder for name, folder in FOLDERS.items()}
    for folder in folders.values():
        folder.mkdir()
    notifications = folders["JUPYTERLAB_SETTINGS_DIR"] / "@jupyterlab" / "apputils-extension"
    notifications.mkdir(parents=True)
    (notifications / "notification.jupyterlab-settings").write_text(NO_NEWS, encoding="utf-8")
    return {**os.environ, **{name: str(folder) for name, folder in folders.items()}}


def free_port() -> int:
    """A port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_up(url: str, token: str, process: "subprocess.Popen[bytes]", log_path: Path) -> None:
    """Return as soon as the server answers; fail with its log where it does not."""
    request = urllib.request.Request(
        f"{url}/api/status", headers={"Authorization": f"token {token}"}
    )
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(request, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start:\n{log_path.read_text(errors='replace')[-4000:]}")
