"""Calls that go to a library, with a tensor function for what they compute besides, and back."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from workbench.analysis.contraction import LibraryForm, library_form
from workbench.ir import (
    Arg,
    Binding,
    BufferType,
    CallOp,
    CallPacked,
    CallTIR,
    Function,
    GraphFunction,
    IRModule,
    PackedStyle,
    Seq,
    TensorFunction,
    TensorType,
    Var,
    fingerprint,
    free_vars,
)
from workbench.passes.tensor_forms import call_of
from workbench.rewrite import ModuleEditor, Relation, all_bindings
from workbench.support import NodeId


class Functions(Protocol):
    """Functions by name: of a module, or of an editor that is changing one."""

    def __contains__(self, name: str, /) -> bool: ...
    def __getitem__(self, name: str, /) -> Function: ...


def algorithm_of(module: Functions, call: CallTIR) -> TensorFunction | None:
    """What a call computes, before any schedule.

    The function that its callee was scheduled from.
    """
    return named_algorithm_of(module, call)[0]


def named_algorithm_of(module: Functions, call: CallTIR) -> tuple[TensorFunction | None, str]:
    """The same with its name."""
    name = call.callee
    function = module[name]
    while isinstance(function, TensorFunction):
        source = dict(function.attrs).get("algorithm")
        if not isinstance(source, str) or source not in module:
            return function, name
        name, function = source, module[source]
    return None, ""


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
    name = _name_in(editor, binding, algorithm)
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


def library_arguments(call: CallPacked, algorithm: TensorFunction) -> dict[NodeId, Arg]:
    """The arguments of a library call by the parameters of the algorithm; empty if unknown."""
    form = library_form(algorithm, call.symbol)
    inputs = algorithm.params[:-1]
    if form is None and len(inputs) == len(call.args) and len(call.out_types) == 1:
        return {param.id: arg for param, arg in zip(inputs, call.args, strict=True)}
    if form is None or len(form.inputs) != len(call.args):
        return {}
    return {buffer.id: arg for buffer, arg in zip(form.inputs, call.args, strict=True)}


def algorithm_call(
    module: IRModule, function: GraphFunction, binding: Binding
) -> tuple[Binding, CallTIR] | None:
    """The binding that has what the algorithm of a library call computes, and the call for that.

    It is `binding` itself, or the one that calls the rest. None where that has been changed since.
    """
    call = binding.value
    assert isinstance(call, CallPacked)
    name = dict(call.attrs)["algorithm"]
    algorithm = module[name] if isinstance(name, str) and name in module else None
    if not isinstance(name, str) or not isinstance(algorithm, TensorFunction):
        return None
    args = library_arguments(call, algorithm)
    form = library_form(algorithm, call.symbol)
    rest = _epilogue(algorithm, form) if args and form is not None else None
    if rest is not None:
        target = _epilogue_call(module, function, binding.var, rest)
        if target is None:
            return None
        assert isinstance(target.value, CallTIR)
        args |= {p.id: arg for p, arg in zip(rest.params[:-1], target.value.args, strict=True)}
        binding = target
    inputs, out = algorithm.params[:-1], binding.var.type
    if not isinstance(out, TensorType) or any(param.id not in args for param in inputs):
        return None
    return binding, CallTIR(name, tuple(args[param.id] for param in inputs), (out,))


def _epilogue_call(
    module: IRModule, function: GraphFunction, product: Var, rest: TensorFunction
) -> Binding | None:
    """The only use of `product`, where that calls `rest` as `call_library` wrote it."""
    uses = [b for b in all_bindings(function) if product.id in free_vars(b.value)]
    if len(uses) != 1 or product.id in free_vars(function.result):
        return None
    call = uses[0].value
    if not isinstance(call, CallTIR) or call.args[:1] != (product,):
        return None
    callee = algorithm_of(module, call)
    same = callee is not None and fingerprint(callee) == fingerprint(rest)
    return uses[0] if same and len(call.args) == len(rest.params) - 1 else None


def _name_in(editor: ModuleEditor, binding: Binding, algorithm: TensorFunction) -> str:
    """The name of the algorithm in the module, which it may not be part of yet."""
    known = editor.name_of(algorithm)
    if known is not None:
        return known
    private = algorithm if algorithm.private else replace(algorithm, private=True)
    return editor.add_function(_name_of(binding), private)


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
