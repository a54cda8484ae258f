"""Elementwise operators."""

from __future__ import annotations

import functools
from typing import cast

import numpy as np

from workbench.frontend.node import Converter, Node, Value, converter
from workbench.frontend.reader import dtype_name
from workbench.ir import Var

BINARY = {
    "Add": "add",
    "And": "logical_and",
    "BitwiseAnd": "bitwise_and",
    "BitwiseOr": "bitwise_or",
    "BitwiseXor": "bitwise_xor",
    "Div": "divide",
    "Equal": "equal",
    "Greater": "greater",
    "GreaterOrEqual": "greater_equal",
    "Less": "less",
    "LessOrEqual": "less_equal",
    "Mul": "multiply",
    "Or": "logical_or",
    "Sub": "subtract",
    "Xor": "logical_xor",
}
UNARY = {
    "Abs": "abs",
    "Acos": "acos",
    "Acosh": "acosh",
    "Asin": "asin",
    "Asinh": "asinh",
    "Atan": "atan",
    "Atanh": "atanh",
    "BitwiseNot": "bitwise_not",
    "Ceil": "ceil",
    "Cos": "cos",
    "Cosh": "cosh",
    "Erf": "erf",
    "Exp": "exp",
    "Floor": "floor",
    "IsNaN": "isnan",
    "Log": "log",
    "Neg": "negative",
    "Not": "logical_not",
    "Relu": "nn.relu",
    "Round": "round",
    "Sigmoid": "sigmoid",
    "Sign": "sign",
    "Sin": "sin",
    "Sinh": "sinh",
    "Sqrt": "sqrt",
    "Tan": "tan",
    "Tanh": "tanh",
}
VARIADIC = {"Max": "maximum", "Min": "minimum", "Sum": "add"}


def _binary(op: str) -> Converter:
    return lambda node: node.emit(op, node.tensor(0), node.tensor(1))


def _unary(op: str) -> Converter:
    return lambda node: node.emit(op, node.tensor(0))


for _onnx, _name in BINARY.items():
    converter(_onnx)(_binary(_name))
for _onnx, _name in UNARY.items():
    converter(_onnx)(_unary(_name))


@converter(*VARIADIC)
def _variadic(node: Node) -> Value:
    operands = node.tensors()
    if len(operands) == 1:
        return operands[0]
    *first, last = operands
    partial = functools.reduce(
        lambda a, b: node.emit(VARIADIC[node.op], a, b, part="partial"), first
    )
    return node.emit(VARIADIC[node.op], partial, last)


@converter("Mean")
def _mean(node: Node) -> Value:
    operands = node.tensors()
    total = functools.reduce(lambda a, b: node.emit("add", a, b, part="sum"), operands)
    return node.emit("divide", total, node.number(len(operands), total))


@converter("Identity", "Dropout")
def _nothing(node: Node) -> Value:
    """`Dropout` does nothing when a network is used; its mask is not computed."""
    return node.value(0)


@converter("Reciprocal")
def _reciprocal(node: Node) -> Value:
    x = node.tensor(0)
    return node.emit("divide", node.number(1, x), x)


@converter("Cast")
def _cast(node: Node) -> Value:
    x = node.tensor(0)
    dtype = dtype_name(node.attr("to"), node.described)
    return x if node.dtype(x) == dtype else node.emit("astype", x, dtype=dtype)


@converter("CastLike")
def _cast_like(node: Node) -> Value:
    x, dtype = node.tensor(0), node.dtype(node.tensor(1))
    return x if node.dtype(x) == dtype else node.emit("astype", x, dtype=dtype)


@converter("Pow")
def _power(node: Node) -> Value:
    base, exponent = node.tensor(0), node.value(1)
    if isinstance(exponent, np.ndarray) and exponent.ndim == 0 and exponent == 2:
        return node.emit("square", base)
    power = node.tensor(1)
    if node.dtype(power) != node.dtype(base):
        power = node.emit("astype", power, part="exponent", dtype=node.dtype(base))
    return node.emit("power", base, power)


@converter("Mod")
def _mod(node: Node) -> Value:
    return node.emit("mod" if node.attr("fmod", 0) else "floor_mod", node.tensor(0), node.tensor(1))


@converter("IsInf")
def _is_inf(node: Node) -> Value:
    if not (node.attr("detect_negative", 1) and node.attr("detect_positive", 1)):
        raise node.error("onnx/unsupported-attribute", "detects one sign of infinity only")
    return node.emit("isinf", node.tensor(0))


