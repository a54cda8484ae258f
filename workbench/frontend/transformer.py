"""A transformer encoder built from code, with random weights, for any batch and length."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from workbench.ir import (
    Arg,
    CallOp,
    Dim,
    GraphBuilder,
    IRModule,
    ShapeValue,
    TensorType,
    Var,
)


def transformer_encoder(
    batch: int | None = None,
    length: int | None = None,
    *,
    width: int = 64,
    heads: int = 4,
    hidden: int = 128,
    blocks: int = 1,
    seed: int = 0,
) -> IRModule:
    """An encoder for `(batch, length, width) float32`, giving values of the same shape.

    Each block is attention with softmax, then a perceptron with GELU, both with residual sums and
    layer normalisation behind them. `batch` or `length` None makes it symbolic: `b`, `n`. Weights
    are normal with deviation `1 / sqrt(rows)`. Reference: Vaswani et al., "Attention Is All You
    Need", NeurIPS 2017.
    """
    net = _Encoder(batch, length, width, heads, seed)
    x = net.input
    for _ in range(blocks):
        attended = net.op("add", net.attention(x), x, name="attended")
        inner = net.norm(attended, "norm1")
        grown = net.op("nn.gelu", net.dense(inner, hidden, "up"), name="grown")
        x = net.norm(net.op("add", net.dense(grown, width, "down"), inner), "norm2")
    return net.builder.module.with_function("main", net.builder.build(x))


@dataclass
class _Encoder:
    """A graph function that grows operator by operator."""

    batch: int | None
    length: int | None
    width: int
    heads: int
    seed: int
    builder: GraphBuilder = field(default_factory=GraphBuilder)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        b: Dim = self.builder.symbol("b") if self.batch is None else self.batch
        n: Dim = self.builder.symbol("n") if self.length is None else self.length
        self.rows = (b, n)
        self.input = self.builder.param("x", TensorType((b, n, self.width)))

    def op(self, op: str, *args: Arg, name: str = "", **attrs: Any) -> Var:  # noqa: ANN401
        """Bind the call of an operator."""
        return self.builder.emit(CallOp(op, args, tuple(sorted(attrs.items()))), name)

    def weight(self, name: str, *shape: int) -> Var:
        """Bind a constant of random numbers."""
        array = self.rng.standard_normal(shape) / math.sqrt(shape[0])
        return self.builder.constant(array.astype(np.float32), name)

    def dense(self, x: Var, columns: int, name: str) -> Var:
        """`x @ weight + bias`."""
        assert isinstance(x.type, TensorType)
        assert x.type.shape is not None
        rows = x.type.shape[-1]
        assert isinstance(rows, int)
        product = self.op("matmul", x, self.weight(f"{name}_weight", rows, columns))
        return self.op("add", product, self.weight(f"{name}_bias", columns), name=name)

    def norm(self, x: Var, name: str) -> Var:
        """Layer normalisation over the last dimension."""
        gamma = self.builder.constant(np.ones(self.width, np.float32), f"{name}_gamma")
        beta = self.weight(f"{name}_beta", self.width)
        return self.op("nn.layer_norm", x, gamma, beta, axes=(-1,), name=name)

    def attention(self, x: Var) -> Var:
        """Scaled dot products of all positions with all others, head by head."""
        b, n = self.rows
        size = self.width // self.heads

        def by_head(name: str, *axes: int) -> Var:
            whole = self.dense(x, self.width, name)
            parts = self.op("reshape", whole, ShapeValue((b, n, self.heads, size)))
            return self.op("permute_dims", parts, axes=axes)

        query, key = by_head("query", 0, 2, 1, 3), by_head("key", 0, 2, 3, 1)
        value = by_head("value", 0, 2, 1, 3)
        scale = self.builder.constant(np.float32(1 / math.sqrt(size)), "scale")
        scores = self.op("multiply", self.op("matmul", query, key), scale, name="scores")
        weights = self.op("nn.softmax", scores, axis=-1, name="attention")
        mixed = self.op("permute_dims", self.op("matmul", weights, value), axes=(0, 2, 1, 3))
        joined = self.op("reshape", mixed, ShapeValue((b, n, self.width)))
        return self.dense(joined, self.width, "projected")
