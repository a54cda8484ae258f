"""Well-formedness of graph functions."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import assert_never

from workbench.ir.builder import field_type
from workbench.ir.call_types import Unifier, compatible, show_type
from workbench.ir.dims import leaves
from workbench.ir.expr import Dim, PrimExpr, ScalarType, TensorType, TupleType, Type, Var
from workbench.ir.faults import Faults
from workbench.ir.graph import (
    Alias,
    Arg,
    Binding,
    BindingBlock,
    Body,
    CallFunction,
    CallOp,
    CallPacked,
    CallTIR,
    CallTIRInplace,
    Constant,
    GraphExpr,
    GraphFunction,
    IfThenElse,
    MatchCast,
    PackedStyle,
    ScalarValue,
    ShapeValue,
    StringValue,
    TupleItem,
)
from workbench.ir.module import IRModule
from workbench.ir.registry import infer_type, type_of
from workbench.ir.tensor import TensorFunction
from workbench.ir.traverse import free_vars
from workbench.support.amounts import counted
from workbench.support.diagnostics import CompileError, Diagnostic
from workbench.support.ids import NodeId


def verify_graph_function(
    module: IRModule, name: str, function: GraphFunction
) -> tuple[Diagnostic, ...]:
    """All faults of one graph function of `module`."""
    faults = Faults(name, function.next_id)
    _Verifier(module, function, faults).run()
    return tuple(faults.found)


@dataclass(slots=True)
class _Verifier:
    module: IRModule
    function: GraphFunction
    faults: Faults
    scope: dict[NodeId, Type] = field(default_factory=dict[NodeId, Type])
    binding: Binding | None = None
    dataflow: bool = False

    def run(self) -> None:
        function = self.function
        for param in function.params:
            self.faults.take(param.id, param.name)
            self.scope[param.id] = param.type
        for param in function.params:
            self._define_symbols(param.type)
        self._blocks(function.blocks)
        self._leaf(function.result)
        self._symbols_known(function.return_type, "the return type")
        self._expect(type_of(function.result), function.return_type, "the result")

    def fault(
        self,
        code: str,
        message: str,
        *,
        notes: tuple[str, ...] = (),
    ) -> None:
        """Record a fault at the current binding."""
        at = self.binding
        self.faults.add(
            code,
            message,
            at.var.id if at else None,
            at.span if at else None,
            notes=notes,
        )

    def _define_symbols(self, type_: Type) -> None:
        for symbol in free_vars(type_).values():
            if symbol.id not in self.scope:
                self.faults.take(symbol.id, symbol.name)
                self.scope[symbol.id] = symbol.type

    def _blocks(self, blocks: tuple[BindingBlock, ...]) -> None:
        for block in blocks:
            outer, self.dataflow = self.dataflow, self.dataflow or block.dataflow
            before = dict(self.scope)
            for binding in block.bindings:
                self._bind(binding)
            if block.dataflow:
                self._close(block, before)
            self.dataflow = outer
        self.binding = None

    def _close(self, block: BindingBlock, before: dict[NodeId, Type]) -> None:
        """Only outputs of a dataflow block, and symbols that it bound, are seen behind it."""
        bound = {binding.var.id: binding.var for binding in block.bindings}
        for output in block.outputs:
            if output not in bound:
                message = f"the dataflow block has output {output}, which it does not bind"
                self.faults.add("ir/dataflow-output", message, output)
        kept = {i: t for i, t in self.scope.items() if i not in bound or i in block.outputs}
        self.scope = {**before, **kept}

    def _bind(self, binding: Binding) -> None:
        self.binding = binding
        faults = len(self.faults.found)
        inferred = self._expression(binding.value)
        self._symbols_known(binding.var.type, f"the type of `{binding.var.name}`")
        if inferred is not None and len(self.faults.found) == faults:
            self._expect(inferred, binding.var.type, f"`{binding.var.name}`")
        self.binding = binding
        self.faults.take(binding.var.id, binding.var.name, binding.span)
        self.scope[binding.var.id] = binding.var.type

    def _expect(self, inferred: Type, declared: Type, what: str) -> None:
        problem = compatible(inferred, declared)
        if problem is not None:
            self.fault(
                problem,
                f"{what} is declared `{show_type(declared)}`, its value is `{show_type(inferred)}`",
            )

    def _symbols_known(self, type_: Type, what: str) -> None:
        for symbol in free_vars(type_).values():
            if symbol.id not in self.scope:
                self.fault(
                    "ir/undefined",
                    f"the dimension `{symbol.name}` in {what} is not defined",
                    notes=("dimensions are bound by parameters and by `match_cast`",),
                )

    # --- leaves -------------------------------------------------------------------------------

    def _leaf(self, arg: Arg) -> None:
        for leaf in leaves(arg):
            match leaf:
                case Var():
                    self._use(leaf)
                case Constant():
                    self._constant(leaf)
                case ShapeValue(dims=dims):
                    self._dims(dims)
                case ScalarValue(value=value):
                    self._dims((value,))
                case StringValue():
                    pass
                case _:
                    assert_never(leaf)

    def _dims(self, dims: tuple[Dim, ...] | tuple[PrimExpr, ...]) -> None:
        for dim in dims:
            for var in free_vars(dim).values() if not isinstance(dim, int) else ():
                self._use(var)

    def _use(self, var: Var) -> None:
        known = self.scope.get(var.id)
        if known is None:
            at = self.binding
            self.faults.undefined(var, at.var.id if at else None, at.span if at else None)
        elif known is not var.type and known != var.type:
            self.fault(
                "ir/stale-variable",
                f"`{var.name}` is used as `{show_type(var.type)}`, but defined as "
                f"`{show_type(known)}`",
            )

    def _constant(self, constant: Constant) -> None:
        if constant.digest not in self.module.pool:
            self.fault("module/missing-constant", f"no constant `{constant.digest}` in the pool")
            return
        array = self.module.pool[constant.digest]
        actual = TensorType(tuple(array.shape), str(array.dtype))
        if constant.type != actual:
            self.fault(
                "type/constant-mismatch",
                f"constant `{constant.digest}` is `{show_type(actual)}`, declared "
                f"`{show_type(constant.type)}`",
            )

    # --- right sides --------------------------------------------------------------------------

    def _expression(self, value: GraphExpr) -> Type | None:
        """Check a right side and give its type, None where a fault hides it."""
        match value:
            case CallOp(args=args):
                self._all_leaves(args)
                return self._operator(value)
            case CallTIR(args=args) | CallTIRInplace(args=args):
                self._all_leaves(args)
                self._dims(value.scalars)
                self._call_tir(value)
                return _outputs(value.out_types)
            case CallPacked(args=args, style=style):
                self._all_leaves(args)
                if style is PackedStyle.EFFECT:
                    self._effect(f"a call of `{value.symbol}`, which may have effects")
                return _outputs(value.out_types)
            case CallFunction(args=args):
                self._all_leaves(args)
                return self._call_function(value)
            case Alias(value=leaf):
                self._leaf(leaf)
                return type_of(leaf)
            case TupleItem(value=leaf, index=index):
                self._leaf(leaf)
                return self._field(leaf, index)
            case MatchCast(value=leaf, type=type_):
                self._leaf(leaf)
                self._define_symbols(type_)
                self._match_cast(leaf, type_)
                return type_
            case IfThenElse():
                return self._branches(value)
            case _:
                assert_never(value)

    def _all_leaves(self, args: tuple[Arg, ...]) -> None:
        for arg in args:
            self._leaf(arg)

    def _operator(self, call: CallOp) -> Type | None:
        try:
            return infer_type(call)
        except CompileError as error:
            self._adopt(error)
            return None

    def _adopt(self, error: CompileError) -> None:
        at = self.binding
        for d in error.diagnostics:
            self.faults.found.append(
                replace(
                    d,
                    function=self.faults.function,
                    node=at.var.id if at else None,
                    span=at.span if at else d.span,
                )
            )

    def _field(self, leaf: Arg, index: int) -> Type | None:
        type_ = type_of(leaf)
        if not isinstance(type_, TupleType):
            return None
        try:
            return field_type(type_, index)
        except CompileError as error:
            self._adopt(error)
            return None

    def _match_cast(self, leaf: Arg, type_: Type) -> None:
        problem = compatible(type_of(leaf), type_, shapes=False)
        if problem is not None:
            self.fault(
                problem,
                f"`match_cast` can never succeed: the value is `{show_type(type_of(leaf))}`, "
                f"the type is `{show_type(type_)}`",
            )

    def _effect(self, what: str) -> None:
        if self.dataflow:
            self.fault("ir/dataflow-effect", f"a dataflow block has {what}")
        elif self.function.pure:
            self.fault(
                "ir/impure-function",
                f"a function that is declared pure has {what}",
                notes=("declared with `@R.function(pure=False)`, passes keep what it does",),
            )

    def _inplace(self, call: CallTIRInplace) -> bool:
        """Whether each result has an argument that it can be written over, or memory of its own."""
        faults = len(self.faults.found)
        over = [index for index in call.inplace if index >= 0]
        if len(call.inplace) != len(call.out_types) or not over or len({*over}) != len(over):
            message = (
                f"`inplace_indices` of the call of `{call.callee}` names for each of "
                f"{len(call.out_types)} results another argument, or -1, and one argument at "
                f"least; found `{list(call.inplace)}`"
            )
            self.fault("type/inplace-index", message)
            return False
        for type_, index in zip(call.out_types, call.inplace, strict=True):
            if not -1 <= index < len(call.args):
                message = f"there is no argument `{index}` to write a result over"
                self.fault("type/inplace-index", message)
            elif index >= 0:
                arg = type_of(call.args[index])
                problem = compatible(arg, type_)
                if problem is not None or not isinstance(arg, TensorType):
                    message = (
                        f"a result of type `{show_type(type_)}` cannot be written over argument "
                        f"`{index}`, which is `{show_type(arg)}`"
                    )
                    self.fault(problem or "type/not-a-tensor", message)
        return len(self.faults.found) == faults

    def _call_tir(self, call: CallTIR | CallTIRInplace) -> None:
        if isinstance(call, CallTIRInplace) and not self._inplace(call):
            return
        outs = call.fresh if isinstance(call, CallTIRInplace) else call.out_types
        if call.callee not in self.module:
            self._unknown(call.callee)
            return
        callee = self.module[call.callee]
        if not isinstance(callee, TensorFunction):
            message = f"`call_tir` needs a tensor function, `{call.callee}` is a graph function"
            self.fault("type/wrong-callee", message)
            return
        given: list[Type | PrimExpr | int] = [*map(_scalar_or_type, call.args)]
        given += [*outs, *call.scalars]
        if len(given) != len(callee.params):
            self.fault(
                "type/argument-count",
                f"`{call.callee}` takes {counted(len(callee.params), 'argument')}, "
                f"got {len(call.args)} inputs, {len(outs)} outputs and {len(call.scalars)} scalars",
            )
            return
        for problem in Unifier().call(callee.params, given):
            self.fault(problem.code, f"call of `{call.callee}`: {problem.message}")
        for out in call.out_types:
            self._symbols_known(out, "an output type")

    def _unknown(self, callee: str) -> None:
        try:
            self.module[callee]
        except CompileError as error:
            self._adopt(error)

    def _call_function(self, call: CallFunction) -> Type | None:
        if call.callee not in self.module:
            self._unknown(call.callee)
            return None
        callee = self.module[call.callee]
        if isinstance(callee, TensorFunction):
            message = f"`{call.callee}` is a tensor function: call it with `call_tir`"
            self.fault("type/wrong-callee", message)
            return None
        if not callee.pure:
            self._effect(f"a call of `{call.callee}`, which is not pure")
        if len(call.args) != len(callee.params):
            self.fault(
                "type/argument-count",
                f"`{call.callee}` takes {counted(len(callee.params), 'argument')}, "
                f"got {len(call.args)}",
            )
            return None
        unifier = Unifier()
        for problem in unifier.call(callee.params, [*map(_scalar_or_type, call.args)]):
            self.fault(problem.code, f"call of `{call.callee}`: {problem.message}")
        return unifier.substitute(callee.return_type)

    def _branches(self, value: IfThenElse) -> Type | None:
        if self.dataflow:
            self.fault("ir/dataflow-effect", "a dataflow block has a branch")
        self._leaf(value.condition)
        condition = type_of(value.condition)
        if isinstance(condition, TensorType | ScalarType) and condition.dtype not in {None, "bool"}:
            message = f"the condition must be `bool`, got `{show_type(condition)}`"
            self.fault("type/not-bool", message)
        here = self.binding
        for body in (value.then, value.otherwise):
            self._body(body)
            self.binding = here
            if here is not None:
                self._expect(type_of(body.result), here.var.type, "the value of a branch")
        return None

    def _body(self, body: Body) -> None:
        before = dict(self.scope)
        here = self.binding
        self._blocks(body.blocks)
        self.binding = here
        self._leaf(body.result)
        self.scope = before


def _outputs(types: tuple[Type, ...] | tuple[TensorType, ...]) -> Type:
    return types[0] if len(types) == 1 else TupleType(tuple(types))


def _scalar_or_type(arg: Arg) -> Type | PrimExpr:
    """What a parameter is compared with: the value of a scalar argument, the type of any other."""
    return arg.value if isinstance(arg, ScalarValue) else type_of(arg)
