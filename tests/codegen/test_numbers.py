from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from numpy.random import Generator
from numpy.typing import NDArray

from tests.codegen.native import PLAIN, Native, function
from workbench.codegen import host_target
from workbench.codegen.target import Target

INTS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
FLOATS = ["float16", "bfloat16", "float32", "float64"]


@pytest.fixture(params=["host", "plain"])
def target(request: pytest.FixtureRequest) -> Target:
    return host_target() if request.param == "host" else PLAIN


def dtype_named(name: str) -> Any:  # noqa: ANN401
    return ml_dtypes.bfloat16 if name == "bfloat16" else np.dtype(name)


def apply(expression: str, target: Target, out: str, **arrays: NDArray[Any]) -> NDArray[Any]:
    """`expression` of the elements of equally long arrays, computed one by one and in vectors."""
    (n,) = {len(a) for a in arrays.values()}
    params = [f'{k}: T.Buffer(({n},), "{a.dtype}")' for k, a in arrays.items()]
    loops = [
        f"\n    for i in {kind}({n}):\n        out{k}[i] = {expression}\n"
        for k, kind in enumerate(("T.serial", "T.vectorized"))
    ]
    outs = [f'out{k}: T.Buffer(({n},), "{out}")' for k in range(2)]
    results = [np.zeros(n, dtype_named(out)) for _ in range(2)]
    native = Native(function(", ".join([*params, *outs]), "".join(loops)), target=target)
    assert native(*arrays.values(), *results) == 0
    bits = [r.view(f"u{r.dtype.itemsize}") for r in results]
    nan = [r.astype(np.float64) != r.astype(np.float64) for r in results]
    np.testing.assert_array_equal(nan[0], nan[1])
    np.testing.assert_array_equal(bits[0][~nan[0]], bits[1][~nan[0]])
    return results[1]


def ulps(got: NDArray[Any], exact: NDArray[np.float64]) -> float:
    """The largest error in units in the last place of float32, where the result is finite."""
    with np.errstate(over="ignore"):
        rounded = exact.astype(np.float32)
    fine = np.isfinite(rounded)
    np.testing.assert_array_equal(got[~fine], rounded[~fine])
    spacing = np.spacing(np.maximum(np.abs(rounded[fine]), np.float32(1e-38)))
    return float(np.max(np.abs(got[fine] - exact[fine]) / spacing, initial=0.0))


EXACT: dict[str, tuple[Callable[..., Any], NDArray[np.float32], float]] = {
    "exp": (np.exp, np.linspace(-110, 95, 4001, dtype=np.float32), 2.0),
    "log": (np.log, np.geomspace(1e-44, 3e38, 4001).astype(np.float32), 2.0),
    "tanh": (np.tanh, np.linspace(-12, 12, 4001, dtype=np.float32), 3.0),
    "sigmoid": (
        lambda x: 1 / (1 + np.exp(-x)),
        np.linspace(-80, 80, 4001, dtype=np.float32),
        4.0,
    ),
    "erf": (np.vectorize(math.erf), np.linspace(-5, 5, 4001, dtype=np.float32), 2.0),
    "sin": (np.sin, np.linspace(-1000, 1000, 4001, dtype=np.float32), 2.0),
    "cos": (np.cos, np.linspace(-1000, 1000, 4001, dtype=np.float32), 2.0),
    "sqrt": (np.sqrt, np.geomspace(1e-38, 1e38, 1001).astype(np.float32), 0.51),
    "rsqrt": (lambda x: 1 / np.sqrt(x), np.geomspace(1e-30, 1e30, 1001).astype(np.float32), 1.6),
    "atan": (np.arctan, np.linspace(-20, 20, 1001, dtype=np.float32), 2.0),
    "log1p": (np.log1p, np.linspace(-0.9, 20, 1001, dtype=np.float32), 2.0),
    "exp2": (np.exp2, np.linspace(-120, 120, 1001, dtype=np.float32), 2.0),
}


