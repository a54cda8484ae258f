from __future__ import annotations

from workbench.analysis.affine import affine, row_major_strides, step_of
from workbench.ir import BufferType, IntImm, Load, ScalarType, Var
from workbench.support import NodeId

ROW, COLUMN = (Var(NodeId(n), name, ScalarType()) for n, name in enumerate("ij"))


def load(shape: tuple[int | Var, ...], *indices: object) -> Load:
    buffer = Var(NodeId(9), "A", BufferType(shape))
    return Load(buffer, tuple(indices))  # pyright: ignore[reportArgumentType]


def test_forms_add_up() -> None:
    form = affine((ROW * 4 + COLUMN) * 2 - COLUMN + 3)
    assert form is not None
    assert (form.of(ROW.id), form.of(COLUMN.id), form.constant) == (8, 1, 3)


def test_products_of_variables_have_no_form() -> None:
    assert affine(ROW * COLUMN) is None
    assert affine(ROW // 2) is None


def test_steps_through_memory() -> None:
    access = load((8, 5, 1), ROW, COLUMN + 2, IntImm(0))
    assert step_of(access, COLUMN) == 1
    assert step_of(access, ROW) == 5
    assert step_of(load((8, 5), ROW, IntImm(0)), COLUMN) == 0
    assert step_of(load((8, 5), ROW, COLUMN // 2), COLUMN) is None


def test_only_inner_dimensions_count_for_strides() -> None:
    assert row_major_strides(BufferType((ROW, 3, 4))) == (12, 4, 1)
    assert row_major_strides(BufferType((3, ROW))) == (None, 1)


def test_contiguous_is_contiguous_behind_symbolic_rows() -> None:
    access = load((8, ROW, COLUMN), ROW, COLUMN, COLUMN + 1)
    assert step_of(access, ROW) is None
    assert step_of(load((8, ROW), IntImm(0), COLUMN), COLUMN) == 1
    assert step_of(load((ROW, 5), ROW, COLUMN), ROW) == 5
