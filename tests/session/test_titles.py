from __future__ import annotations

import pytest

import workbench as wb
from tests.session.programs import small
from workbench.session.titles import operation_label


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("matmul", "matmul"),
        ("nn.relu", "relu"),
        ("numpy.matmul", "matmul"),
        ("fused_matmul_add1_scheduled", "matmul_add"),
        ("matmul2_scheduled1", "matmul"),
        ("conv2d", "conv2d"),
    ],
)
def test_labels_of_operations(name: str, label: str) -> None:
    assert operation_label(name) == label


def test_a_choice_is_told_by_the_operation_as_it_was_called_before() -> None:
    session = wb.Session(small())
    titles = [session.steps[0].title, session.apply("LegalizeOps").title]
    titles += [session.swap("h", name).title for name in ("schedule", "library numpy.matmul")]
    assert titles == [
        "imported",
        "LegalizeOps",
        "matmul → schedule",
        "matmul → library numpy.matmul",
    ]
