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
    is_float,
)
from workbench.ir.expr import expression_text
from workbench.ir.tracing import traced
from workbench.support import CompileError, Diagnostic, NodeId
from workbench.te.arguments import element_type, label, shape_of, wrong_argument
from workbench.te.checks import check_element

Index: TypeAlias = Scalar | tuple[Scalar, ...]

_drafts = itertools.count(3)
"""Draft ids: negative, so that they never meet those of a function, which come last.

From -3, for `hash(-1) == hash(-2)`: in a table, Python asks only those of one hash for `==`, which
is a comparison of the program where indices are traced.
"""


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
            CompileError: `te/rank`, `te/index`, `expr/not-a-scalar`.
        """
        indices = index if isinstance(index, tuple) else (index,)
        if len(indices) != self.ndim:
            raise CompileError(
                Diagnostic(
                    "te/rank",
                    f"`{self.name}` has `{self.ndim}` dimensions, got `{len(indices)}` indices",
                )
            )
        return Load(self, tuple(_index(self.name, i) for i in indices))

    def __iter__(self) -> Never:
        """Refused: Python would ask for elements without end.

        Raises:
            CompileError: `te/iteration`.
        """
        raise CompileError(
            Diagnostic(
                "te/iteration",
                f"`{self.name}` is a tensor of the program, and Python cannot go through it",
                hint="`te.sum`, `te.max` and `te.min` reduce over a `te.reduce_axis`; "
                "an element is `A[i]`",
            )
        )

    def __contains__(self, value: object) -> Never:
        """Refused, as `__iter__`.

        Raises:
            CompileError: `te/iteration`.
        """
        self.__iter__()

    def __call__(self, *indices: Scalar) -> Load:
        """The element at `indices`, as `__getitem__`; `A()` for a tensor without dimensions."""
        return self[indices]


def _index(name: str, index: Scalar) -> PrimExpr:
    expr = as_expr(index)
    dtype = dtype_of(expr)
    if is_float(dtype) or dtype == "bool":
        raise CompileError(
            Diagnostic(
                "te/index",
                f"`{name}` is indexed by a `{dtype}` value, expected an integer",
                hint="`te.cast(x, 'int64')` converts; `//` divides integers",
            )
        )
    return expr


def var(name: str = "n", dtype: DType = INDEX) -> Var:
    """A symbolic dimension (`int64`), or a scalar parameter.

    Raises:
        CompileError: `te/dtype`, `te/argument`.

    Reference: `tvm.te.var`.
    """
    return Var(draft_id(), label(name), ScalarType(element_type(dtype)))


def placeholder(
    shape: Sequence[Scalar], dtype: DType = "float32", name: str = "placeholder"
) -> Tensor:
    """An input tensor.

    Raises:
        CompileError: `te/shape`, `te/dtype`, `te/argument`, `expr/not-a-dimension`.

    Reference: `tvm.te.placeholder`.
    """
    name = label(name)
    return Tensor(draft_id(), name, BufferType(shape_of(shape, name), element_type(dtype)))


def reduce_axis(extent: Scalar | tuple[Scalar, Scalar], name: str = "rv") -> ReduceAxis:
    """An axis to reduce over: an extent, or `(0, extent)`.

    Reference: `tvm.te.reduce_axis`.

    Raises:
        CompileError: `te/axis-start`, `te/shape`, `expr/not-a-dimension`.
    """
    start, stop = _span(extent)
    if not isinstance(start, int) or start:
        raise CompileError(
            Diagnostic(
                "te/axis-start",
                f"reduction axis `{name}` starts at `{expression_text(start)}`, expected `0`",
                hint="add the start to the index where the axis is used",
            )
        )
    (size,) = shape_of((stop,), label(name))
    return ReduceAxis(draft_id(), name, ScalarType(), as_expr(size, INDEX))


def _span(extent: Scalar | tuple[Scalar, Scalar]) -> tuple[Dim, Scalar]:
    if not isinstance(extent, tuple | list):
        return 0, extent
    if len(extent) != 2:
        raise wrong_argument("an extent, or `(0, extent)`", extent)
    return as_dim(extent[0]), extent[1]


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

    In `fcompute`, `==` and `!=` are comparisons of the program.

    Raises:
        CompileError: `te/rank`, `te/shape`, `te/argument`, `te/mixed-dtypes`,
            `te/integer-division`, `expr/truth`, `expr/not-a-scalar`, `expr/not-a-dimension`,
            `expr/function-raised`.
    """
    name = label(name)
    dims = shape_of(shape, name)
    if not callable(fcompute):
        raise wrong_argument(f"a function of the indices of `{name}`", fcompute)
    names = _axis_names(fcompute, len(dims), name)
    if axes and len(axes) != len(dims):
        raise wrong_argument(f"`{len(dims)}` names of axes of `{name}`", axes)
    variables = tuple(Var(draft_id(), label(axis), ScalarType()) for axis in axes or names)
    result: Any = traced(fcompute, variables, f"the function of `{name}`")
    body = result if isinstance(result, Reduction) else as_expr(result)
    element = body.value if isinstance(body, Reduction) else body
    dtype = dtype_of(element)
    check_element(name, element)
    return Tensor(draft_id(), name, BufferType(dims, dtype), Compute(variables, body))


def _axis_names(fcompute: Callable[..., object], rank: int, name: str) -> list[str]:
    kinds = inspect.Parameter
    try:
        parameters = inspect.signature(fcompute).parameters.values()
    except ValueError:  # some functions of C
        return [f"i{position}" for position in range(rank)]
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
