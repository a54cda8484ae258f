"""Sliding windows: the arithmetic that convolution and pooling share.

A window of `kernel` elements, `dilation` apart, starts at every multiple of `stride` of a dimension
that has `padding` elements before and after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench import te
from workbench.ir import INDEX, Dim, PrimExpr, as_dim, as_expr
from workbench.ir.call_types import show_dim
from workbench.ops.call import OpCall


@dataclass(frozen=True, slots=True)
class Window:
    """The windows of one dimension; `extra` elements are padded at the end to fill the last one."""

    kernel: Dim
    stride: int
    dilation: int
    before: int
    after: int
    ceil_mode: bool = False

    @property
    def span(self) -> Dim:
        """Elements from the first to the last of a window."""
        return as_dim((as_expr(self.kernel, INDEX) - 1) * self.dilation + 1)

    def count(self, extent: Dim) -> Dim:
        """The number of windows; with `ceil_mode` also one that starts inside and ends outside."""
        length = as_expr(extent, INDEX) + (self.before + self.after)
        room = length - as_expr(self.span, INDEX)
        if not self.ceil_mode:
            return as_dim(room // self.stride + 1)
        rounded = (room + (self.stride - 1)) // self.stride + 1
        starting = (as_expr(extent, INDEX) + (self.before - 1)) // self.stride + 1
        return as_dim(te.minimum(rounded, starting))

    def overhang(self, extent: Dim) -> int:
        """Elements that the last window reaches beyond the padding (at most, if symbolic)."""
        if not self.ceil_mode:
            return 0
        count, span = self.count(extent), self.span
        if isinstance(count, int) and isinstance(extent, int) and isinstance(span, int):
            return max(0, (count - 1) * self.stride + span - extent - self.before - self.after)
        return self.stride - 1

    def start(self, index: PrimExpr) -> PrimExpr:
        """The position in the padded dimension where window `index` starts."""
        return index * self.stride


def windows(call: OpCall, kernel: Sequence[Dim], *, ceil_mode: bool = False) -> list[Window]:
    """The windows that the attributes `strides`, `dilation` and `padding` describe."""
    rank = len(kernel)
    strides = per_axis(call, "strides", rank)
    dilation = per_axis(call, "dilation", rank)
    padding = paddings(call, rank)
    return [
        Window(k, s, d, before, after, ceil_mode)
        for k, s, d, (before, after) in zip(kernel, strides, dilation, padding, strict=True)
    ]


def per_axis(call: OpCall, attribute: str, rank: int) -> tuple[int, ...]:
    """An attribute that is one positive number for each spatial axis, or one for all.

    Raises:
        CompileError: `type/attribute`.
    """
    given = call[attribute]
    values = (given,) * rank if isinstance(given, int) else tuple(given)
    values = values * rank if len(values) == 1 else values
    if len(values) != rank or any(value < 1 for value in values):
        raise call.error(
            "type/attribute", f"needs `{rank}` positive numbers as `{attribute}`, got `{given}`"
        )
    return values


def paddings(call: OpCall, rank: int) -> list[tuple[int, int]]:
    """The attribute `padding`: one number, one a dimension, or all befores and then all afters.

    Raises:
        CompileError: `type/attribute`.
    """
    given = call["padding"]
    values = (given,) * rank if isinstance(given, int) else tuple(given)
    values = values * rank if len(values) == 1 else values
    values = values * 2 if len(values) == rank else values
    if len(values) != 2 * rank or any(value < 0 for value in values):
        raise call.error(
            "type/attribute",
            f"needs 1, `{rank}` or `{2 * rank}` numbers from 0 as `padding`, got `{given}`",
        )
    return list(zip(values[:rank], values[rank:], strict=True))


def window_counts(call: OpCall, found: Sequence[Window], extents: Sequence[Dim]) -> list[Dim]:
    """The spatial extents of the result.

    Raises:
        CompileError: `type/shape-mismatch` if a window is larger than its dimension.
    """
    counts = [window.count(extent) for window, extent in zip(found, extents, strict=True)]
    for window, extent, count in zip(found, extents, counts, strict=True):
        if isinstance(count, int) and count < 1:
            raise call.error(
                "type/shape-mismatch",
                f"has a window of `{show_dim(window.span)}` elements, larger than the padded "
                f"extent of `{show_dim(extent)}` + `{window.before + window.after}`",
            )
    return counts


def window_view(x: NDArray[Any], found: Sequence[Window], fill: float) -> NDArray[Any]:
    """All windows of the last dimensions of `x`, as a view: `(..., counts, kernels)`."""
    rank = len(found)
    extents = x.shape[-rank:]
    widths = [
        (window.before, window.after + window.overhang(extent))
        for window, extent in zip(found, extents, strict=True)
    ]
    if any(map(any, widths)):
        x = np.pad(x, [(0, 0)] * (x.ndim - rank) + widths, constant_values=fill)
    spans = tuple(int(window.span) for window in found)  # pyright: ignore[reportArgumentType]
    axes = tuple(range(x.ndim - rank, x.ndim))
    view = np.lib.stride_tricks.sliding_window_view(x, spans, axis=axes)
    counts = [window.count(extent) for window, extent in zip(found, extents, strict=True)]
    starts = tuple(
        slice(0, (int(count) - 1) * window.stride + 1, window.stride)  # pyright: ignore[reportArgumentType]
        for window, count in zip(found, counts, strict=True)
    )
    inner = tuple(slice(None, None, window.dilation) for window in found)
    return view[(..., *starts, *inner)]
