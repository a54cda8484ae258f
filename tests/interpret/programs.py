"""Small tensor functions, built by hand."""

from __future__ import annotations

from workbench.ir import (
    Axis,
    AxisKind,
    Block,
    BufferType,
    For,
    IntImm,
    Load,
    PrimExpr,
    ScalarType,
    Stmt,
    Store,
    TensorFunction,
    Var,
    as_expr,
)
from workbench.ir.expr import Dim, Scalar, Shape
from workbench.support import IdSource


class Names:
    """Makes variables with fresh ids."""

    def __init__(self) -> None:
        self.ids = IdSource()

    def buffer(self, name: str, shape: Shape, dtype: str = "float32") -> Var:
        return Var(self.ids.new(), name, BufferType(shape, dtype))

    def scalar(self, name: str, dtype: str = "int64") -> Var:
        return Var(self.ids.new(), name, ScalarType(dtype))

    def elementwise(
        self, output: Var, value: PrimExpr, loops: list[Var], extents: list[Dim]
    ) -> Stmt:
        """`output[i...] = value` in loops, without a block."""
        stmt: Stmt = Store(output, tuple(loops), value)
        for var, extent in zip(reversed(loops), reversed(extents), strict=True):
            stmt = For(var, IntImm(0), as_expr(extent), stmt)
        return stmt


def load(buffer: Var, *indices: Scalar) -> PrimExpr:
    return Load(buffer, tuple(as_expr(i) for i in indices))


def unary(make: object, dtype: str, out: str | None = None, n: int = 4) -> TensorFunction:
    """`y[i] = make(x[i])` over `n` elements."""
    names = Names()
    x, y, i = (
        names.buffer("x", (n,), dtype),
        names.buffer("y", (n,), out or dtype),
        names.scalar("i"),
    )
    body = names.elementwise(y, make(load(x, i)), [i], [n])  # pyright: ignore[reportCallIssue]
    return TensorFunction((x, y), body, next_id=names.ids.next)


def pairwise(make: object, dtype: str, out: str | None = None, n: int = 4) -> TensorFunction:
    """`z[i] = make(x[i], y[i])` over `n` elements."""
    names = Names()
    x, y = names.buffer("x", (n,), dtype), names.buffer("y", (n,), dtype)
    z, i = names.buffer("z", (n,), out or dtype), names.scalar("i")
    body = names.elementwise(z, make(load(x, i), load(y, i)), [i], [n])  # pyright: ignore[reportCallIssue]
    return TensorFunction((x, y, z), body, next_id=names.ids.next)


def matmul(
    n: Dim, k: Dim, m: Dim, dtype: str = "float32", names: Names | None = None
) -> TensorFunction:
    """The textbook reduction block with an init."""
    names = names or Names()
    a, b, c = (
        names.buffer("A", (n, k), dtype),
        names.buffer("B", (k, m), dtype),
        names.buffer("C", (n, m), dtype),
    )
    i, j, r = (names.scalar(s) for s in "ijr")
    vi, vj, vr = (names.scalar(s) for s in ("vi", "vj", "vr"))
    update = Store(c, (vi, vj), load(c, vi, vj) + load(a, vi, vr) * load(b, vr, vj))
    block = Block(
        names.ids.new(),
        "C",
        (
            Axis(vi, AxisKind.SPATIAL, as_expr(n), i),
            Axis(vj, AxisKind.SPATIAL, as_expr(m), j),
            Axis(vr, AxisKind.REDUCE, as_expr(k), r),
        ),
        update,
        init=Store(c, (vi, vj), as_expr(0.0, dtype)),
    )
    body: Stmt = block
    for var, extent in ((r, k), (j, m), (i, n)):
        body = For(var, IntImm(0), as_expr(extent), body)
    return TensorFunction((a, b, c), body, next_id=names.ids.next)
