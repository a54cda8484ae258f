from __future__ import annotations

import importlib

import pytest

from tests.schedule import programs
from workbench.analysis.contraction import LibraryForm, library_forms
from workbench.ir import TensorFunction
from workbench.script import parse_function

importlib.import_module("workbench.ops")
"""Registers the libraries that loops may be."""


def test_a_matrix_product_is_recognised_by_its_loops() -> None:
    form, *_ = library_forms(programs.matmul(3, 4, 5))
    assert form.symbol == "numpy.matmul"
    assert [b.name for b in form.inputs] == ["A", "B"]
    assert form.consumed == 1


def test_what_follows_is_the_epilogue() -> None:
    form, *_ = library_forms(programs.matmul_bias_relu(3, 4, 5))
    assert form.consumed == 1
    assert form.result.name == "matmul"


@pytest.mark.parametrize(("stride", "pad", "covered"), [(1, 1, 2), (2, 0, 1), (2, 1, 2)])
def test_a_convolution_is_recognised_with_its_window(stride: int, pad: int, covered: int) -> None:
    form, *_ = library_forms(programs.conv2d(2, 3, 9, stride, pad))
    assert form.symbol == "numpy.conv2d"
    assert dict(form.attrs) == {
        "dilation": (1, 1),
        "padding": (pad, pad, pad, pad),
        "strides": (stride, stride),
    }
    assert form.consumed == covered
    assert [b.name for b in form.inputs] == ["data", "weight"]


@pytest.mark.parametrize(
    "function", [programs.transpose(3, 4), programs.row_sum(3, 4), programs.chain(2, 2)]
)
def test_other_functions_have_no_library(function: TensorFunction) -> None:
    assert library_forms(function) == ()


PRODUCT = """
@T.prim_func
def product(A: T.Buffer((4, 4), "float32"), B: T.Buffer((4, 4), "float32"),
            C: T.Buffer((4, 4), "float32")):
    for i, j, k in T.grid(4, 4, 4):
        with T.sblock("product"):
            vi, vj, vk = T.axis.remap("SSR", [i, j, k])
            with T.init():
                C[vi, vj] = T.float32(0.0)
            C[vi, vj] = C[vi, vj] + A[vi, vk] * B[vk, vj]
"""
CONVOLUTION = """
@T.prim_func
def convolution(X: T.Buffer((1, 2, 8, 8), "float32"), W: T.Buffer((3, 2, 3, 3), "float32"),
                Y: T.Buffer((1, 3, 6, 6), "float32")):
    for f, y, x, c, p, q in T.grid(3, 6, 6, 2, 3, 3):
        with T.sblock("convolution"):
            vn = T.axis.spatial(1, 0)
            vf, vy, vx, vc, vp, vq = T.axis.remap("SSSRRR", [f, y, x, c, p, q])
            with T.init():
                Y[vn, vf, vy, vx] = T.float32(0.0)
            Y[vn, vf, vy, vx] = Y[vn, vf, vy, vx] + X[vn, vc, vy + vp, vx + vq] * W[vf, vc, vp, vq]
"""

PADDED = """
@T.prim_func
def convolution(X: T.Buffer((1, 2, 8, 8), "float32"), W: T.Buffer((3, 2, 3, 3), "float32"),
                Y: T.Buffer((1, 3, 8, 8), "float32")):
    P = T.alloc_buffer((1, 2, 10, 10), "float32")
    for c, y, x in T.grid(2, 10, 10):
        with T.sblock("padded"):
            vn = T.axis.spatial(1, 0)
            vc, vy, vx = T.axis.remap("SSS", [c, y, x])
            P[vn, vc, vy, vx] = T.if_then_else(
                1 <= vy and vy < 9 and 1 <= vx and vx < 9, X[vn, vc, vy - 1, vx - 1], T.float32(0)
            )
    for f, y, x, c, p, q in T.grid(3, 8, 8, 2, 3, 3):
        with T.sblock("convolution"):
            vn = T.axis.spatial(1, 0)
            vf, vy, vx, vc, vp, vq = T.axis.remap("SSSRRR", [f, y, x, c, p, q])
            with T.init():
                Y[vn, vf, vy, vx] = T.float32(0.0)
            Y[vn, vf, vy, vx] = Y[vn, vf, vy, vx] + P[vn, vc, vy + vp, vx + vq] * W[vf, vc, vp, vq]
"""


def forms_of(text: str) -> tuple[LibraryForm, ...]:
    _, function = parse_function(text)
    assert isinstance(function, TensorFunction)
    return library_forms(function)


@pytest.mark.parametrize(
    ("text", "part", "other"),
    [
        (PRODUCT, "T.float32(0.0)", "T.float32(7.0)"),
        (PRODUCT, "T.grid(4, 4, 4)", "T.grid(2, 4, 4)"),
        (PRODUCT, "T.grid(4, 4, 4)", "T.grid(4, 4, 2)"),
        (CONVOLUTION, "T.float32(0.0)", "T.float32(7.0)"),
        (CONVOLUTION, "(3, 6, 6, 2, 3, 3)", "(3, 5, 6, 2, 3, 3)"),
        (CONVOLUTION, "(3, 6, 6, 2, 3, 3)", "(3, 6, 6, 1, 3, 3)"),
        (CONVOLUTION, "(3, 6, 6, 2, 3, 3)", "(3, 6, 6, 2, 3, 2)"),
        (CONVOLUTION, "vy + vp", "vy - vp + 2"),
        (CONVOLUTION, "vy + vp", "vy - vp"),
        (CONVOLUTION, "vy + vp", "vp"),
        (PADDED, "vy < 9", "vy < 8"),
        (PADDED, "1 <= vy and", "2 <= vy and"),
        (PADDED, "vx < 9", "vx < 9 and vc < 1"),
        (PADDED, "T.float32(0)\n", "T.float32(1)\n"),
    ],
)
def test_what_the_library_would_compute_otherwise_is_left_alone(
    text: str, part: str, other: str
) -> None:
    assert forms_of(text)
    assert part in text
    assert forms_of(text.replace(part, other)) == ()
