"""Tensor expressions as calls in a graph function.

Reference: `relax.BlockBuilder.emit_te`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from workbench.ir import (
    Arg,
    CallTIR,
    Constant,
    GraphBuilder,
    IRModule,
    ScalarType,
    ScalarValue,
    ShapeValue,
    StringValue,
    TensorType,
    TupleValue,
    Var,
    as_dim,
    free_vars,
    structurally_equal,
)
from workbench.ir.tracing import called
from workbench.script.expressions import TensorCall, register_expression_caller
from workbench.support import CompileError, Diagnostic, NodeId
from workbench.support.kinds import checks_kinds
from workbench.te.function import create_tensor_function, program_order
from workbench.te.tensor import Reduction, Tensor, is_draft, placeholder

LAMBDA = "<lambda>"


@checks_kinds
def emit_te(
    builder: GraphBuilder,
    function: Callable[..., object],
    *args: object,
    name: str = "",
    **keywords: object,
) -> Var:
    """Bind the call of a tensor function made from a tensor expression; gives the bound value.

    `function` gets a `te` tensor for each tensor of the graph function among its arguments (in
    tuples and lists too), and everything else as it is; it gives one tensor, or several. `name`
    is that of the value. The tensor function is private, goes into `builder.module`, and is shared
    with equal ones. Symbolic dimensions stay symbolic; those that no tensor's shape has are passed
    as scalars. Reference: `relax.BlockBuilder.emit_te`.

    Raises:
        CompileError: `te/unknown-type` for a value whose shape or dtype is not known,
            `te/no-tensor` where the function gives something else, `call/arguments` where it takes
            other arguments, `expr/function-raised` for whatever it raises; what `te` says.
    """
    made = tensor_call(_guarded(function), args, keywords)
    callee, builder.module = _placed(made, builder.module)
    return builder.emit(CallTIR(callee, made.args, made.out_types, made.scalars), name)


def _guarded(function: Callable[..., object]) -> Callable[..., object]:
    """The function, whose faults are diagnostics."""
    title = f"the function `{getattr(function, '__name__', LAMBDA)}`"

    @functools.wraps(function)
    def call(*args: object, **keywords: object) -> object:
        return called(function, args, keywords, title)

    return call


def _placed(made: TensorCall, module: IRModule) -> tuple[str, IRModule]:
    """The name of the tensor function in the module, and the module that has it."""
    for name, known in module.tensor_functions.items():
        if structurally_equal(known, made.function):
            return name, module
    name, count = made.name, 0
    while name in module:
        count += 1
        name = f"{made.name}{count}"
    return name, module.with_function(name, made.function)


@register_expression_caller
def tensor_call(
    function: Callable[..., object], args: Sequence[object], keywords: Mapping[str, object]
) -> TensorCall:
    """The tensor function that a tensor expression of these arguments makes, and its call.

    Raises:
        CompileError: as `emit_te`.
    """
    inputs = _Inputs()
    names = _parameter_names(function, len(args))
    given = [inputs.convert(arg, name) for arg, name in zip(args, names, strict=True)]
    named = {key: inputs.convert(arg, key) for key, arg in keywords.items()}
    title = getattr(function, "__name__", LAMBDA)
    outputs = _tensors(title, function(*given, **named))
    scalars = _loose_symbols(inputs.tensors, outputs)
    made = create_tensor_function(inputs.tensors, outputs, scalars)
    return TensorCall(
        outputs[0].name if title == LAMBDA else title,
        replace(made, private=True),
        tuple(inputs.args),
        tuple(TensorType(tensor.shape, tensor.dtype) for tensor in outputs),
        tuple(as_dim(scalar) for scalar in scalars),
    )


def _parameter_names(function: Callable[..., object], count: int) -> list[str]:
    """What the function calls its arguments: equal calls make functions that are equal in print."""
    kinds = inspect.Parameter
    try:
        given = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # some functions of C
        given = ()
    own = [p.name for p in given if p.kind in {kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD}]
    return (own + [f"x{position}" for position in range(len(own), count)])[:count]


class _Inputs:
    """The tensors of the graph function that an expression reads."""

    def __init__(self) -> None:
        self.args: list[Arg] = []
        self.tensors: list[Tensor] = []

    def convert(self, value: Any, name: str) -> Any:  # noqa: ANN401
        """What the expression gets for an argument of the call, which it calls `name`."""
        match value:
            case Var() | Constant() if not isinstance(value.type, ScalarType):
                return self._tensor(value, name)
            case TupleValue(fields=fields):
                return self._several(fields, name)
            case ShapeValue(dims=dims):
                return dims
            case ScalarValue(value=scalar):
                return scalar
            case StringValue(text=text):
                return text
            case list() | tuple():
                return self._several(cast("Sequence[object]", value), name)
            case _:
                return value

    def _several(self, values: Sequence[object], name: str) -> tuple[Any, ...]:
        return tuple(self.convert(item, f"{name}{i}") for i, item in enumerate(values))

    def _tensor(self, value: Var | Constant, name: str) -> Tensor:
        type_ = value.type
        if not isinstance(type_, TensorType) or type_.shape is None or type_.dtype is None:
            raise CompileError(_unknown_type(value))
        tensor = placeholder(type_.shape, type_.dtype, name)
        self.args.append(value)
        self.tensors.append(tensor)
        return tensor


def _unknown_type(value: Var | Constant) -> Diagnostic:
    name = value.name if isinstance(value, Var) else value.digest
    return Diagnostic(
        "te/unknown-type",
        f"`{name}` has no known shape and dtype, expected a tensor with both",
        hint="`R.match_cast` gives a shape its symbols; pass the items of a tuple one by one",
    )


def _tensors(title: str, result: object) -> list[Tensor]:
    several = isinstance(result, list | tuple)
    items = list(cast("Sequence[object]", result)) if several else [result]
    found = [item for item in items if isinstance(item, Tensor)]
    if found and len(found) == len(items):
        return found
    wrong = next((item for item in items if not isinstance(item, Tensor)), items)
    kind = "reduction" if isinstance(wrong, Reduction) else type(wrong).__name__
    raise CompileError(
        Diagnostic(
            "te/no-tensor",
            f"`{title}` gives `{kind}`, expected a tensor expression, or several",
            hint="`te.compute(shape, lambda i, j: ...)` makes one",
        )
    )


def _loose_symbols(inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Var]:
    """The caller's symbols that an expression uses and that no dimension of a parameter gives."""
    given: set[NodeId] = {
        dim.id for tensor in (*inputs, *outputs) for dim in tensor.shape if isinstance(dim, Var)
    }
    found: dict[NodeId, Var] = {}
    for tensor in (*inputs, *program_order(outputs, {tensor.id for tensor in inputs})):
        for part in (tensor.type, *((tensor.definition,) if tensor.definition else ())):
            found |= {key: symbol for key, symbol in free_vars(part).items() if not is_draft(key)}
    return [symbol for key, symbol in found.items() if key not in given]
