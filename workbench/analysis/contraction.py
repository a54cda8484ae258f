"""Contractions that a library could compute.

Matrix products and convolutions, read off the loops.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from workbench.analysis.affine import Affine, affine
from workbench.analysis.arith import Facts
from workbench.analysis.conjunctions import conjuncts
from workbench.analysis.op_pattern import is_contraction
from workbench.analysis.polynomial import Poly, polynomial
from workbench.analysis.stages import Stage, stages
from workbench.ir import (
    Attrs,
    Binary,
    BinaryOp,
    BufferType,
    Dim,
    FloatImm,
    IntImm,
    LibraryFunction,
    Load,
    PrimExpr,
    Select,
    Store,
    TensorFunction,
    Var,
    as_dim,
    as_expr,
    find_library,
    libraries_that_compute,
)
from workbench.ir.dims import same_dim
from workbench.support.identity_memo import IdentityMemo


@dataclass(frozen=True, slots=True)
class LibraryForm:
    """`symbol(inputs..., out, **attrs)` computes the first stages of a function.

    `consumed` stages are covered; the last of them writes `result`. What follows is the epilogue.
    """

    symbol: str
    inputs: tuple[Var, ...]
    result: Var
    consumed: int
    attrs: Attrs = ()


def library_forms(function: TensorFunction) -> tuple[LibraryForm, ...]:
    """The library calls that could replace the contraction of a function, one for each library.

    In the order in which libraries were registered; empty where there is no such contraction.
    """
    form = contraction_form(function)
    if form is None:
        return ()
    found = libraries_that_compute(form.symbol)
    return tuple([_by(form, library) for library in found if _takes(library, form)])


def library_form(function: TensorFunction, symbol: str) -> LibraryForm | None:
    """The one of `library_forms` that calls `symbol`."""
    form, library = contraction_form(function), find_library(symbol)
    if form is None or library is None or library.computes != form.symbol:
        return None
    return _by(form, library) if _takes(library, form) else None


def _takes(library: LibraryFunction, form: LibraryForm) -> bool:
    """Whether a library computes on these dtypes."""
    if not library.dtypes:
        return True
    for buffer in (*form.inputs, form.result):
        if isinstance(buffer.type, BufferType) and buffer.type.dtype not in library.dtypes:
            return False
    return True


def _by(form: LibraryForm, library: LibraryFunction) -> LibraryForm:
    return LibraryForm(library.symbol, form.inputs, form.result, form.consumed, form.attrs)


def contraction_form(function: TensorFunction) -> LibraryForm | None:
    """The contraction that a function begins with; its `symbol` is `matmul` or `conv2d`."""
    return _FORMS.get(function, lambda: _contraction_form(function))


_FORMS: IdentityMemo[TensorFunction, LibraryForm | None] = IdentityMemo()
"""Passes ask twice of a call; modules have up to as many functions as calls."""


def _contraction_form(function: TensorFunction) -> LibraryForm | None:
    found = stages(function)
    if found is None:
        return None
    position = next((n for n, s in enumerate(found) if s.reduce and is_contraction(s)), None)
    if position is None or not _starts_at_zero(found[position]):
        return None
    form = (_matmul(found[0]) if position == 0 else None) or _conv2d(found, position)
    params = {p.id for p in function.params}
    if form is None or any(buffer.id not in params for buffer in form.inputs):
        return None
    results = params.intersection(stage.buffer.id for stage in found)
    return form if len(results) == 1 else None  # a library gives one value


def _starts_at_zero(stage: Stage) -> bool:
    init = stage.init.value if stage.init is not None else None
    return isinstance(init, FloatImm | IntImm) and init.value == 0


def _covers(stage: Stage, accesses: Iterable[Load | Store]) -> bool:
    """Whether the axes by which buffers are accessed run over their whole dimensions."""
    extents = stage.extents
    return all(
        same_dim(as_dim(extents[index.id]), dim) is True
        for access in accesses
        if isinstance(access.buffer.type, BufferType)
        for index, dim in zip(access.indices, access.buffer.type.shape, strict=True)
        if isinstance(index, Var) and index.id in extents
    )


def _operands(stage: Stage) -> tuple[Load, Load] | None:
    """The two loads that are multiplied."""
    product = stage.value
    if isinstance(product, Binary) and product.op is BinaryOp.MUL:
        a, b = product.a, product.b
        if isinstance(a, Load) and isinstance(b, Load):
            return a, b
    return None


def _matmul(stage: Stage) -> LibraryForm | None:
    """`C[batch, i, j] += A[batch, i, k] * B[batch, k, j]`, with B perhaps without batch."""
    operands = _operands(stage)
    if operands is None or len(stage.reduce) != 1 or len(stage.spatial) < 2:
        return None
    (k,), (*batch, i, j) = stage.reduce, stage.spatial
    wanted_a, wanted_b = (*batch, i, k), (*batch, k, j)
    for a, b in (operands, operands[::-1]):
        if (
            a.indices == wanted_a
            and b.indices in (wanted_b, (k, j))
            and stage.store.indices == stage.spatial
            and _covers(stage, (a, b, stage.store))
        ):
            return LibraryForm("matmul", (a.buffer, b.buffer), stage.buffer, 1)
    return None


def _conv2d(found: tuple[Stage, ...], position: int) -> LibraryForm | None:
    """`O[n, f, y, x] += I[n, c, y * s + ry * d - p, x * s + rx * d - p] * W[f, c, ry, rx]`."""
    stage = found[position]
    operands = _operands(stage)
    if operands is None or position > 1 or len(stage.spatial) != 4 or len(stage.reduce) != 3:
        return None
    for data, weight in (operands, operands[::-1]):
        windows = _windows(stage, data, weight)
        if windows is None:
            continue
        padded = _padding(found[0], data.buffer) if position == 1 else (data.buffer, (0, 0, 0, 0))
        if padded is None or not _is_whole(stage, data, weight, windows):
            return None
        source, padding = padded
        (stride_y, dilation_y), (stride_x, dilation_x) = windows
        attrs: Attrs = (
            ("dilation", (dilation_y, dilation_x)),
            ("padding", padding),
            ("strides", (stride_y, stride_x)),
        )
        inputs = (source, weight.buffer)
        return LibraryForm("conv2d", inputs, stage.buffer, position + 1, attrs)
    return None


def _windows(
    stage: Stage, data: Load, weight: Load
) -> tuple[tuple[int, int], tuple[int, int]] | None:
    n, f, y, x = stage.spatial
    c, ry, rx = stage.reduce
    if weight.indices != (f, c, ry, rx) or data.indices[:2] != (n, c) or len(data.indices) != 4:
        return None
    rows = _window(stage, data.indices[2], y, ry)
    columns = _window(stage, data.indices[3], x, rx)
    return None if rows is None or columns is None else (rows, columns)


def _is_whole(
    stage: Stage, data: Load, weight: Load, windows: tuple[tuple[int, int], tuple[int, int]]
) -> bool:
    """Whether the window goes over all of the data, as far as it fits."""
    if not _covers(stage, (data, weight, stage.store)):
        return False
    assert isinstance(data.buffer.type, BufferType)
    places = zip(
        data.buffer.type.shape[2:], stage.spatial[2:], stage.reduce[1:], windows, strict=True
    )
    return all(
        _fits(size, as_dim(stage.extents[out.id]), as_dim(stage.extents[kernel.id]), *window)
        for size, out, kernel, window in places
    )


def _fits(size: Dim, out: Dim, kernel: Dim, stride: int, dilation: int) -> bool:
    if isinstance(size, int) and isinstance(out, int) and isinstance(kernel, int):
        return out == (size - dilation * (kernel - 1) - 1) // stride + 1
    return stride == 1 and same_dim(size, out + (kernel - 1) * dilation) is True


def _window(stage: Stage, index: PrimExpr, spatial: Var, reduce: Var) -> tuple[int, int] | None:
    """Stride and dilation of `spatial * stride + reduce * dilation`."""
    form = affine(index)
    if form is None or form.constant != 0:
        return None
    if {v for v, _ in form.coefficients} - {spatial.id, reduce.id}:
        return None
    steps = [(form.of(var.id), as_dim(stage.extents[var.id])) for var in (spatial, reduce)]
    if any(step < 0 or (step == 0 and extent != 1) for step, extent in steps):
        return None
    (stride, _), (dilation, _) = steps
    return max(stride, 1), max(dilation, 1)


def _padding(stage: Stage, buffer: Var) -> tuple[Var, tuple[int, int, int, int]] | None:
    """Source and widths of a stage that pads the last two dimensions with zeros.

    Widths are top, left, bottom, right.
    """
    value = stage.store.value
    if (
        stage.buffer.id != buffer.id
        or not isinstance(value, Select)
        or not isinstance(value.true_value, Load)
    ):
        return None
    fill, load = value.false_value, value.true_value
    if not (isinstance(fill, FloatImm | IntImm) and fill.value == 0) or len(load.indices) != 4:
        return None
    forms = [affine(index) for index in load.indices]
    axes = [axis.var.id for axis in stage.block.axes]
    if any(f is None or f.coefficients != ((a, 1),) for f, a in zip(forms, axes, strict=True)):
        return None
    before = [-f.constant for f in forms if isinstance(f, Affine)]
    assert isinstance(buffer.type, BufferType)
    assert isinstance(load.buffer.type, BufferType)
    after: list[int] = []
    for outer, inner, first in zip(buffer.type.shape, load.buffer.type.shape, before, strict=True):
        if isinstance(outer, int) and isinstance(inner, int):
            after.append(outer - inner - first)
        elif outer == inner and first == 0:
            after.append(0)
        else:
            return None
    if before[:2] != [0, 0] or after[:2] != [0, 0] or min(before + after) < 0:
        return None
    whole = stage.writes_identity and _covers(stage, (stage.store,))
    if not whole or not _is_inside(stage, value.condition, load, before, after):
        return None
    return load.buffer, (before[2], before[3], after[2], after[3])


def _is_inside(
    stage: Stage, condition: PrimExpr, load: Load, before: list[int], after: list[int]
) -> bool:
    """Whether the condition holds exactly where the load is inside of its buffer."""
    assert isinstance(load.buffer.type, BufferType)
    allowed: list[Poly] = []
    needed: list[Poly] = []
    sides = zip(stage.block.axes, load.buffer.type.shape, before, after, strict=True)
    for axis, size, first, last in sides:
        index = Poly.atom(axis.var).shift(-first)
        ends = (index, polynomial(as_expr(size)).shift(-1) - index)
        allowed += ends
        needed += [end for end, width in zip(ends, (first, last), strict=True) if width]
    parts = [Facts().inequalities_of(part) for part in conjuncts(condition)]
    found = [part[0].terms for part in parts if len(part) == 1]
    return (
        len(found) == len(parts)
        and all(terms in [p.terms for p in allowed] for terms in found)
        and all(p.terms in found for p in needed)
    )
