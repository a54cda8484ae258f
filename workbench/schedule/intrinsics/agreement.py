"""Do both functions of an intrinsic compute the same? Well-formed, alike, and equal on samples."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.analysis.arith import Facts
from workbench.analysis.polynomial import Poly
from workbench.interpret import run_tensor_function
from workbench.ir import (
    BufferType,
    Dim,
    For,
    IntImm,
    IRModule,
    Load,
    PrimExpr,
    Store,
    TensorFunction,
    Var,
    as_expr,
    free_vars,
    substitute,
    walk,
)
from workbench.ir.dtypes import numpy_dtype
from workbench.ir.registry import TensorIntrinsic
from workbench.ir.verify import check
from workbench.schedule.intrinsics.plain import described
from workbench.schedule.intrinsics.regions import strides_of
from workbench.support import CompileError, Diagnostic, NodeId

_EXTENTS = (3, 2, 5, 4)
"""What dimensions that are variables are in the samples."""
_SAMPLES = 2
_PRECISION = {2: 2.0**-7, 4: 2.0**-23, 8: 2.0**-52}
"""Distance of 1 to the next number, by the bytes of a floating point dtype."""


def check_agreement(intrinsic: TensorIntrinsic) -> None:
    """Refuse an intrinsic whose functions differ.

    Raises:
        CompileError: `schedule/bad-intrinsic`, or what is wrong with one of the functions.
    """
    functions = (intrinsic.description, intrinsic.implementation)
    for part, function in zip(("description", "implementation"), functions, strict=True):
        check(IRModule(((f"{intrinsic.name}_{part}", function),)))
    _same_parameters(intrinsic)
    _only_parameters(intrinsic)
    rng = np.random.default_rng(0)
    for sample in range(_SAMPLES):
        _compare(intrinsic, rng, sample)


def _fault(intrinsic: TensorIntrinsic, message: str, hint: str = "") -> CompileError:
    text = f"intrinsic `{intrinsic.name}`: {message}"
    return CompileError(Diagnostic("schedule/bad-intrinsic", text, hint=hint))


def _same_parameters(intrinsic: TensorIntrinsic) -> None:
    first, second = intrinsic.description.params, intrinsic.implementation.params
    if len(first) != len(second):
        message = f"the description has {len(first)} parameters, the implementation {len(second)}"
        raise _fault(intrinsic, message)
    for a, b in zip(first, second, strict=True):
        if not isinstance(a.type, BufferType) or not isinstance(b.type, BufferType):
            raise _fault(intrinsic, f"parameter `{a.name}` is no buffer")
        if _form(a.type) != _form(b.type):
            message = (
                f"parameter `{a.name}` is {_form(a.type)} in the description, {_form(b.type)} in "
                "the implementation"
            )
            raise _fault(intrinsic, message)


def _form(kind: BufferType) -> tuple[object, ...]:
    """Dtype and shape; a dimension that is not known counts as one."""
    return (kind.dtype, *(d if isinstance(d, int) else "?" for d in kind.shape))


def _only_parameters(intrinsic: TensorIntrinsic) -> None:
    """The description is about parameters alone, each of them touched from end to end."""
    body = described(intrinsic.description)
    accesses = [node for node in walk(body) if isinstance(node, Load | Store)]
    known = {param.id for param in intrinsic.description.params}
    for node in accesses:
        if node.buffer.id not in known:
            message = f"the description uses a buffer of its own, `{node.buffer.name}`"
            raise _fault(intrinsic, message, "write it as loops over the parameters")
    loops = [node for node in walk(body) if isinstance(node, For)]
    for param in intrinsic.description.params:
        own = [node for node in accesses if node.buffer.id == param.id]
        if not own:
            raise _fault(intrinsic, f"the description does not touch parameter `{param.name}`")
        _touched_to_the_ends(intrinsic, param, [node.indices for node in own], loops)


def _touched_to_the_ends(
    intrinsic: TensorIntrinsic,
    param: Var,
    accesses: list[tuple[PrimExpr, ...]],
    loops: list[For],
) -> None:
    """A part that is never touched could lie beyond the end of the program's buffer."""
    assert isinstance(param.type, BufferType)
    facts = Facts()
    for dim, extent in enumerate(param.type.shape):
        ends = [_ends(facts.poly(indices[dim]), loops, facts) for indices in accesses]
        last = facts.poly(as_expr(extent)).shift(-1)
        if Poly.const(0) not in [low for low, _ in ends] or last not in [high for _, high in ends]:
            message = (
                f"the description does not touch dimension {dim} of parameter `{param.name}` "
                "from end to end"
            )
            raise _fault(intrinsic, message, "make the parameter as large as what is touched")


