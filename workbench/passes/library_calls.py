"""Replacing a call by a library call and, where it computed more.

A tensor function for the rest.
"""

from __future__ import annotations

from dataclasses import replace

from workbench.analysis.contraction import LibraryForm
from workbench.ir import (
    Arg,
    Binding,
    BufferType,
    CallOp,
    CallPacked,
    CallTIR,
    IRModule,
    PackedStyle,
    Seq,
    TensorFunction,
    TensorType,
    Var,
    free_vars,
)
from workbench.passes.tensor_forms import call_of
from workbench.rewrite import ModuleEditor, Relation
from workbench.support import NodeId


def algorithm_of(module: IRModule, call: CallTIR) -> TensorFunction | None:
    """What a call computes, before any schedule.

    The function that its callee was scheduled from.
    """
    function = module[call.callee]
    while isinstance(function, TensorFunction):
        source = dict(function.attrs).get("algorithm")
        if not isinstance(source, str) or source not in module:
            return function
        function = module[source]
    return None


def call_library(
    editor: ModuleEditor,
    function: str,
    binding: Binding,
    algorithm: TensorFunction,
    form: LibraryForm,
    rule: str,
) -> None:
    """Give `binding` the library's value, through an epilogue where the algorithm has one."""
    args = _arguments(binding, algorithm)
    name = editor.add_function(_name_of(binding), replace(algorithm, private=True))
    attrs = tuple(sorted((*form.attrs, ("algorithm", name))))
    inputs = tuple(args[buffer.id] for buffer in form.inputs)
    rest = _epilogue(algorithm, form)
    out = binding.var.type
    assert isinstance(out, TensorType)
    if rest is None:
        call = CallPacked(form.symbol, inputs, (out,), PackedStyle.DPS, attrs)
        editor.replace_value(function, binding.var.id, call, rule)
        return
    product_type = _tensor_type(form.result, algorithm, args)
    product = editor.new_var(function, f"{binding.var.name}_product", product_type)
    call = CallPacked(form.symbol, inputs, (product_type,), PackedStyle.DPS, attrs)
    editor.insert_before(function, binding.var.id, Binding(product, call))
    callee = editor.add_function(f"{name}_epilogue", rest)
    values = {**args, form.result.id: product}
    leaves = tuple(values[p.id] for p in rest.params[:-1])
    editor.replace_value(
        function, binding.var.id, CallTIR(callee, leaves, (out,)), rule, Relation.SAME
    )


def _name_of(binding: Binding) -> str:
    call = binding.value
    if isinstance(call, CallTIR):
        return call.callee.removesuffix("_scheduled")
    assert isinstance(call, CallOp)
    return call.op.rsplit(".", maxsplit=1)[-1]


def _arguments(binding: Binding, algorithm: TensorFunction) -> dict[NodeId, Arg]:
    call = binding.value
    if isinstance(call, CallOp):
        call = call_of("", call, binding.var.type)
    assert isinstance(call, CallTIR)
    inputs = algorithm.params[: len(call.args)]
    return {param.id: arg for param, arg in zip(inputs, call.args, strict=True)}


def _epilogue(algorithm: TensorFunction, form: LibraryForm) -> TensorFunction | None:
    """What follows the covered stages, reading the library's result as its first parameter."""
    nests = algorithm.body.body if isinstance(algorithm.body, Seq) else (algorithm.body,)
    rest = nests[form.consumed :]
    if not rest:
        return None
    body = rest[0] if len(rest) == 1 else Seq(rest)
    used = free_vars(body)
    allocations = tuple(a for a in algorithm.allocations if a.id in used and a.id != form.result.id)
    params = tuple(p for p in algorithm.params if p.id in used)
    return replace(
        algorithm, params=(form.result, *params), body=body, allocations=allocations, private=True
    )


def _tensor_type(buffer: Var, algorithm: TensorFunction, args: dict[NodeId, Arg]) -> TensorType:
    """A buffer's type with the symbolic dimensions of the caller."""
    assert isinstance(buffer.type, BufferType)
    outer: dict[NodeId, object] = {}
    for param in algorithm.params:
        arg = args.get(param.id)
        arg_type = getattr(arg, "type", None)
        if (
            isinstance(param.type, BufferType)
            and isinstance(arg_type, TensorType)
            and arg_type.shape
        ):
            for inner, value in zip(param.type.shape, arg_type.shape, strict=True):
                if isinstance(inner, Var):
                    outer[inner.id] = value
    shape = tuple(outer.get(d.id, d) if isinstance(d, Var) else d for d in buffer.type.shape)
    return TensorType(shape, buffer.type.dtype)  # pyright: ignore[reportArgumentType]
