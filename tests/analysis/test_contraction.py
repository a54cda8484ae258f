from __future__ import annotations

import pytest

from tests.schedule import programs
from workbench.analysis.contraction import library_forms
from workbench.ir import TensorFunction


def test_a_matrix_product_is_recognised_by_its_loops() -> None:
    (form,) = library_forms(programs.matmul(3, 4, 5))
    assert form.symbol == "numpy.matmul"
    assert [b.name for b in form.inputs] == ["A", "B"]
    assert form.consumed == 1


def test_what_follows_is_the_epilogue() -> None:
    (form,) = library_forms(programs.matmul_bias_relu(3, 4, 5))
    assert form.consumed == 1
    assert form.result.name == "matmul"


@pytest.mark.parametrize(("stride", "pad", "covered"), [(1, 1, 2), (2, 0, 1), (2, 1, 2)])
def test_a_convolution_is_recognised_with_its_window(stride: int, pad: int, covered: int) -> None:
    (form,) = library_forms(programs.conv2d(2, 3, 9, stride, pad))
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