@pytest.mark.parametrize("name", EXACT)
def test_accuracy_of_functions(name: str, target: Target) -> None:
    exact, x, limit = EXACT[name]
    got = apply(f"T.{name}(x[i])", target, "float32", x=x)
    assert ulps(got, exact(x.astype(np.float64))) <= limit


SPECIAL = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 1e-40], np.float32)


@pytest.mark.parametrize("name", ["exp", "log", "tanh", "sigmoid", "sqrt", "sin", "floor", "erf"])
def test_special_values(name: str, target: Target) -> None:
    got = apply(f"T.{name}(x[i])", target, "float32", x=SPECIAL)
    with np.errstate(all="ignore"):
        if name == "erf":
            exact = np.vectorize(math.erf)(SPECIAL.astype(np.float64))
        elif name == "sigmoid":
            exact = 1 / (1 + np.exp(-SPECIAL.astype(np.float64)))
        else:
            exact = getattr(np, name)(SPECIAL.astype(np.float64))
    np.testing.assert_allclose(got, exact.astype(np.float32), rtol=1e-6, atol=1e-44)


@pytest.mark.parametrize(("name", "reference"), [("max", np.maximum), ("min", np.minimum)])
def test_extremes_propagate_nan(name: str, reference: Callable[..., Any], target: Target) -> None:
    x, y = (a.ravel() for a in np.meshgrid(SPECIAL, SPECIAL))
    np.testing.assert_array_equal(
        apply(f"T.{name}(x[i], y[i])", target, "float32", x=x, y=y), reference(x, y)
    )
    np.testing.assert_array_equal(
        apply(f"T.{name}(x[i], T.float32(0))", target, "float32", x=x), reference(x, 0)
    )


@pytest.mark.parametrize("dtype", INTS)
@pytest.mark.parametrize(
    ("operator", "reference"),
    [
        ("x[i] // y[i]", np.floor_divide),
        ("x[i] % y[i]", np.mod),
        ("T.truncmod(x[i], y[i])", np.fmod),
        ("x[i] + y[i]", np.add),
        ("x[i] - y[i]", np.subtract),
        ("x[i] * y[i]", np.multiply),
        ("T.max(x[i], y[i])", np.maximum),
    ],
)
def test_integers(
    dtype: str, operator: str, reference: Callable[..., Any], target: Target, rng: Generator
) -> None:
    info = np.iinfo(dtype)
    edge: list[int] = [info.min, info.max, 1, 3, info.max - 1, 7]
    x = np.concatenate(
        [np.array(edge, dtype), rng.integers(info.min, info.max, 20, dtype=dtype)]
    ).astype(dtype)
    y = np.concatenate(
        [np.array(edge[::-1], dtype), rng.integers(info.min, info.max, 20, dtype=dtype)]
    ).astype(dtype)
    y[y == 0] = 3
    if info.min < 0:
        y[0] = -1
    with np.errstate(all="ignore"):
        expected = reference(x, y)
    np.testing.assert_array_equal(apply(operator, target, dtype, x=x, y=y), expected)


@pytest.mark.parametrize("divisor", [1, 2, 3, 8, -1, -2, -5])
def test_division_by_constants(divisor: int, target: Target, rng: Generator) -> None:
    x = np.concatenate([[-(2**31), 2**31 - 1], rng.integers(-100, 100, 20)]).astype(np.int32)
    with np.errstate(all="ignore"):
        wrapped = np.floor_divide(x, np.int32(divisor)), np.mod(x, np.int32(divisor))
    literal = f"T.int32({divisor})"
    np.testing.assert_array_equal(apply(f"x[i] // {literal}", target, "int32", x=x), wrapped[0])
    np.testing.assert_array_equal(apply(f"x[i] % {literal}", target, "int32", x=x), wrapped[1])


