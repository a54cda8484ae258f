from __future__ import annotations

import numpy as np
import pytest

from workbench.interpret import run
from workbench.ir import CallPacked, IRModule, walk, why_missing
from workbench.ops.libraries import dnnl, onednn
from workbench.passes import PartitionForLibrary
from workbench.runtime import build
from workbench.script import parse
from workbench.support import CompileError

LIBRARIES = ("numpy", "onednn", "torch")
HEADER = "@I.ir_module\nclass Module:\n    @R.function\n    def main({params}):\n{symbols}"
F = "float32"


def module_of(params: str, lines: list[str], symbols: str = "") -> IRModule:
    body = "".join(f"            {line}\n" for line in lines)
    declared = "".join(f"        {s} = T.int64()\n" for s in symbols.split())
    return parse(
        HEADER.format(params=params, symbols=declared)
        + f"        with R.dataflow():\n{body}            R.output(y)\n        return y\n"
    )


def tensor(name: str, *shape: int | str) -> str:
    dims = ", ".join(f'"{d}"' if isinstance(d, str) else str(d) for d in shape)
    return f'{name}: R.Tensor(({dims}{"," if len(shape) == 1 else ""}), "float32")'


def library_calls(module: IRModule) -> list[CallPacked]:
    return [
        n for f in module.graph_functions.values() for n in walk(f) if isinstance(n, CallPacked)
    ]


def need(library: str) -> None:
    if reason := why_missing(f"{library}.matmul"):
        pytest.skip(reason)


def check(module: IRModule, library: str, *shapes: tuple[int, ...], calls: int = 1) -> IRModule:
    """The library computes what the reference does, and as many calls as expected go to it."""
    need(library)
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape).astype(F) for shape in shapes]
    parted = PartitionForLibrary(library)(module).module
    assert len(library_calls(parted)) == calls
    np.testing.assert_allclose(build(parted)(*arrays), run(module, *arrays), rtol=1e-4, atol=1e-4)
    return parted


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    ("a", "b"),
    [((5, 7), (7, 3)), ((2, 3, 5, 7), (7, 3)), ((2, 3, 5, 7), (2, 3, 7, 4)), ((1, 1), (1, 1))],
)
def test_products(library: str, a: tuple[int, ...], b: tuple[int, ...]) -> None:
    module = module_of(f"{tensor('a', *a)}, {tensor('b', *b)}", ["y = R.matmul(a, b)"])
    check(module, library, a, b)


@pytest.mark.parametrize("activation", ["relu", "gelu", "gelu_tanh", ""])
@pytest.mark.parametrize("bias", [True, False])
def test_products_with_bias_and_activation_are_one_call(activation: str, bias: bool) -> None:
    lines = ["y = R.matmul(a, b)"]
    lines += ["y = R.add(y, c)"] if bias else []
    lines += [f"y = R.nn.{activation}(y)"] if activation else []
    lines = [
        line.replace("y = ", f"v{n} = ", 1).replace("(y", f"(v{n - 1}")
        for n, line in enumerate(lines)
    ]
    lines[-1] = "y" + lines[-1][2:]
    shapes = ((4, 9), (9, 6), (6,))
    params = ", ".join(tensor(n, *s) for n, s in zip("abc", shapes, strict=True))
    parted = check(module_of(params, lines), "onednn", *shapes)
    (call,) = library_calls(parted)
    assert dict(call.attrs).get("activation", "") == activation
    assert len(call.args) == 2 + bias


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    "attributes",
    [
        "",
        "padding=[1, 1, 1, 1]",
        "strides=[2, 3], padding=[0, 1, 2, 1]",
        "dilation=[2, 1], padding=[2, 1, 2, 1]",
    ],
)
def test_convolutions(library: str, attributes: str) -> None:
    shapes = ((2, 4, 9, 8), (6, 4, 3, 3))
    params = ", ".join(tensor(n, *s) for n, s in zip("ab", shapes, strict=True))
    check(module_of(params, [f"y = R.nn.conv2d(a, b, {attributes})"]), library, *shapes)


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_convolutions_with_bias_and_relu_are_one_call(groups: int) -> None:
    shapes = ((2, 4, 9, 8), (8, 4 // groups, 3, 3), (1, 8, 1, 1))
    params = ", ".join(tensor(n, *s) for n, s in zip("abc", shapes, strict=True))
    lines = [
        f"u = R.nn.conv2d(a, b, groups={groups}, padding=[1, 1, 1, 1])",
        "v = R.add(u, c)",
        "y = R.nn.relu(v)",
    ]
    (call,) = library_calls(check(module_of(params, lines), "onednn", *shapes))
    assert dict(call.attrs)["activation"] == "relu"


@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_softmax(axis: int) -> None:
    module = module_of(tensor("a", 4, 5, 6), [f"y = R.nn.softmax(a, axis={axis})"])
    check(module, "onednn", (4, 5, 6))


def test_layer_norm() -> None:
    params = f"{tensor('a', 4, 5, 6)}, {tensor('g', 6)}, {tensor('b', 6)}"
    module = module_of(params, ["y = R.nn.layer_norm(a, g, b, axes=[-1], epsilon=1e-3)"])
    check(module, "onednn", (4, 5, 6), (6,), (6,))


@pytest.mark.parametrize("rows", [1, 7, 0])
def test_one_build_serves_several_shapes(rows: int) -> None:
    module = module_of(
        f"{tensor('a', 'n', 6)}, {tensor('b', 6, 4)}, {tensor('c', 4)}",
        ["u = R.matmul(a, b)", "v = R.add(u, c)", "y = R.nn.relu(v)"],
        "n",
    )
    check(module, "onednn", (rows, 6), (6, 4), (4,))


def test_primitives_are_kept_by_shape_and_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    need("onednn")
    library = dnnl.library()
    monkeypatch.setattr(dnnl, "KEPT", 3)
    library._primitives.clear()  # pyright: ignore[reportPrivateUsage]
    made: list[dnnl.Primitive] = []
    for size in (2, 3, 2, 4, 5, 2):
        a, out = np.ones((size, size), np.float32), np.empty((size, size), np.float32)
        onednn.matmul(a, a, out)
        made.append(list(library._primitives.values())[-1])  # pyright: ignore[reportPrivateUsage]
        np.testing.assert_array_equal(out, np.full((size, size), size, np.float32))
    assert made[0] is made[2] is made[5]
    assert len(library._primitives) == 3  # pyright: ignore[reportPrivateUsage]


def test_an_inner_dimension_of_zero_gives_zeros_and_bias() -> None:
    need("onednn")
    a, b, out = np.empty((2, 0), F), np.empty((0, 3), F), np.full((2, 3), 9, F)
    onednn.matmul(a, b, np.array([1, -1, 2], F), out, activation="relu")
    np.testing.assert_array_equal(out, [[1, 0, 2], [1, 0, 2]])


def test_relu_of_what_is_no_number_is_zero_as_documented() -> None:
    need("onednn")
    a, out = np.array([[np.nan, -1], [2, 3]], np.float32), np.empty((2, 2), np.float32)
    onednn.matmul(a, np.eye(2, dtype=np.float32), out, activation="relu")
    np.testing.assert_array_equal(out, [[0, 0], [2, 3]])


def test_threads_must_be_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_ONEDNN_THREADS", "many")
    with pytest.raises(CompileError, match="must be a number above 0, got `many`"):
        dnnl.threads()
    monkeypatch.setenv("WORKBENCH_ONEDNN_THREADS", "3")
    assert dnnl.threads() == 3
