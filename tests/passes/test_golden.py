"""Golden cases: `-- input`, `-- pass`, `-- expect`, `-- remarks`, one a file.

`make golden` rewrites them.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import workbench.ops  # noqa: F401  # pyright: ignore[reportUnusedImport]  found by name
from workbench import passes
from workbench.interpret import run
from workbench.ir import IRModule, TensorType
from workbench.ir.verify import verify
from workbench.passes import Pass
from workbench.script import parse, print_module

GOLDEN = Path(__file__).parent.parent / "golden"
CASES = sorted(GOLDEN.glob("*/*.txt"))
SECTION = re.compile(r"^-- (input|pass|expect|remarks)\n", re.MULTILINE)


def read(path: Path) -> dict[str, str]:
    parts = SECTION.split(path.read_text(encoding="utf-8"))
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def the_pass(text: str) -> Pass:
    """The pass that a case names: a call of a class of `workbench.passes`."""
    names = {name: getattr(passes, name) for name in passes.__all__}
    found = eval(text, {"__builtins__": {}}, names)
    assert isinstance(found, Pass)
    return found


def inputs_of(module: IRModule, rng: np.random.Generator) -> list[np.ndarray]:
    found = []
    for param in module.graph_functions["main"].params:
        assert isinstance(param.type, TensorType)
        shape = tuple(d if isinstance(d, int) else 3 for d in param.type.shape or ())
        found.append(rng.normal(size=shape).astype(param.type.dtype or "float32"))
    return found


@pytest.mark.parametrize("path", CASES, ids=[f"{p.parent.name}/{p.stem}" for p in CASES])
def test_golden(path: Path, rng: np.random.Generator, update_golden: bool) -> None:
    case = read(path)
    module = parse(case["input"])
    result = the_pass(case["pass"].strip())(module)
    assert verify(result.module) == ()
    printed = print_module(result.module).rstrip() + "\n"
    remarks = "".join(f"{d.code}: {d.message}\n" for d in result.remarks)
    if update_golden:
        given = f"-- input\n{case['input']}-- pass\n{case['pass']}"
        text = f"{given}-- expect\n{printed}-- remarks\n{remarks}"
        path.write_text(text, encoding="utf-8")
        case = read(path)
    assert printed == case["expect"]
    assert remarks == case["remarks"]
    arrays = inputs_of(module, rng)
    before, after = run(module, *arrays), run(result.module, *arrays)
    np.testing.assert_allclose(after, before, rtol=2e-5, atol=1e-5)


def test_every_pass_has_a_case() -> None:
    there = {path.parent.name for path in CASES}
    missing = [
        kind.__name__ for kind in passes.BUILTIN_PASSES if kind.name.replace("-", "_") not in there
    ]
    assert missing == []
