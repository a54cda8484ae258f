from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.ops.cases import CASES, Case, symbol
from workbench.interpret import Symbols, evaluate, fresh_array, run_tensor_function
from workbench.ir import (
    CallOp,
    Operator,
    ShapeType,
    TensorFunction,
    TensorType,
    TupleType,
    Type,
    infer_type,
    operator,
    operators,
    type_of,
)
from workbench.ir.dtypes import numpy_dtype
from workbench.support import CompileError

pytestmark = pytest.mark.filterwarnings("error")


def shipped() -> list[Operator]:
    """The operators of `workbench.ops`; other tests register some of their own."""
    return [op for op in operators() if not op.name.startswith("test.")]


def outputs_of(type_: Type) -> tuple[TensorType, ...]:
    if isinstance(type_, TupleType):
        return tuple(field for field in type_.fields if isinstance(field, TensorType))
    return (type_,) if isinstance(type_, TensorType) else ()


def reference(case: Case) -> tuple[Any, ...]:
    result = operator(case.op).reference(case.call(), *case.values)
    is_tuple = isinstance(infer_type(case.call()), TupleType)
    return tuple(result) if is_tuple else (result,)


def legalized(call: CallOp) -> TensorFunction | None:
    legalize = operator(call.op).legalize
    if legalize is None:
        return None
    return legalize(call, tuple(type_of(arg) for arg in call.args), infer_type(call))


def assert_close(found: NDArray[Any], wanted: NDArray[Any], tolerance: float) -> None:
    assert found.dtype == wanted.dtype
    assert found.shape == wanted.shape
    if found.dtype.kind in "biu":
        np.testing.assert_array_equal(found, wanted)
    else:
        np.testing.assert_allclose(
            found.astype(np.float64), wanted.astype(np.float64), rtol=tolerance, atol=tolerance
        )


def test_every_operator_is_documented() -> None:
    assert [op.name for op in shipped() if not op.doc.endswith(".")] == []


