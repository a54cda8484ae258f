"""Tensor expressions: what a tensor is, element by element.

Reference: `tvm::te::Tensor`, `tvm::te::ComputeOp`; Chen et al., "TVM", OSDI 2018, section 4.1.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Never, TypeAlias

from workbench.ir import (
    INDEX,
    BinaryOp,
    BufferType,
    Dim,
    DType,
    Load,
    PrimExpr,
    Scalar,
    ScalarType,
    Shape,
    Var,
    as_dim,
    as_expr,
    dtype_of,
)
from workbench.support import CompileError, Diagnostic, NodeId

Index: TypeAlias = Scalar | tuple[Scalar, ...]

_drafts = itertools.count(1)
"""Draft ids: negative, so that they never meet those of a function, which come last."""


def draft_id() -> NodeId:
    """An id that is unique among the values of unfinished tensor expressions."""
    return NodeId(-next(_drafts))


def is_draft(node: NodeId) -> bool:
    """Whether an id is one of an unfinished tensor expression, and none of a function."""
    return node < 0


@dataclass(frozen=True, slots=True, eq=False)
class ReduceAxis(Var):
    """A reduction axis; use it as an index and name it in `sum` and its like."""

    extent: PrimExpr = field(default_factory=lambda: as_expr(1), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Reduction:
    """`value` combined over `axes`, starting from `identity`; the outermost node of a `compute`."""

    combiner: BinaryOp
    value: PrimExpr
    axes: tuple[ReduceAxis, ...]
    identity: PrimExpr

    def _nested(self, *_: object) -> Never:
        raise CompileError(
            Diagnostic(
                "te/nested-reduction",
                "a reduction is used inside an expression, expected it to be the whole element",
                hint="compute the reduction as a tensor of its own and use that tensor",
            )
        )

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _nested
    __truediv__ = __rtruediv__ = __floordiv__ = __mod__ = __neg__ = _nested


@dataclass(frozen=True, slots=True)
class Compute:
    """How a tensor is computed: the element at `axes` is `body`."""

    axes: tuple[Var, ...]
    body: PrimExpr | Reduction


@dataclass(frozen=True, slots=True, eq=False)
class Tensor(Var):
    """A buffer that knows how it is computed; `A[i, j]` reads an element.

    `definition` is None for a placeholder.
    """

    definition: Compute | None = field(default=None, compare=False, repr=False)

    @property
    def shape(self) -> Shape:
        """Extents, outermost first."""
        return self.buffer_type.shape

    @property
    def dtype(self) -> DType:
        """The dtype of an element."""
        return self.buffer_type.dtype

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def buffer_type(self) -> BufferType:
        """The type as a buffer."""
        assert isinstance(self.type, BufferType)
        return self.type

    def __getitem__(self, index: Index) -> Load:
        """The element at `index`.

        Raises:
            CompileError: `te/rank`.
        """
        indices = index if isinstance(index, tuple) else (index,)
        if len(indices) != self.ndim:
            raise CompileError(
                Diagnostic(
                    "te/rank",
                    f"`{self.name}` has `{self.ndim}` dimensions, got `{len(indices)}` indices",
                )
            )
        return Load(self, tuple(as_expr(i, INDEX) for i in indices))

    def __call__(self, *indices: Scalar) -> Load:
        """The element at `indices`, as `__getitem__`; `A()` for a tensor without dimensions."""
        return self[indices]


def var(name: str = "n", dtype: DType = INDEX) -> Var:
    """A symbolic dimension (`int64`), or a scalar parameter.

    Reference: `tvm.te.var`.
    """
    return Var(draft_id(), name, ScalarType(dtype))


def placeholder(
    shape: Sequence[Scalar], dtype: DType = "float32", name: str = "placeholder"
) -> Tensor:
    """An input tensor.

    Reference: `tvm.te.placeholder`.
    """
    dims = tuple(as_dim(extent) for extent in shape)
    return Tensor(draft_id(), name, BufferType(dims, dtype))


def reduce_axis(extent: Scalar | tuple[Scalar, Scalar], name: str = "rv") -> ReduceAxis:
    """An axis to reduce over: an extent, or `(0, extent)`.

    Reference: `tvm.te.reduce_axis`.

    Raises:
        CompileError: `te/axis-start`.
    """
    start, stop = extent if isinstance(extent, tuple) else (0, extent)
    if as_dim(start) != 0:
        raise CompileError(
            Diagnostic(
                "te/axis-start",
                f"reduction axis `{name}` starts at `{as_dim(start)}`, expected `0`",
                hint="add the start to the index where the axis is used",
            )
        )
    return ReduceAxis(draft_id(), name, ScalarType(), as_expr(stop, INDEX))


def compute(
    shape: Sequence[Scalar],
    fcompute: Callable[..., Scalar | Reduction],
    name: str = "compute",
    axes: Sequence[str] = (),
) -> Tensor:
    """A tensor whose element at `i, j, ...` is `fcompute(i, j, ...)`.

    Loops are called `axes`, or else after the parameters of `fcompute`, `i0, i1, ...` where it
    takes `*indices`.
    `name` becomes the name of buffer and block. Reference: `tvm.te.compute`.

    Raises:
        CompileError: `te/rank`.
    """
    dims: tuple[Dim, ...] = tuple(as_dim(extent) for extent in shape)
    names = _axis_names(fcompute, len(dims), name)
    variables = tuple(Var(draft_id(), axis, ScalarType()) for axis in axes or names)
    result: Any = fcompute(*variables)
    body = result if isinstance(result, Reduction) else as_expr(result)
    element = body.value if isinstance(body, Reduction) else body
    return Tensor(draft_id(), name, BufferType(dims, dtype_of(element)), Compute(variables, body))


def _axis_names(fcompute: Callable[..., object], rank: int, name: str) -> list[str]:
    kinds = inspect.Parameter
    parameters = inspect.signature(fcompute).parameters.values()
    named = [
        p.name for p in parameters if p.kind in {kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD}
    ]
    rest = any(p.kind is kinds.VAR_POSITIONAL for p in parameters)
    if len(named) > rank or (len(named) < rank and not rest):
        raise CompileError(
            Diagnostic(
                "te/rank",
                f"`{name}` has `{rank}` dimensions, but its function takes `{len(named)}` indices",
            )
        )
    return named + [f"i{position}" for position in range(len(named), rank)]
