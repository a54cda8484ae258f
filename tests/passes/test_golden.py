"""Golden cases: `-- input`, `-- pass`, `-- expect`, `-- remarks`, one a file.

`make golden` rewrites them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import workbench.ops  # noqa: F401  # pyright: ignore[reportUnusedImport]  found by name
from workbench import passes
from workbench.interpret import Symbols, read_leaf, values
from workbench.ir import (
    Alias,
    CallPacked,
    Constant,
    IRModule,
    TensorType,
    Type,
    walk,
    why_missing,
)
from workbench.ir.verify import verify
from workbench.passes import Pass
from workbench.script import parse, print_module
from workbench.support import NodeId

GOLDEN = Path(__file__).parent.parent / "golden"
CASES = sorted(GOLDEN.glob("*/*.txt"))
SECTION = re.compile(r"^-- (input|pass|expect|remarks)\n", re.MULTILINE)


def read(path: Path) -> dict[str, str]:
    parts = SECTION.split(path.read_text(encoding="utf-8"))
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def the_pass(text: str) -> Pass:
    """The pass that a case names: a call of a class of `workbench.passes`."""
    names = {name: getattr(passes, name) for name in passes.__all__} | {"np": np}
    found = eval(text, {"__builtins__": {}}, names)
    assert isinstance(found, Pass)
    return found


def array_of(type_: Type, rng: np.random.Generator) -> np.ndarray:
    """Numbers of a type; a dimension without a number is 3."""
    assert isinstance(type_, TensorType)
    shape = tuple(d if isinstance(d, int) else 3 for d in type_.shape or ())
    return rng.normal(size=shape).astype(type_.dtype or "float32")


def missing_libraries(module: IRModule) -> set[str]:
    nodes = [node for function in module.graph_functions.values() for node in walk(function)]
    symbols = {node.symbol for node in nodes if isinstance(node, CallPacked)}
    return {symbol for symbol in symbols if why_missing(symbol)}


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
    if missing := missing_libraries(result.module):
        pytest.skip(f"compared as text only, {missing} cannot be called here")
    before = values(module, arguments(module, result.module, rng))
    params = result.module.graph_functions["main"].params
    after = values(result.module, [before[param.id] for param in params])
    agree(before, after)
    results = (read_result(module, before), read_result(result.module, after))
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(b, a, rtol=2e-5, atol=1e-5)


def arguments(module: IRModule, after: IRModule, rng: np.random.Generator) -> list[np.ndarray]:
    """Arguments for `main`: what the pass bound to constants, numbers of fitting shape else."""
    bound = {
        binding.var.id: after.pool[binding.value.value.digest]
        for binding in after.graph_functions["main"].bindings
        if isinstance(binding.value, Alias) and isinstance(binding.value.value, Constant)
    }
    types = {param.id: param.type for param in after.graph_functions["main"].params}
    return [
        bound[param.id] if param.id in bound else array_of(types.get(param.id, param.type), rng)
        for param in module.graph_functions["main"].params
    ]


def agree(before: dict[NodeId, Any], after: dict[NodeId, Any]) -> None:
    """Values of one id are the same: that is what an id promises."""
    for node, value in after.items():
        if isinstance(value, np.ndarray) and isinstance(before.get(node), np.ndarray):
            assert value.dtype == before[node].dtype
            np.testing.assert_allclose(value, before[node], rtol=2e-5, atol=1e-5)


def read_result(module: IRModule, found: dict[NodeId, Any]) -> list[np.ndarray]:
    """The arrays that `main` returns, tuples flattened."""
    return flat(read_leaf(module.graph_functions["main"].result, found, Symbols(), module.pool))


def flat(value: Any) -> list[Any]:  # noqa: ANN401
    return [x for item in value for x in flat(item)] if isinstance(value, tuple) else [value]


def test_every_pass_has_a_case() -> None:
    there = {path.parent.name for path in CASES}
    missing = [
        kind.__name__ for kind in passes.BUILTIN_PASSES if kind.name.replace("-", "_") not in there
    ]
    assert missing == []
