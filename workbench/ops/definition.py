"""How operators are defined: a type rule, a numpy reference, a tensor form.

A definition is written on `OpCall`; what this module adds is the same for all operators: tensors
of unknown shape, symbolic extents that no parameter binds, and the way from tensor expressions to a
tensor function.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from workbench.ir import (
    Arg,
    CallOp,
    Constant,
    DType,
    FloatImm,
    IntImm,
    Operator,
    PrimExpr,
    ScalarType,
    ScalarValue,
    ShapeType,
    ShapeValue,
    StringValue,
    TensorFunction,
    TensorType,
    TupleType,
    TupleValue,
    Type,
    Var,
    free_vars,
    map_children,
    register_operator,
)
from workbench.ops.call import OpCall
from workbench.support import CompileError, NodeId
from workbench.te import Tensor, create_tensor_function, placeholder, var

Rule: TypeAlias = Callable[[OpCall], Type]
"""The result type of a call whose tensors have shapes."""
Numeric: TypeAlias = Callable[..., Any]
"""`numeric(call, *values)`: the result as numpy arrays, in the dtypes that the rule gives."""
Form: TypeAlias = Callable[..., "Tensor | tuple[Tensor, ...] | None"]
"""`form(call, *operands)`: the result as tensor expressions of tensors or tuples of them."""
ResultDType: TypeAlias = Callable[[OpCall], "DType | None"]
"""The dtype of the result, where not even ranks are known."""

_NAMES = ("x", "y", "z", "w")


def define(
    name: str,
    rule: Rule,
    numeric: Numeric,
    form: Form | None = None,
    *,
    parameters: tuple[str, ...] = ("x",),
    attributes: dict[str, Any] | None = None,
    dtype: ResultDType | None = None,
    doc: str = "",
) -> Operator:
    """Register an operator; its documentation is `doc`, or the docstring of `numeric`.

    The order of `attributes` is the one in which calls without keywords give them, as in relax.
    """
    defaults = tuple((attributes or {}).items())
    known = {key for key, _ in defaults}

    def infer(call: CallOp, types: tuple[Type, ...]) -> Type:
        view = OpCall(call, types, defaults)
        _check_call(view, known, len(parameters))
        return _infer(view, rule, dtype or _first_dtype)

    def reference(call: CallOp, *values: Any) -> Any:  # noqa: ANN401
        with np.errstate(all="ignore"):
            return _arrays(numeric(OpCall(call, None, defaults), *values))

    def legalize(call: CallOp, types: tuple[Type, ...], result: Type) -> TensorFunction | None:
        assert form is not None
        return _legalize(call, types, result, defaults, rule, form, parameters)

    return register_operator(
        Operator(
            name,
            infer,
            reference,
            legalize if form else None,
            parameters,
            defaults,
            doc or (numeric.__doc__ or "").strip(),
        )
    )


def _arrays(result: Any) -> Any:  # noqa: ANN401
    """Arrays also where numpy gave a scalar; shapes and strings as they are."""
    if hasattr(result, "dtype"):
        return np.asarray(result)
    fields: Any = result
    if isinstance(result, tuple):
        return tuple(np.asarray(f) if hasattr(f, "dtype") else f for f in fields)
    return result


def tensor_arguments(call: CallOp) -> tuple[Arg, ...]:
    """The arguments that the tensor function of a call takes: tensors, tuples flattened."""
    return tuple(arg for top in call.args for arg in _tensor_leaves(top))


def scalar_arguments(call: CallOp) -> tuple[PrimExpr, ...]:
    """The scalars that the tensor function takes after its buffers: those that are not constant."""
    values = (
        arg.value if isinstance(arg, ScalarValue) else arg
        for arg in call.args
        if isinstance(arg, ScalarValue)
        or (isinstance(arg, Var) and isinstance(arg.type, ScalarType))
    )
    found = (value for value in values if not isinstance(value, IntImm | FloatImm))
    return tuple(dict.fromkeys(found))


def _tensor_leaves(arg: Arg) -> tuple[Arg, ...]:
    if isinstance(arg, TupleValue):
        return tuple(leaf for item in arg.fields for leaf in _tensor_leaves(item))
    return () if isinstance(arg, ShapeValue | ScalarValue) or not _is_tensor(arg) else (arg,)


def _is_tensor(arg: Arg) -> bool:
    return isinstance(getattr(arg, "type", None), TensorType)


def _check_call(view: OpCall, known: set[str], most: int) -> None:
    unknown = sorted(set(view.attributes) - known)
    if unknown:
        there = ", ".join(f"`{key}`" for key in sorted(known)) or "none"
        raise view.error(
            "op/unknown-attribute",
            f"has no attribute `{unknown[0]}`",
            notes=(f"its attributes are {there}",),
        )
    if len(view.args) > most:
        raise view.error(
            "type/argument-count", f"takes at most `{most}` arguments, got `{len(view.args)}`"
        )


# --- unknown shapes ---------------------------------------------------------------------------


def _first_dtype(call: OpCall) -> DType | None:
    for found in call.types:
        inner = found.fields[0] if isinstance(found, TupleType) and found.fields else found
        if isinstance(inner, TensorType | ScalarType):
            return inner.dtype
    return None


def _infer(view: OpCall, rule: Rule, dtype: ResultDType) -> Type:
    leaves = [leaf for found in view.types for leaf in _tensor_types(found)]
    if any(leaf.rank is None or leaf.dtype is None for leaf in leaves):
        return TensorType(None, dtype(view))
    drafts: set[NodeId] = set()
    view.types = tuple(_with_shape(found, drafts) for found in view.types)
    return _without_drafts(rule(view), drafts)


def _tensor_types(found: Type) -> list[TensorType]:
    match found:
        case TensorType():
            return [found]
        case TupleType(fields=fields):
            return [leaf for item in fields for leaf in _tensor_types(item)]
        case _:
            return []


def _with_shape(found: Type, drafts: set[NodeId]) -> Type:
    """`found` with a fresh symbol for each extent of an unknown shape."""
    match found:
        case TensorType(shape=None, ndim=int(rank)):
            first = -len(drafts) - 1
            fresh = [NodeId(first - i) for i in range(rank)]
            drafts.update(fresh)
            return replace(found, shape=tuple(Var(i, "unknown", ScalarType()) for i in fresh))
        case TupleType(fields=fields):
            return TupleType(tuple(_with_shape(item, drafts) for item in fields))
        case _:
            return found


def _without_drafts(found: Type, drafts: set[NodeId]) -> Type:
    if not drafts:
        return found
    if isinstance(found, TupleType):
        return TupleType(tuple(_without_drafts(item, drafts) for item in found.fields))
    if isinstance(found, ShapeType) and found.dims is not None and drafts & set(free_vars(found)):
        return ShapeType(None, len(found.dims))
    if isinstance(found, TensorType) and found.shape is not None and drafts & set(free_vars(found)):
        return TensorType(None, found.dtype, len(found.shape))
    return found


# --- tensor functions -------------------------------------------------------------------------


def _legalize(
    call: CallOp,
    types: tuple[Type, ...],
    result: Type,
    defaults: Sequence[tuple[str, Any]],
    rule: Rule,
    form: Form,
    parameters: tuple[str, ...],
) -> TensorFunction | None:
    leaves = [leaf for found in (*types, result) for leaf in _tensor_types(found)]
    if any(leaf.shape is None or leaf.dtype is None for leaf in leaves) or _odd_tuple(call, result):
        return None
    call, types = _closed(call, types, leaves)
    view = OpCall(call, types, defaults)
    rule(view)
    if view.unproved:
        return None
    names = itertools.chain(parameters, itertools.repeat("x"))
    scalars: dict[PrimExpr, Var] = {}
    triples = zip(call.args, types, names, strict=False)
    operands = [_operand(arg, found, name, scalars) for arg, found, name in triples]
    outputs = form(view, *operands)
    if outputs is None:
        return None
    inputs = [leaf for operand in operands for leaf in _leaves(operand)]
    results = outputs if isinstance(outputs, tuple) else (outputs,)
    try:
        return create_tensor_function(inputs, results, tuple(scalars.values()))
    except CompileError as fault:
        if fault.diagnostics[0].code == "te/unbound-symbol":
            return None
        raise


def _odd_tuple(call: CallOp, result: Type) -> bool:
    """Whether an argument is a tuple in one value, or the result a tuple of one field.

    A tensor function takes tensors; calling it gives a tensor where there is one output.
    """
    if isinstance(result, TupleType) and len(result.fields) == 1:
        return True
    return any(isinstance(getattr(arg, "type", None), TupleType) for arg in call.args)


def _operand(arg: Arg, found: Type, name: str, scalars: dict[PrimExpr, Var]) -> Any:  # noqa: ANN401
    """Placeholders for a tensor or a tuple; for a scalar its constant, or a parameter."""
    match found:
        case TensorType(shape=shape, dtype=dtype):
            return placeholder(shape or (), dtype or "float32", name)
        case TupleType(fields=fields):
            items = arg.fields if isinstance(arg, TupleValue) else ()
            return tuple(
                _operand(item, field, f"{name}{i}", scalars)
                for i, (item, field) in enumerate(zip(items, fields, strict=True))
            )
        case ScalarType(dtype=dtype):
            value = arg.value if isinstance(arg, ScalarValue) else arg
            if isinstance(value, IntImm | FloatImm):
                return value
            assert not isinstance(value, Constant | ShapeValue | StringValue | TupleValue)
            return scalars.setdefault(value, value if isinstance(value, Var) else var(name, dtype))
        case _:
            return None


def _leaves(operand: Any) -> list[Tensor]:  # noqa: ANN401
    items: Any = operand
    if isinstance(operand, tuple):
        return [leaf for item in items for leaf in _leaves(item)]
    return [operand] if isinstance(operand, Tensor) else []


def _closed(
    call: CallOp, types: tuple[Type, ...], leaves: list[TensorType]
) -> tuple[CallOp, tuple[Type, ...]]:
    """Each extent such as `n + 1`, whose `n` is no extent itself, as a symbol of its own.

    The function takes its symbols from the shapes of its buffers, and could not solve for `n`.
    """
    dims = [dim for leaf in leaves for dim in leaf.shape or ()]
    bound = {dim.id for dim in (*dims, *scalar_arguments(call)) if isinstance(dim, Var)}
    replaced: dict[PrimExpr, Var] = {}
    for dim in dims:
        if isinstance(dim, int | Var | IntImm | FloatImm) or dim in replaced:
            continue
        if not set(free_vars(dim)) <= bound:
            replaced[dim] = Var(NodeId(-(1 << 40) - len(replaced)), "m", ScalarType())
    if not replaced:
        return call, types

    def rename(node: Any) -> Any:  # noqa: ANN401
        # top down: the largest expression that is an extent
        return replaced[node] if _hashable_dim(node, replaced) else map_children(node, rename)

    args = tuple(rename(arg) for arg in call.args)
    return replace(call, args=args), tuple(rename(found) for found in types)


def _hashable_dim(node: object, replaced: dict[PrimExpr, Var]) -> bool:
    return isinstance(node, tuple(type(key) for key in replaced)) and node in replaced
