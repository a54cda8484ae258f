"""List the diagnostic codes of the package that `docs/diagnostics.md` does not explain.

Prints one missing code a line, with the place that uses it; exit status 1 where there is any.
A code is explained by a heading that consists of it, such as ``## `type/shape-mismatch` ``.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "workbench"
PAGE = ROOT / "docs" / "diagnostics.md"

CODE = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*/[a-z][a-z0-9]*(-[a-z0-9]+)*")
HEADING = re.compile(r"^#+ +`?([a-z0-9-]+/[a-z0-9-]+)`? *$", re.MULTILINE)
OTHER_AREAS = {"application", "image", "text"}
"""First words of MIME types, which look like codes."""


def main() -> int:
    """Print the missing codes; gives the exit status."""
    missing = {code: place for code, place in used().items() if code not in explained()}
    for code in sorted(missing):
        print(f"{code}    {missing[code]}")
    return 1 if missing else 0


def used() -> dict[str, str]:
    """Every code in the package's sources, with the first place that names it."""
    places: dict[str, str] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for text, line in literals(tree):
            if CODE.fullmatch(text) and text.split("/")[0] not in OTHER_AREAS:
                places.setdefault(text, f"{path.relative_to(ROOT)}:{line}")
    return places


def literals(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """The string literals of a module, with their lines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value, node.lineno


def explained() -> set[str]:
    """The codes that have a heading on the page."""
    return set(HEADING.findall(PAGE.read_text(encoding="utf-8"))) if PAGE.exists() else set()


if __name__ == "__main__":
    sys.exit(main())
