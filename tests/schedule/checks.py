"""What holds after every primitive: it verifies, parses back, and computes the same."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.analysis.arith import Facts
from workbench.analysis.dependence import Answer
from workbench.interpret import run_tensor_function
from workbench.ir import (
    BufferType,
    Dim,
    IntImm,
    IRModule,
    PrimExpr,
    TensorFunction,
    as_expr,
    free_vars,
    structurally_equal,
    substitute,
)
from workbench.ir.verify import check
from workbench.rewrite import PassResult
from workbench.schedule import Primitive
from workbench.schedule.scope import Scope
from workbench.script import parse, print_module
from workbench.support import NodeId


def answered(module: IRModule, primitive: Primitive) -> Answer:
    """What a primitive says of the only function."""
    return primitive.check(Scope.of(module, ""))


def applied(module: IRModule, *primitives: Primitive, **symbols: int) -> IRModule:
    """The module after primitives; each result verifies, parses back and computes the same."""
    for primitive in primitives:
        result = primitive.run(module)
        check(result.module)
        text = print_module(result.module)
        assert structurally_equal(parse(text), result.module), text
        assert_same(module, result, symbols)
        module = result.module
    return module


def assert_same(before: IRModule, result: PassResult, symbols: dict[str, int]) -> None:
    """The interpreter computes the same, to the bit unless the pass reassociates."""
    a, b = only(before), only(result.module)
    expected = arrays_of(a, symbols)
    found = [array.copy() for array in expected]
    run_tensor_function(a, expected)
    run_tensor_function(b, found)
    for x, y in zip(expected, found, strict=True):
        if result.reassociates:
            np.testing.assert_allclose(y, x, rtol=1e-5, atol=1e-5)
        else:
            assert x.tobytes() == y.tobytes(), (x, y)


def only(module: IRModule) -> TensorFunction:
    """The only tensor function of a module."""
    (found,) = module.tensor_functions.values()
    return found


def arrays_of(function: TensorFunction, symbols: dict[str, int]) -> list[NDArray[Any]]:
    """Random arguments; integers are valid indices of every buffer."""
    rng = np.random.default_rng(7)
    found: list[NDArray[Any]] = []
    for param in function.params:
        assert isinstance(param.type, BufferType)
        shape = tuple(_extent(dim, symbols) for dim in param.type.shape)
        if param.type.dtype.startswith("float"):
            found.append(rng.normal(size=shape).astype(param.type.dtype))
        else:
            found.append(rng.integers(0, 3, size=shape).astype(param.type.dtype))
    return found


def _extent(dim: Dim, symbols: dict[str, int]) -> int:
    symbolic = free_vars(as_expr(dim)).values()
    known: dict[NodeId, PrimExpr] = {var.id: IntImm(symbols[var.name]) for var in symbolic}
    value = Facts().simplify(substitute(as_expr(dim), known))
    assert isinstance(value, IntImm)
    return value.value


def body(module: IRModule) -> str:
    """The script of the only function, from its first loop or block, without its indentation."""
    lines = print_module(module).splitlines()
    start = next(n for n, line in enumerate(lines) if line.strip().startswith(("for ", "with ")))
    depth = len(lines[start]) - len(lines[start].lstrip())
    return "\n".join(line[depth:] for line in lines[start:]).rstrip()
