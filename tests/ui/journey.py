"""What the journey asserts of times and recipes."""

import re
import subprocess
import sys
from pathlib import Path

BAR = re.compile(
    r"^(.+): median ([\d.]+) ms, ([\d.]+) ms to ([\d.]+) ms, \d+ runs, max error (\S+)$"
)
LAST_LINES = """
from workbench.ir import module_digest
print(module_digest(module))
"""


def assert_bar(label: str) -> None:
    """The label of a bar names times in order, and a small error."""
    match = BAR.match(label)
    assert match is not None, label
    median, low, high, error = (float(number) for number in match.groups()[1:])
    assert 0 < low <= median <= high
    assert error < 1e-3


def assert_repeats(recipe: str, folder: Path) -> None:
    """The script, run by itself, makes the module whose digest it names."""
    digest = re.search(r"^# digest of the module: (\w+)$", recipe, re.MULTILINE)
    assert digest is not None, recipe
    script = folder / "recipe.py"
    script.write_text(recipe + LAST_LINES, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, script], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == digest[1], done.stderr
