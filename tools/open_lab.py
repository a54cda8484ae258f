"""Open JupyterLab on a fresh copy of the tour, and stay until it is stopped.

python tools/open_lab.py [ARGUMENT_OF_JUPYTERLAB...]
"""

from __future__ import annotations

import filecmp
import os
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
SCRATCH = ROOT / "build" / "lab"
HINT = """
  The tour opens in JupyterLab. If no browser comes up, open the address below that starts
  with http://127.0.0.1. In the notebook, press Shift+Enter to run a cell and go to the next.
  Stop with Ctrl+C, twice. Your copy of the tour is {copy}
"""


def main() -> None:
    """Copy the notebooks, say what to do, and become JupyterLab."""
    SCRATCH.mkdir(parents=True, exist_ok=True)
    for original in sorted(NOTEBOOKS.glob("*.ipynb")):
        fresh_copy(original, SCRATCH / original.name)
    tour = SCRATCH / "tour.ipynb"
    print(HINT.format(copy=os.path.relpath(tour, Path.cwd())), flush=True)
    command = [sys.executable, "-m", "jupyterlab", "--log-level=WARN"]
    command += [f"--ServerApp.root_dir={SCRATCH}", f"--LabApp.default_url=/lab/tree/{tour.name}"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    if not has_screen():
        command.append("--no-browser")
    os.execv(command[0], command + sys.argv[1:])


def fresh_copy(original: Path, copy: Path) -> None:
    """Copy a notebook; an earlier copy that differs is kept under a numbered name."""
    if copy.exists() and not filecmp.cmp(original, copy, shallow=False):
        number = 1
        while (kept := copy.with_name(f"{copy.stem}-{number}{copy.suffix}")).exists():
            number += 1
        copy.rename(kept)
        print(f"  Your earlier {copy.name} is kept as {kept.name}.")
    shutil.copyfile(original, copy)


def has_screen() -> bool:
    """Whether a browser window could come up here."""
    if sys.platform in {"darwin", "win32"}:
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


if __name__ == "__main__":
    main()