@pytest.mark.parametrize(("operator", "reference"), [("//", np.floor_divide), ("%", np.mod)])
def test_float_division(
    operator: str, reference: Callable[..., Any], target: Target, rng: Generator
) -> None:
    x, y = (rng.standard_normal((2, 50)) * 10).astype(np.float32)
    x[:2], y[:2] = (1.0, -6.0), (0.1, 3.0)
    got = apply(f"x[i] {operator} y[i]", target, "float32", x=x, y=y)
    np.testing.assert_allclose(got, reference(x, y), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("source", [*INTS, *FLOATS, "bool"])
def test_casts(source: str, rng: Generator) -> None:
    values = np.concatenate([[0, 1, 2, 100], rng.integers(0, 127, 15)]).astype(np.float64)
    if source in FLOATS:
        values = values + 0.75
    x = values.astype(dtype_named(source))
    signed = (values - 50).astype(dtype_named(source))
    results = [*INTS, *FLOATS, "bool"]
    wanted = [
        signed if not r.startswith("u") and not source.startswith("u") else x for r in results
    ]
    params = [f's{k}: T.Buffer((19,), "{source}")' for k in range(len(results))]
    params += [f'd{k}: T.Buffer((19,), "{r}")' for k, r in enumerate(results)]
    body = "\n    for i in T.vectorized(19):\n" + "".join(
        f'        d{k}[i] = T.Cast("{r}", s{k}[i])\n' for k, r in enumerate(results)
    )
    got = [np.zeros(19, dtype_named(r)) for r in results]
    assert Native(function(", ".join(params), body))(*wanted, *got) == 0
    for given, found in zip(wanted, got, strict=True):
        np.testing.assert_array_equal(found, given.astype(found.dtype))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_rounds_to_nearest_even(dtype: str, target: Target, rng: Generator) -> None:
    wide = np.concatenate(
        [
            rng.standard_normal(400).astype(np.float32) * np.geomspace(1e-9, 1e6, 400),
            [0.0, -0.0, np.inf, -np.inf, np.nan, 65504.0, 65519.9, 65520.0, 6e-8, 2.9e-8, 1e-40],
        ]
    ).astype(np.float32)
    with np.errstate(over="ignore"):
        expected = wide.astype(dtype_named(dtype))
    narrow = apply(f'T.Cast("{dtype}", x[i])', target, dtype, x=wide)
    np.testing.assert_array_equal(narrow.astype(np.float32), expected.astype(np.float32))
    back = apply('T.Cast("float32", x[i])', target, "float32", x=expected)
    np.testing.assert_array_equal(back, expected.astype(np.float32))


@pytest.mark.parametrize("dtype", FLOATS)
def test_float_arithmetic_rounds_to_its_dtype(dtype: str, target: Target, rng: Generator) -> None:
    x, y = rng.standard_normal((2, 100)).astype(dtype_named(dtype))
    for operator in "+-*/":
        got = apply(f"x[i] {operator} y[i]", target, dtype, x=x, y=y)
        with np.errstate(all="ignore"):
            expected = eval(f"x {operator} y")
        np.testing.assert_array_equal(got, expected)


def test_booleans(target: Target, rng: Generator) -> None:
    x, y = rng.integers(0, 2, (2, 30)).astype(bool)
    a = rng.standard_normal(30).astype(np.float32)
    got = apply("(x[i] and not y[i]) or a[i] < T.float32(0)", target, "bool", x=x, y=y, a=a)
    np.testing.assert_array_equal(got, (x & ~y) | (a < 0))


def test_products_and_sums_round_once(rng: Generator) -> None:
    x, y, z = rng.standard_normal((3, 100)).astype(np.float32)
    if not host_target().has_fma:
        pytest.skip("no fused multiply-add")
    got = apply("x[i] * y[i] + z[i]", host_target(), "float32", x=x, y=y, z=z)
    exact = (x.astype(np.float64) * y + z).astype(np.float32)
    np.testing.assert_array_equal(got, exact)