def _ends(index: Poly, loops: list[For], facts: Facts) -> tuple[Poly, Poly]:
    """The smallest and the largest value of an index that is a sum of multiples of loops."""
    low = high = index
    for loop in loops:
        step = index.coefficient(loop.var)
        if step.is_const and step.terms:
            first = facts.poly(loop.start)
            last = first + facts.poly(loop.extent).shift(-1)
            ends = (first, last) if step.constant > 0 else (last, first)
            low = low.without(loop.var) + ends[0].scale(step.constant)
            high = high.without(loop.var) + ends[1].scale(step.constant)
    return low, high


# --- samples ----------------------------------------------------------------------------------


def _compare(intrinsic: TensorIntrinsic, rng: np.random.Generator, sample: int) -> None:
    arrays = _inputs(intrinsic.description, rng, extreme=sample == 0)
    expected, found = [a.copy() for a in arrays], [a.copy() for a in arrays]
    run_tensor_function(_row_major(intrinsic.description), expected)
    run_tensor_function(_row_major(intrinsic.implementation), found)
    for param, a, b in zip(intrinsic.description.params, expected, found, strict=True):
        if not _agree(a, b, exact=not intrinsic.reassociates):
            place = next(
                index for index in np.ndindex(a.shape) if _bits(a[index]) != _bits(b[index])
            )
            message = (
                f"`{param.name}{list(place)}` is {a[place]} by the description, {b[place]} by "
                "the implementation"
            )
            hint = "" if intrinsic.reassociates else _close_hint(a, b)
            raise _fault(intrinsic, message, hint)


def _agree(a: NDArray[Any], b: NDArray[Any], *, exact: bool) -> bool:
    if exact or a.dtype.kind in "iub":
        return a.tobytes() == b.tobytes()
    wide_a, wide_b = a.astype(np.float64), b.astype(np.float64)
    precision = _PRECISION[a.dtype.itemsize]
    return bool(np.allclose(wide_a, wide_b, rtol=64 * precision, atol=64 * precision))


def _bits(value: NDArray[Any]) -> bytes:
    return np.asarray(value).tobytes()


def _close_hint(a: NDArray[Any], b: NDArray[Any]) -> str:
    close = a.dtype.kind not in "iub" and _agree(a, b, exact=False)
    return "if that is rounding, say `reassociates=True`" if close else ""


def _inputs(
    function: TensorFunction, rng: np.random.Generator, *, extreme: bool
) -> list[NDArray[Any]]:
    """An array for each parameter; `extreme` integers are the smallest and largest ones."""
    values: dict[NodeId, PrimExpr] = {}
    found: list[NDArray[Any]] = []
    for param in function.params:
        assert isinstance(param.type, BufferType)
        for var in _symbols(param.type.shape):
            values.setdefault(var.id, IntImm(_EXTENTS[len(values) % len(_EXTENTS)]))
        shape = tuple(_extent(dim, values) for dim in param.type.shape)
        found.append(_array(param.type.dtype, shape, rng, extreme=extreme))
    return found


def _symbols(shape: tuple[Dim, ...]) -> list[Var]:
    return [v for d in shape if not isinstance(d, int) for v in free_vars(d).values()]


def _extent(dim: Dim, values: dict[NodeId, PrimExpr]) -> int:
    known = Facts().simplify(substitute(as_expr(dim), values))
    assert isinstance(known, IntImm)
    return known.value


def _array(
    dtype: str, shape: tuple[int, ...], rng: np.random.Generator, *, extreme: bool
) -> NDArray[Any]:
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    if "int" in dtype:
        limits = np.iinfo(dtype)
        ends = np.array([limits.min, limits.max], dtype)
        if extreme:
            return rng.choice(ends, shape)
        return rng.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)
    return rng.standard_normal(shape).astype(numpy_dtype(dtype))


def _row_major(function: TensorFunction) -> TensorFunction:
    """The function with its parameters row-major, as samples are."""
    values: dict[NodeId, PrimExpr] = {}
    for param in function.params:
        if isinstance(kind := param.type, BufferType) and kind.strides:
            dense = Var(param.id, param.name, replace(kind, strides=()))
            values[param.id] = dense
            for declared, actual in zip(kind.strides, strides_of(dense), strict=True):
                if isinstance(declared, Var):
                    values[declared.id] = actual
    return substitute(function, values) if values else function
