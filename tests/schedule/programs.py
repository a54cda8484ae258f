"""Tensor functions of the kinds that schedules have to cope with.

Small enough for the interpreter.
"""

from __future__ import annotations

from workbench import te
from workbench.ir import TensorFunction, Var


def matmul(m: int, n: int, k: int) -> TensorFunction:
    a = te.placeholder((m, k), "float32", "A")
    b = te.placeholder((k, n), "float32", "B")
    r = te.reduce_axis(k, "r")
    product = te.compute((m, n), lambda i, j: te.sum(a[i, r] * b[r, j], axis=r), "matmul")
    return te.create_tensor_function([a, b], [product])


def matmul_bias_relu(m: int, n: int, k: int) -> TensorFunction:
    a = te.placeholder((m, k), "float32", "A")
    b = te.placeholder((k, n), "float32", "B")
    bias = te.placeholder((n,), "float32", "bias")
    r = te.reduce_axis(k, "r")
    product = te.compute((m, n), lambda i, j: te.sum(a[i, r] * b[r, j], axis=r), "matmul")
    out = te.compute((m, n), lambda i, j: te.maximum(product[i, j] + bias[j], 0.0), "relu")
    return te.create_tensor_function([a, b, bias], [out])


def conv2d(c: int, f: int, size: int, stride: int = 1, pad: int = 1) -> TensorFunction:
    data = te.placeholder((1, c, size, size), "float32", "data")
    weight = te.placeholder((f, c, 3, 3), "float32", "weight")
    padded = te.compute(
        (1, c, size + 2 * pad, size + 2 * pad),
        lambda n, i, y, x: te.if_then_else(
            te.all(y >= pad, y < size + pad, x >= pad, x < size + pad),
            data[n, i, y - pad, x - pad],
            te.const(0.0, "float32"),
        ),
        "pad",
    )
    source = padded if pad else data
    out = (size + 2 * pad - 3) // stride + 1
    rc, ry, rx = te.reduce_axis(c, "rc"), te.reduce_axis(3, "ry"), te.reduce_axis(3, "rx")
    conv = te.compute(
        (1, f, out, out),
        lambda n, o, y, x: te.sum(
            source[n, rc, y * stride + ry, x * stride + rx] * weight[o, rc, ry, rx],
            axis=[rc, ry, rx],
        ),
        "conv",
    )
    return te.create_tensor_function([data, weight], [conv])


def row_sum(m: int, n: int) -> TensorFunction:
    a = te.placeholder((m, n), "float32", "A")
    r = te.reduce_axis(n, "r")
    return te.create_tensor_function(
        [a], [te.compute((m,), lambda i: te.sum(a[i, r], axis=r), "sum")]
    )


def column_max(m: int, n: int) -> TensorFunction:
    a = te.placeholder((m, n), "float32", "A")
    r = te.reduce_axis(m, "r")
    return te.create_tensor_function(
        [a], [te.compute((n,), lambda j: te.max(a[r, j], axis=r), "max")]
    )


def transpose(m: int, n: int) -> TensorFunction:
    a = te.placeholder((m, n), "float32", "A")
    return te.create_tensor_function([a], [te.compute((n, m), lambda i, j: a[j, i], "T")])


def chain(m: int, n: int) -> TensorFunction:
    a = te.placeholder((m, n), "float32", "A")
    b = te.compute((m, n), lambda i, j: a[i, j] * 2.0, "double")
    c = te.compute((m, n), lambda i, j: te.tanh(b[i, j]), "tanh")
    d = te.compute((m, n), lambda i, j: c[i, j] * c[i, j] + b[i, j], "square")
    return te.create_tensor_function([a], [d])


def symbolic_scale(n: Var, m: int) -> TensorFunction:
    a = te.placeholder((n, m), "float32", "A")
    return te.create_tensor_function([a], [te.compute((n, m), lambda i, j: a[i, j] * 3.0, "scale")])
