"""Passes of a user that are wrong, each in one way, with the module that they are wrong on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from typing_extensions import override

from workbench.ir import (
    Alias,
    Arg,
    Binding,
    Block,
    CallOp,
    CallTIR,
    GraphExpr,
    IRModule,
    LibraryFunction,
    TensorFunction,
    Var,
    register_library,
    transform,
    type_of,
)
from workbench.rewrite import (
    ModuleEditor,
    NodeRef,
    Pass,
    PassResult,
    Refusal,
    Relation,
    Rule,
    Site,
    all_bindings,
)

Change = Callable[[ModuleEditor, Binding], GraphExpr]


@dataclass(frozen=True)
class Rebind(Rule):
    """Gives the value of a name another right side, in whatever function it is."""

    name: ClassVar[str] = "rebind"
    value: str
    change: Change

    @override
    def sites(self, module: IRModule) -> Iterator[Site | Refusal]:
        for name, function in module.graph_functions.items():
            for binding in all_bindings(function):
                if binding.var.name == self.value:
                    yield Site(name, (binding.var.id,))

    @override
    def rewrite(self, site: Site, editor: ModuleEditor) -> None:
        binding = editor.binding(site.function, site.nodes[0])
        assert binding is not None
        new = self.change(editor, binding)
        editor.replace_value(site.function, site.nodes[0], new, self.name)


@dataclass(frozen=True)
class InKernel(Pass):
    """Rewrites nodes of the tensor function whose name begins so."""

    name: ClassVar[str] = "in-kernel"
    function: str
    change: Callable[[Any], Any]

    @override
    def run(self, module: IRModule) -> PassResult:
        editor = ModuleEditor(module)
        for name, function in module.tensor_functions.items():
            if name.startswith(self.function):
                editor.set_function(
                    name, replace(function, body=transform(function.body, self.change))
                )
        return PassResult(editor.commit(), tuple(editor.derivations))


@dataclass(frozen=True)
class Merge(Pass):
    """Takes one value for another, as a wrong elimination of common subexpressions does."""

    name: ClassVar[str] = "merge"
    gone: str
    kept: str
    says: bool = True

    @override
    def run(self, module: IRModule) -> PassResult:
        editor = ModuleEditor(module)
        by_name = {b.var.name: b.var for b in all_bindings(module.graph_functions["main"])}
        gone, kept = by_name[self.gone], by_name[self.kept]
        editor.substitute("main", gone.id, kept)
        editor.remove("main", gone.id)
        if self.says:
            refs = NodeRef("main", gone.id), NodeRef("main", kept.id)
            editor.derive(self.name, refs[:1], refs[1:], Relation.SAME)
        return PassResult(editor.commit(), tuple(editor.derivations))


@dataclass(frozen=True)
class Both(Pass):
    """A pass, wrong in what it does after another one."""

    name: ClassVar[str] = "both"
    first: Pass
    then: Pass

    @override
    def run(self, module: IRModule) -> PassResult:
        one = self.first(module)
        two = self.then(one.module)
        return PassResult(two.module, (*one.derivations, *two.derivations))


def swapped(_: ModuleEditor, binding: Binding) -> GraphExpr:
    """The operands the other way round."""
    value: Any = binding.value
    return replace(value, args=value.args[::-1])


def first_operand(_: ModuleEditor, binding: Binding) -> GraphExpr:
    """The first operand alone."""
    value: Any = binding.value
    return Alias(value.args[0])


def another_op(op: str) -> Change:
    """The same operands, another operator."""
    return lambda _, binding: replace(_call(binding), op=op)


def another_attr(name: str, value: Any) -> Change:  # noqa: ANN401
    """The same operator with another attribute."""

    def change(_: ModuleEditor, binding: Binding) -> GraphExpr:
        call = _call(binding)
        attrs = tuple((k, v) for k, v in call.attrs if k != name)
        return replace(call, attrs=tuple(sorted((*attrs, (name, value)))))

    return change


def scaled_constant(factor: float) -> Change:
    """A constant of the pool times a number."""

    def change(editor: ModuleEditor, binding: Binding) -> GraphExpr:
        assert isinstance(binding.value, Alias)
        old = editor.array(getattr(binding.value.value, "digest", ""))
        return Alias(editor.add_constant(np.multiply(old, np.float32(factor))))

    return change


def operand_through(index: int, op: str, **attrs: Any) -> Change:  # noqa: ANN401
    """One operand through another operator of the same type first."""

    def change(editor: ModuleEditor, binding: Binding) -> GraphExpr:
        call: Any = binding.value
        arg: Arg = call.args[index]
        function = owner(editor, binding.var)
        var = editor.new_var(function, "changed", type_of(arg))
        made = CallOp(op, (arg,), tuple(sorted(attrs.items())))
        editor.insert_before(function, binding.var.id, Binding(var, made))
        args = (*call.args[:index], var, *call.args[index + 1 :])
        return replace(call, args=args)

    return change


def through_half(editor: ModuleEditor, binding: Binding) -> GraphExpr:
    """The first operand rounded to half precision."""
    call: Any = binding.value
    arg: Any = call.args[0]
    function = owner(editor, binding.var)
    half = editor.new_var(function, "half", replace(arg.type, dtype="float16"))
    back = editor.new_var(function, "back", arg.type)
    for var, source, dtype in ((half, arg, "float16"), (back, half, "float32")):
        made = CallOp("astype", (source,), (("dtype", dtype),))
        editor.insert_before(function, binding.var.id, Binding(var, made))
    return replace(call, args=(back, *call.args[1:]))


def owner(editor: ModuleEditor, var: Var) -> str:
    """The function that binds a value."""
    functions = editor.current.graph_functions.items()
    return next(n for n, f in functions if any(b.var == var for b in all_bindings(f)))


def without_init(node: Any) -> Any:  # noqa: ANN401
    """A block that does not initialise its reduction."""
    return replace(node, init=None) if isinstance(node, Block) else node


def kernel_of(module: IRModule, value: str) -> TensorFunction:
    """The tensor function that gives a value of `main`."""
    for binding in all_bindings(module.graph_functions["main"]):
        if binding.var.name == value and isinstance(binding.value, CallTIR):
            return module.tensor_functions[binding.value.callee]
    raise AssertionError(value)


def _call(binding: Binding) -> CallOp:
    assert isinstance(binding.value, CallOp)
    return binding.value


def relu_in_place(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Writes over its argument."""
    np.maximum(x, 0, out=x)
    return x


def accumulate(total: np.ndarray[Any, Any], x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """An effect: adds to what it is given."""
    np.add(total, x, out=total)
    return total.copy()


def doubling(total: np.ndarray[Any, Any], x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """An effect: doubles what it is given, then adds."""
    np.add(total * 2, x, out=total)
    return total.copy()


def unstable_softmax(x: np.ndarray[Any, Any], out: np.ndarray[Any, Any]) -> None:
    """Exponentials that overflow, since no maximum is subtracted."""
    powers = np.exp(x)
    np.divide(powers, powers.sum(axis=-1, keepdims=True), out=out)


def where_positive(
    x: np.ndarray[Any, Any], zero: np.ndarray[Any, Any], out: np.ndarray[Any, Any]
) -> None:
    """A rectifier that gives zero for NaN."""
    out[...] = np.where(x > zero, x, zero)


for _symbol, _function in (
    ("test.faulty.where_positive", where_positive),
    ("test.faulty.unstable_softmax", unstable_softmax),
    ("test.faulty.relu_in_place", relu_in_place),
    ("test.faulty.accumulate", accumulate),
    ("test.faulty.doubling", doubling),
):
    register_library(LibraryFunction(_symbol, _function, "test"))
