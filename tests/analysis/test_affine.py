from __future__ import annotations

from workbench.analysis.affine import affine, row_major_strides, step_of
from workbench.ir import BufferType, IntImm, Load, ScalarType, Var
from workbench.support import NodeId

I, J = (Var(NodeId(n), name, ScalarType()) for n, name in enumerate("ij"))


def load(shape: tuple[int | Var, ...], *indices: object) -> Load:
    buffer = Var(NodeId(9), "A", BufferType(shape))
    return Load(buffer, tuple(indices))  # pyright: ignore[reportArgumentType]


def test_forms_add_up() -> None:
    form = affine((I * 4 + J) * 2 - J + 3)
    assert form is not None
    assert (form.of(I.id), form.of(J.id), form.constant) == (8, 1, 3)


def test_products_of_variables_have_no_form() -> None:
    assert affine(I * J) is None
    assert affine(I // 2) is None


def test_steps_through_memory() -> None:
    access = load((8, 5, 1), I, J + 2, IntImm(0))
    assert step_of(access, J) == 1
    assert step_of(access, I) == 5
    assert step_of(load((8, 5), I, IntImm(0)), J) == 0
    assert step_of(load((8, 5), I, J // 2), J) is None


def test_only_inner_dimensions_count_for_strides() -> None:
    assert row_major_strides(BufferType((I, 3, 4))) == (12, 4, 1)
    assert row_major_strides(BufferType((3, I))) is None