def test_every_operator_has_a_case() -> None:
    assert {op.name for op in shipped()} == {case.op for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_type_rule_agrees_with_the_reference(case: Case) -> None:
    inferred = infer_type(case.call())
    found = reference(case)
    if isinstance(inferred, ShapeType):
        assert inferred.dims is None or inferred.dims == found[0]
        return
    for type_, value in zip(outputs_of(inferred), found, strict=True):
        assert isinstance(value, np.ndarray)
        assert value.dtype == numpy_dtype(type_.dtype or "")
        if type_.shape is None:
            assert type_.rank in (None, value.ndim)
        else:
            assert value.shape == type_.shape


NO_TENSOR_FORM = {
    "argsort", "cumprod", "cumsum", "nonzero", "scatter_elements", "scatter_nd", "shape_of",
    "shape_to_tensor", "sort", "tensor_to_shape", "topk", "dynamic_strided_slice", "unique",
}  # fmt: skip
"""Operators that run on their numpy reference."""

NOT_EXPRESSED = {"split[2x7]indices_or_sections=1,axis=1"}
"""Cases of others without a tensor form: a tuple of one part has none."""

NEEDS_EXTENTS = {
    "reshape[2x3x4-(6,4)]", "reshape[2x3x4-(2,12)]", "reshape[1x6-(2,3)]",
    "reshape[2x6x5-(2,2,3,5)]", "squeeze[1x2x1x3]",
    "gather_nd[3x4x5-2x6x2]", "gather_nd[3x4-5x2]",
    "nn.conv2d[1x4x5x5-6x2x3x3]groups=2,padding=1", "nn.conv2d[1x3x5x5-3x1x3x3]groups=3",
}  # fmt: skip
"""Cases that have a tensor form where the extents are numbers only."""

REFUSES_SYMBOLS = {
    "split[7x2]indices_or_sections=3",
    "strided_slice[5x6]axes=(1,),begin=(4,),end=(1,),strides=(-2,)",
    "nn.group_norm[2x6x3-6-6]num_groups=3",
}
"""Cases whose type rule needs the extents as numbers."""


def test_exactly_the_known_operators_lack_a_tensor_form() -> None:
    assert {op.name for op in shipped() if op.legalize is None} == NO_TENSOR_FORM
    known = NO_TENSOR_FORM | {case.op for case in CASES if str(case) in NOT_EXPRESSED}
    assert {case.op for case in CASES if legalized(case.call()) is None} == known


def test_every_listed_case_is_there() -> None:
    assert {str(case) for case in CASES} >= NOT_EXPRESSED | NEEDS_EXTENTS | REFUSES_SYMBOLS


def has_form(case: Case) -> bool:
    return case.op not in NO_TENSOR_FORM and str(case) not in NOT_EXPRESSED


@pytest.mark.parametrize("case", [case for case in CASES if has_form(case)], ids=str)
def test_tensor_form_agrees_with_the_reference(case: Case) -> None:
    function = legalized(case.call())
    assert function is not None
    wanted = reference(case)
    results = [fresh_array(value.shape, str(value.dtype)) for value in wanted]
    run_tensor_function(function, [*case.arrays(), *results])
    for found, value in zip(results, wanted, strict=True):
        assert_close(found, value, case.tolerance)


def emptied(case: Case) -> list[Case]:
    """The case with no rows in one of its arrays, for each array, where types allow that."""
    found: list[Case] = []
    for k, value in enumerate(case.values):
        if isinstance(value, np.ndarray) and value.ndim:
            values = (*case.values[:k], value[:0], *case.values[k + 1 :])
            found.append(replace(case, values=values))
    return [case for case in found if _is_typed(case)]


def _is_typed(case: Case) -> bool:
    try:
        infer_type(case.call())
    except CompileError:
        return False
    return True


@pytest.mark.parametrize("case", [case for case in CASES if has_form(case)], ids=str)
def test_tensor_form_agrees_with_the_reference_on_nothing(case: Case) -> None:
    for empty in emptied(case):
        function = legalized(empty.call())
        if function is None:
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # numpy on means of nothing
                wanted = reference(empty)
        except CompileError as error:
            codes = {fault.code for fault in error.diagnostics}
            if codes != {"run/out-of-bounds"}:
                raise
            continue
        results = [fresh_array(value.shape, str(value.dtype)) for value in wanted]
        run_tensor_function(function, [*empty.arrays(), *results])
        for found, value in zip(results, wanted, strict=True):
            assert_close(found, value, case.tolerance)


DIVISIONS = ("divide", "floor_divide", "mod", "floor_mod")


@pytest.mark.parametrize("op", DIVISIONS)
def test_integers_divided_by_zero_fail_alike(op: str) -> None:
    case = Case(op, (np.array([7, 8], np.int32), np.array([2, 0], np.int32)))
    function = legalized(case.call())
    assert function is not None
    with pytest.raises(CompileError, match=r"run/division-by-zero.*integer"):
        reference(case)
    with pytest.raises(CompileError, match=r"run/division-by-zero.*integer"):
        run_tensor_function(function, [*case.arrays(), np.zeros(2, np.int32)])
    nothing = Case(op, (np.zeros(0, np.int32), np.zeros(1, np.int32)))
    assert reference(nothing)[0].shape == (0,)


def test_reflection_goes_there_and_back_once() -> None:
    with pytest.raises(CompileError, match=r"cannot pad `2` elements of dimension `0` by `.0, 2.`"):
        infer_type(reflected(0, 2))
    with pytest.raises(CompileError, match=r"cannot pad `2` elements of dimension `0` by `.3, 0.`"):
        infer_type(reflected(3, 0))
    call = reflected(2, 1)
    function, x = legalized(call), np.array([1, 2], np.float32)
    assert function is not None
    found = np.zeros(5, np.float32)
    run_tensor_function(function, [x, found])
    np.testing.assert_array_equal(found, operator("nn.pad").reference(call, x))


def reflected(before: int, after: int) -> CallOp:
    values = (np.zeros(2, np.float32),)
    return Case("nn.pad", values, {"pad_width": (before, after), "pad_mode": "reflect"}).call()


@pytest.mark.parametrize("case", [case for case in CASES if not has_form(case)], ids=str)
def test_what_has_no_tensor_form_says_so(case: Case) -> None:
    assert legalized(case.call()) is None


def symbols_for(case: Case) -> dict[int, Any]:
    extents = sorted({extent for array in case.arrays() for extent in array.shape if extent > 1})
    return {extent: symbol(f"n{extent}", i) for i, extent in enumerate(extents)}


@pytest.mark.parametrize("case", [c for c in CASES if str(c) in REFUSES_SYMBOLS], ids=str)
def test_symbolic_extents_are_refused_where_numbers_are_needed(case: Case) -> None:
    with pytest.raises(CompileError):
        infer_type(case.call(symbols_for(case)))


@pytest.mark.parametrize("case", [c for c in CASES if str(c) not in REFUSES_SYMBOLS], ids=str)
def test_symbolic_extents_give_the_same(case: Case) -> None:
    """Each extent above 1 is a symbol: shapes evaluate to the right numbers, and so does code."""
    names = symbols_for(case)
    call = case.call(names)
    inferred, wanted = infer_type(call), reference(case)
    values = Symbols({var.id: extent for extent, var in names.items()})
    for type_, value in zip(outputs_of(inferred), wanted, strict=False):
        if type_.shape is not None:
            assert tuple(evaluate(dim, values) for dim in type_.shape) == value.shape
    function = legalized(call)
    assert (function is not None) == (has_form(case) and str(case) not in NEEDS_EXTENTS)
    if function is None:
        return
    results = [fresh_array(value.shape, str(value.dtype)) for value in wanted]
    run_tensor_function(function, [*case.arrays(), *results])
    for found, value in zip(results, wanted, strict=True):
        assert_close(found, value, case.tolerance)


@pytest.mark.parametrize("case", CASES[::9], ids=str)
def test_unknown_shapes_give_ranks_at_most(case: Case) -> None:
    call = case.call()
    types = tuple(
        TensorType(None, t.dtype, t.rank) if isinstance(t, TensorType) else t
        for t in map(type_of, call.args)
    )
    inferred = operator(case.op).infer(call, types)
    for type_, value in zip(outputs_of(inferred), reference(case), strict=True):
        assert type_.dtype is None or value.dtype == numpy_dtype(type_.dtype)
        assert type_.rank in (None, value.ndim)
