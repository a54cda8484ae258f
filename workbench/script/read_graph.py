"""Graph functions from Python syntax."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from workbench.ir import (
    Alias,
    Arg,
    Attr,
    Binding,
    BindingBlock,
    Body,
    GraphExpr,
    GraphFunction,
    IfThenElse,
    ScalarValue,
    TensorType,
    TupleItem,
    TupleType,
    Type,
    Var,
    type_of,
)
from workbench.ir.call_types import compatible
from workbench.ir.dtypes import DTYPES
from workbench.script.call_result import seen_outside
from workbench.script.context import frozen
from workbench.script.print_types import type_text
from workbench.script.read_leaves import LEAVES, Value
from workbench.script.read_signature import SignatureReader
from workbench.script.read_tensor import Options
from workbench.script.scope import LOST, Hidden, ModuleName
from workbench.script.source import FaultyError
from workbench.support.spelling import near

_STATEMENTS = ("R.dataflow", "R.output", "R.func_attr")


@dataclass(slots=True)
class _Suite:
    """Bindings while a suite is read."""

    blocks: list[BindingBlock] = field(default_factory=list[BindingBlock])
    bindings: list[Binding] = field(default_factory=list[Binding])
    outputs: list[Var] | None = None
    in_dataflow: bool = False

    def flush(self) -> None:
        """Close the block of bindings outside dataflow."""
        if self.bindings:
            self.blocks.append(BindingBlock(tuple(self.bindings)))
            self.bindings = []


@dataclass(frozen=True, slots=True)
class _Branch:
    """One side of an `if`: the name that it gives a value."""

    name: str
    body: Body
    type: Type


class GraphReader(SignatureReader):
    """Reads one graph function."""

    def read(self, node: ast.FunctionDef, options: Options) -> GraphFunction:
        """The function that `node` defines.

        Raises:
            CompileError: `script/branch`, `script/dataflow`, `script/missing-return`,
                `script/missing-type`, `script/not-supported`, `script/target`,
                `script/type-mismatch`.
        """
        self.attrs: dict[str, Attr] = {}
        self.current = _Suite()
        self.result: Arg | None = None
        params = self.parameters(node)
        declared = self.declared_result(node)
        self._body(node.body)
        self.current.flush()
        if self.result is None:
            if not self._has_return(node.body):
                self.fault(
                    node,
                    "script/missing-return",
                    f"`{node.name}` does not return a value",
                    hint="a graph function ends with `return x`",
                )
            raise self.lost()
        found = type_of(self.result)
        if declared is not None:
            self.check(node.returns or node, declared, found, "the result")
        return GraphFunction(
            params,
            tuple(self.current.blocks),
            self.result,
            declared if declared is not None else seen_outside(found, params),
            frozen(self.attrs),
            private=options.private,
            pure=options.pure,
            next_id=self.ids.next,
            span=self.report.span(node),
        )

    @staticmethod
    def _has_return(nodes: list[ast.stmt]) -> bool:
        return any(isinstance(node, ast.Return) for node in nodes)

    # --- statements -------------------------------------------------------------------------

    def _body(self, nodes: list[ast.stmt]) -> None:
        for node in nodes:
            try:
                self._statement(node)
            except self.Faulty:
                self._lose(node)

    def _lose(self, node: ast.stmt) -> None:
        """What a faulty statement would have defined has no value."""
        match node:
            case ast.Assign(targets=targets):
                for part in (p for target in targets for p in ast.walk(target)):
                    if isinstance(part, ast.Name):
                        self.scope.set(part.id, LOST)
            case ast.AnnAssign(target=ast.Name(id=name)):
                self.scope.set(name, LOST)
            case ast.If():
                for branch in (node.body, node.orelse):
                    if branch:
                        self._lose(branch[-1])
            case _:
                pass

    def _statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                self._assign(node, name, value)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                self._bind(node, name, value, node.annotation)
            case ast.With():
                self._dataflow(node)
            case ast.Return():
                self._return(node)
            case ast.Expr(value=value):
                self._expression(value)
            case ast.If():
                self._if(node)
            case ast.Pass():
                pass
            case ast.Assign(targets=[ast.Tuple() as target], value=value):
                self._unpack(node, target, value)
            case _:
                word = type(node).__name__.lower()
                raise self.fault(
                    node, "script/not-supported", f"`{word}` is not part of graph functions"
                )

    def _assign(self, node: ast.stmt, name: str, value: ast.expr) -> None:
        if isinstance(value, ast.Name) and value.id in self.context.module_names:
            self.scope.set(name, ModuleName())
            return
        if isinstance(value, ast.Call):
            word = self.dialect(value.func) or ""
            if word in {"T.var", "T.Var", "T.dyn"} or (
                word[:2] == "T." and word[2:] in DTYPES and not value.args
            ):
                if not isinstance(self.scope.get(name), Var):
                    self.symbol(name)
                return
        self._bind(node, name, value, None)

    def _bind(self, node: ast.stmt, name: str, value_node: ast.expr, note: ast.expr | None) -> None:
        try:
            value = self._value_of(value_node, note)
        except self.Faulty:
            if note is not None:
                self._annotation(note)
            raise
        type_ = self._binding_type(value_node, value, note, name)
        self._emit(node, name, value, type_)

    def _value_of(self, node: ast.expr, note: ast.expr | None) -> Value:
        """A right side; a number annotated as a scalar has the annotation's dtype."""
        name = self.dialect(note) if note is not None else None
        graph = isinstance(node, ast.Call) and (self.dialect(node.func) or "")[:2] == "R."
        if name is not None and name[:2] == "T." and name[2:] in DTYPES and not graph:
            return ScalarValue(self.expr(node, name[2:]))
        return self.value(node)

    def _emit(self, node: ast.stmt | ast.expr, name: str, value: Value, type_: Type) -> Var:
        expr: GraphExpr = Alias(value) if isinstance(value, LEAVES) else value
        var = Var(self.ids.new(), name, type_)
        self.current.bindings.append(Binding(var, expr, self.report.span(node)))
        if name != "_":
            self.scope.set(name, var)
        return var

    def emit(self, node: ast.expr, value: GraphExpr) -> Var:
        """Bind a nested call under a new name.

        Raises:
            CompileError: `script/missing-type`.
        """
        type_ = self._known(node, self.inferred(node, value))
        var = Var(self.ids.new(), "lv", type_)
        self.current.bindings.append(Binding(var, value, self.report.span(node)))
        return var

    def _known(self, node: ast.expr, type_: Type | None) -> Type:
        if type_ is None:
            raise self.fault(
                node,
                "script/missing-type",
                "the type of this call is not known here",
                hint="bind it with an annotation: `y: R.Tensor(...) = ...`",
            )
        return type_

    def _binding_type(self, node: ast.expr, value: Value, note: ast.expr | None, name: str) -> Type:
        if note is None:
            return self._known(node, self.inferred(node, value))
        written, inferred = self.report.pair(
            lambda: self._annotation(note), lambda: self.inferred(node, value)
        )
        if written is None:
            return self._known(node, inferred)
        if inferred is not None:
            self.check(note, written, inferred, f"`{name}`")
        return written

    def _annotation(self, note: ast.expr) -> Type | None:
        """The written type; None for the bare `R.Tensor`, which leaves all to inference."""
        return None if self.dialect(note) == "R.Tensor" else self.type(note)

    def check(self, node: ast.AST, written: Type, inferred: Type, what: str) -> None:
        """A fault where the written type cannot be the value's.

        Raises:
            CompileError: `script/type-mismatch`.
        """
        if compatible(inferred, written) is not None:
            raise self.fault(
                node,
                "script/type-mismatch",
                f"{what} is annotated as `{type_text(written)}`, "
                f"but its value is `{type_text(inferred)}`",
                hint=_mismatch_hint(written, inferred),
            )

    def _return(self, node: ast.Return) -> None:
        if node.value is None:
            raise self.fault(node, "script/missing-return", "a graph function returns a value")
        self.result = self.leaf(node.value)

    def _unpack(self, node: ast.stmt, target: ast.Tuple, value: ast.expr) -> None:
        """`a, b = t`: one binding for each field."""
        base = self.leaf(value)
        type_ = type_of(base)
        names = [item.id for item in target.elts if isinstance(item, ast.Name)]
        if not isinstance(type_, TupleType) or len(names) != len(type_.fields):
            raise self.fault(node, "script/target", f"the value has not {len(names)} fields")
        from_index = enumerate(zip(names, type_.fields, strict=True))
        for index, (name, field_) in from_index:
            self._emit(node, name, _item(base, index), field_)

    def _expression(self, value: ast.expr) -> None:
        if isinstance(value, ast.Constant):
            return
        word = self.dialect(value.func) if isinstance(value, ast.Call) else None
        if isinstance(value, ast.Call) and word == "R.func_attr":
            self.attrs |= self.attr_dict(value)
        elif isinstance(value, ast.Call) and word == "R.output":
            self._output(value)
        else:
            found = self.value(value)
            if isinstance(found, LEAVES):
                raise self.fault(value, "script/not-supported", "this statement has no effect")
            self._emit(value, "_", found, self._known(value, self.inferred(value, found)))

    # --- dataflow ---------------------------------------------------------------------------

    def _dataflow(self, node: ast.With) -> None:
        call = node.items[0].context_expr
        word = self.dialect(call.func) if isinstance(call, ast.Call) else None
        if word != "R.dataflow":
            self._body(node.body)
            raise self.fault(
                call,
                "script/not-supported",
                f"expected `R.dataflow()`, found `{ast.unparse(call)[:40]}`",
                hint=near(word or "", _STATEMENTS),
            )
        suite = self.current
        suite.flush()
        if suite.in_dataflow:
            raise self.fault(node, "script/dataflow", "dataflow blocks do not nest")
        suite.in_dataflow, suite.outputs = True, None
        self.scope.open()
        self._body(node.body)
        self._close_dataflow(node, suite)

    def _close_dataflow(self, node: ast.With, suite: _Suite) -> None:
        bindings, outputs = tuple(suite.bindings), suite.outputs
        suite.bindings, suite.in_dataflow, suite.outputs = [], False, None
        hidden = {binding.var.id for binding in bindings} - {var.id for var in outputs or ()}
        for name, entry in self.scope.close().items():
            local = isinstance(entry, Var) and entry.id in hidden and outputs is not None
            self.scope.set(name, Hidden() if local else entry)
        if outputs is None:
            self.fault(
                node.items[0].context_expr,
                "script/missing-output",
                "the dataflow block has no `R.output(...)`",
                hint="its last line names the values that are used after it",
            )
        block = BindingBlock(bindings, dataflow=True, outputs=tuple(v.id for v in outputs or ()))
        suite.blocks.append(block)

    def _output(self, call: ast.Call) -> None:
        if not self.current.in_dataflow:
            raise self.fault(call, "script/dataflow", "`R.output` stands in a dataflow block")
        self.current.outputs = []
        bound = {binding.var.id for binding in self.current.bindings}
        for arg in call.args:
            try:
                entry = self.lookup(arg) if isinstance(arg, ast.Name) else None
            except FaultyError:  # said already; the other outputs are outputs all the same
                continue
            if not isinstance(entry, Var) or entry.id not in bound:
                self.fault(
                    arg,
                    "script/dataflow",
                    f"`{ast.unparse(arg)[:40]}` is not bound in this dataflow block",
                )
                continue
            self.current.outputs.append(entry)

    # --- branches ---------------------------------------------------------------------------

    def _if(self, node: ast.If) -> None:
        if self.current.in_dataflow:
            raise self.fault(node, "script/dataflow", "a branch stands outside dataflow blocks")
        condition, (then, otherwise) = self.report.pair(
            lambda: self.leaf(node.test),
            lambda: self.report.pair(
                lambda: self._branch(node, node.body), lambda: self._branch(node, node.orelse)
            ),
        )
        if then.name != otherwise.name:
            raise self.fault(
                node.orelse[-1],
                "script/branch",
                "both branches end by giving one name a value, "
                f"found `{then.name}` and `{otherwise.name}`",
            )
        if compatible(otherwise.type, then.type) is not None:
            raise self.fault(
                node.orelse[-1],
                "script/type-mismatch",
                f"`{then.name}` is `{type_text(then.type)}` in one branch "
                f"and `{type_text(otherwise.type)}` in the other",
            )
        self._emit(node, then.name, IfThenElse(condition, then.body, otherwise.body), then.type)

    def _branch(self, node: ast.If, nodes: list[ast.stmt]) -> _Branch:
        if not nodes:
            raise self.fault(node, "script/branch", "an `if` of a graph function has an `else`")
        outer, self.current = self.current, _Suite()
        self.scope.open()
        try:
            self._body(nodes[:-1])
            name, result, type_ = self._branch_result(nodes[-1])
            self.current.flush()
            return _Branch(name, Body(tuple(self.current.blocks), result), type_)
        finally:
            self.scope.close()
            self.current = outer

    def _branch_result(self, node: ast.stmt) -> tuple[str, Arg, Type]:
        """The last line of a branch: its name is that of the whole `if`."""
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                note = None
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                note = node.annotation
            case ast.If():
                self._if(node)
                nested = self.current.bindings[-1].var
                return nested.name, nested, nested.type
            case _:
                raise self.fault(node, "script/branch", "a branch ends by giving a name its value")
        found = self._value_of(value, note)
        type_ = self._binding_type(value, found, note, name)
        if not isinstance(found, LEAVES):
            found = self._emit(node, name, found, type_)
        return name, found, type_


def _item(base: Arg, index: int) -> GraphExpr:
    return TupleItem(base, index)


def _mismatch_hint(written: Type, inferred: Type) -> str:
    if isinstance(written, TensorType) and isinstance(inferred, TensorType):
        if written.dtype != inferred.dtype:
            return f'`R.astype(x, dtype="{written.dtype}")` converts'
        return "`R.match_cast(x, type)` checks a shape at run time"
    return ""