@converter("Where")
def _where(node: Node) -> Value:
    return node.emit("where", *node.tensors())


@converter("Clip")
def _clip(node: Node) -> Value:
    """Bounds are attributes before operator set 11, then optional inputs."""
    x = node.tensor(0)
    low, high = _bound(node, 1, "min"), _bound(node, 2, "max")
    if low is not None:
        last = high is None
        x = node.emit("maximum", x, low, part="" if last else "lower")
    return x if high is None else node.emit("minimum", x, high)


def _bound(node: Node, position: int, name: str) -> Var | None:
    if node.has(position):
        return node.tensor(position)
    given = node.attr(name)
    if given is None:
        return None
    constant = np.asarray(given, dtype=node.dtype(node.tensor(0)))
    return node.target.materialize(constant, f"{node.base}_{name}", node.span)


@converter("LeakyRelu")
def _leaky_relu(node: Node) -> Value:
    return node.emit("nn.leakyrelu", node.tensor(0), alpha=float(node.attr("alpha", 0.01)))


@converter("PRelu")
def _prelu(node: Node) -> Value:
    x, slope = node.tensor(0), node.tensor(1)
    zero = node.number(0, x)
    scaled = node.emit("multiply", x, slope, part="scaled")
    return node.emit("where", node.emit("less", x, zero, part="below"), scaled, x)


@converter("Elu", "Selu", "Celu")
def _elu(node: Node) -> Value:
    x = node.tensor(0)
    default = 1.6732632423543772 if node.op == "Selu" else 1.0
    alpha, gamma = node.attr("alpha", default), node.attr("gamma", 1.0507009873554805)
    inner = node.emit("divide", x, node.number(alpha, x), part="inner") if node.op == "Celu" else x
    grown = node.emit("exp", inner, part="exp")
    shifted = node.emit("subtract", grown, node.number(1, x), part="shifted")
    below = node.emit("multiply", shifted, node.number(alpha, x), part="below")
    positive = node.emit("greater", x, node.number(0, x), part="positive")
    if node.op != "Selu":
        return node.emit("where", positive, x, below)
    chosen = node.emit("where", positive, x, below, part="elu")
    return node.emit("multiply", chosen, node.number(gamma, x))


@converter("HardSigmoid", "HardSwish")
def _hard_sigmoid(node: Node) -> Value:
    x = node.tensor(0)
    swish = node.op == "HardSwish"
    alpha, beta = (1 / 6, 0.5) if swish else (node.attr("alpha", 0.2), node.attr("beta", 0.5))
    scaled = node.emit("multiply", x, node.number(alpha, x), part="scaled")
    line = node.emit("add", scaled, node.number(beta, x), part="line")
    low = node.emit("maximum", line, node.number(0, x), part="lower")
    if not swish:
        return node.emit("minimum", low, node.number(1, x))
    gate = node.emit("minimum", low, node.number(1, x), part="gate")
    return node.emit("multiply", x, gate)


@converter("Softsign")
def _softsign(node: Node) -> Value:
    x = node.tensor(0)
    size = node.emit("abs", x, part="abs")
    return node.emit("divide", x, node.emit("add", size, node.number(1, x), part="scale"))


@converter("Softplus")
def _softplus(node: Node) -> Value:
    return node.emit("nn.softplus", node.tensor(0))


@converter("Mish")
def _mish(node: Node) -> Value:
    x = node.tensor(0)
    gate = node.emit("tanh", node.emit("nn.softplus", x, part="softplus"), part="gate")
    return node.emit("multiply", x, gate)


@converter("Gelu")
def _gelu(node: Node) -> Value:
    approximate = node.attr("approximate", "none") == "tanh"
    return node.emit("nn.gelu_tanh" if approximate else "nn.gelu", node.tensor(0))


@converter("BitShift")
def _shift(node: Node) -> Value:
    left = node.attr("direction") == "LEFT"
    return node.emit("left_shift" if left else "right_shift", node.tensor(0), node.tensor(1))


@converter("Constant")
def _constant(node: Node) -> Value:
    for name, dtype in (
        ("value_float", "float32"),
        ("value_floats", "float32"),
        ("value_int", "int64"),
        ("value_ints", "int64"),
    ):
        if node.attr(name) is not None:
            return np.asarray(node.attr(name), dtype=dtype)
    value = node.attr("value")
    if not isinstance(value, np.ndarray):
        raise node.error("onnx/unsupported-attribute", "is no dense tensor of numbers")
    return cast("Value", value)
