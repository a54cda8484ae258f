"""Whole scripts from Python syntax: a module of functions, or functions alone."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass

from workbench.ir import (
    Attrs,
    BufferType,
    ConstantPool,
    Function,
    GraphFunction,
    IRModule,
    TensorFunction,
    Type,
    externals,
    with_externals,
)
from workbench.script.constants import Constants, metadata_arrays, metadata_text
from workbench.script.context import Context, Signature, frozen
from workbench.script.names import identifier
from workbench.script.read_graph import GraphReader
from workbench.script.read_tensor import Options, TensorReader
from workbench.script.source import FaultyError, Report
from workbench.support.diagnostics import CompileError, Diagnostic
from workbench.support.spelling import near

_TENSOR, _GRAPH, _MODULE = "T.prim_func", "R.function", "I.ir_module"
_DIALECT_MODULES = {"tir": "T", "tirx": "T", "relax": "R", "ir": "I"}


@dataclass(slots=True)
class _Entry:
    """A function of the script: its text, and what is known of it so far."""

    node: ast.FunctionDef | None
    is_graph: bool
    options: Options
    function: Function | None = None
    signature: Signature | None = None
    busy: bool = False
    faulty: bool = False


class ModuleReader:
    """Reads a whole script; functions are read when a call first needs them."""

    def __init__(
        self,
        report: Report,
        pool: ConstantPool,
        namespace: Mapping[str, object],
        surroundings: IRModule | None = None,
    ) -> None:
        self.report = report
        self.context = Context(report, namespace)
        self.constants = Constants(pool)
        self.entries: dict[str, _Entry] = {}
        self.lost: set[str] = set()
        """Names of what was meant to be a function."""
        self.attrs: Attrs = ()
        self.name = "Module"
        for name, function in surroundings.functions if surroundings is not None else ():
            self.adopt(name, function)
        if surroundings is not None:
            self.context.module_names |= {"Module", identifier(surroundings.name)}
            self.context.externals += externals(surroundings)

    def read(self, tree: ast.Module) -> IRModule:
        """The module; faults are in the report.

        Raises:
            CompileError: `script/decorator`, `script/duplicate`, `script/metadata`,
                `script/not-supported`, `script/unknown-argument`.
        """
        classes: list[ast.ClassDef] = []
        for node in tree.body:
            try:
                self._top(node, classes)
            except FaultyError:
                continue
        if len(classes) > 1:
            self.report.fault(classes[1], "script/one-module", "a script has one module")
        for name in self._callees_first():
            self._finished(name)
        if not self.entries and not classes and not self.report.diagnostics:
            self.report.add(
                Diagnostic(
                    "script/empty",
                    "expected a module or a function, found nothing",
                    hint="`@I.ir_module` before a class, `@T.prim_func` or `@R.function`",
                )
            )
        functions = tuple(
            (name, entry.function)
            for name, entry in self.entries.items()
            if entry.function is not None
        )
        module = IRModule(functions, self.constants.pool, self.attrs, self.name)
        return with_externals(module, self.context.externals)

    # --- top level --------------------------------------------------------------------------

    def _top(self, node: ast.stmt, classes: list[ast.ClassDef]) -> None:
        match node:
            case ast.ImportFrom(names=names) | ast.Import(names=names):
                for alias in names:
                    self._import(alias)
            case ast.ClassDef():
                self._class(node)
                classes.append(node)
            case ast.FunctionDef():
                self._function(node)
            case ast.Assign() if (text := metadata_text(node)) is not None:
                self._metadata(node, text)
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=func)) if (
                self._declares_symbol(func)
            ):
                self.context.symbols.add(name)
            case ast.Expr(value=ast.Constant()) | ast.Pass():
                pass
            case _:
                raise self.report.fault(
                    node,
                    "script/not-supported",
                    'only a module, functions, imports and `n = TypeVar("n")` stand here',
                )

    def _import(self, alias: ast.alias) -> None:
        dialect = _DIALECT_MODULES.get(alias.name.rsplit(".", maxsplit=1)[-1])
        if dialect is not None:
            self.context.aliases[alias.asname or alias.name] = dialect
        elif alias.name in {"T", "R", "I"} and alias.asname:
            self.context.aliases[alias.asname] = alias.name

    def _declares_symbol(self, func: ast.expr) -> bool:
        return ast.unparse(func).rsplit(".", maxsplit=1)[-1] in {"TypeVar", "int64", "var", "Var"}

    def _metadata(self, node: ast.stmt, text: str) -> None:
        try:
            self.constants.metadata = metadata_arrays(text)
        except ValueError as error:
            raise self.report.fault(node, "script/metadata", str(error)) from None

    def _class(self, node: ast.ClassDef) -> None:
        self.name = node.name
        self.context.module_names.add(node.name)
        if not any(self._decorator(d)[0] == _MODULE for d in node.decorator_list):
            self.report.fault(
                node,
                "script/decorator",
                f"class `{node.name}` is no module",
                hint="`@I.ir_module` stands before it",
            )
        for item in node.body:
            try:
                self._member(item)
            except FaultyError:
                continue

    def _member(self, node: ast.stmt) -> None:
        match node:
            case ast.FunctionDef():
                self._function(node)
            case ast.Expr(value=ast.Call(func=func) as call) if _last(func) == "module_attrs":
                reader = TensorReader(self.context)
                self.attrs = frozen(reader.attr_dict(call))
                try:
                    self.context.externals += externals(IRModule(attrs=self.attrs))
                except CompileError as error:
                    self.report.fault(call, "script/attribute", error.diagnostics[0].message)
                    self.attrs = ()
            case ast.Expr(value=ast.Call(func=func)) if _last(func) == "module_global_infos":
                pass
            case ast.Expr(value=ast.Constant()) | ast.Pass():
                pass
            case _:
                raise self.report.fault(
                    node, "script/not-supported", "only functions stand in a module"
                )

    def _function(self, node: ast.FunctionDef) -> None:
        for decorator in node.decorator_list:
            kind, call = self._decorator(decorator)
            if kind in {_TENSOR, _GRAPH}:
                if node.name in self.entries and self.entries[node.name].node is not None:
                    raise self.report.fault(
                        node, "script/duplicate", f"there are two functions `{node.name}`"
                    )
                options = self._options(call, kind)
                self.entries[node.name] = _Entry(node, kind == _GRAPH, options)
                return
        self.lost.add(node.name)
        where = node.decorator_list[0] if node.decorator_list else node
        name = ast.unparse(where)[:40] if node.decorator_list else "no decorator"
        raise self.report.fault(
            where,
            "script/decorator",
            f"function `{node.name}` needs `@T.prim_func` or `@R.function`, found `{name}`",
            hint=near(name, (_TENSOR, _GRAPH)),
        )

    def _decorator(self, node: ast.expr) -> tuple[str, ast.Call | None]:
        call = node if isinstance(node, ast.Call) else None
        word = _last(call.func if call is not None else node)
        kind = {"prim_func": _TENSOR, "function": _GRAPH, "ir_module": _MODULE}.get(word, "")
        return kind, call

    def _options(self, call: ast.Call | None, kind: str) -> Options:
        if call is None:
            return Options()
        known = {"private": False, "s_tir": False, "pure": True, "check_well_formed": True}
        known |= {"tracked": False}
        given: dict[str, bool] = {}
        for keyword in call.keywords:
            value = keyword.value
            if keyword.arg not in known or not isinstance(value, ast.Constant):
                raise self.report.fault(
                    value,
                    "script/unknown-argument",
                    f"`@{kind}` has no argument `{keyword.arg}`",
                    hint=near(keyword.arg or "", known),
                )
            given[keyword.arg] = bool(value.value)
        return Options(
            given.get("private", False), given.get("s_tir", False), given.get("pure", True)
        )

    # --- functions, on demand ---------------------------------------------------------------

    def names(self) -> list[str]:
        """The names of all functions."""
        return list(self.entries)

    def adopt(self, name: str, function: Function) -> None:
        """Add a function that was defined outside the script."""
        if name not in self.entries:
            is_graph = isinstance(function, GraphFunction)
            self.entries[name] = _Entry(None, is_graph, Options(), function)

    def _callees_first(self) -> list[str]:
        """The functions, those that a function names before it: reading a call does not recurse."""
        order: list[str] = []
        seen: set[str] = set()
        pending = [(name, False) for name in reversed(self.entries)]
        while pending:
            name, below = pending.pop()
            if below:
                order.append(name)
            elif name not in seen:
                seen.add(name)
                pending.append((name, True))
                pending += [(callee, False) for callee in reversed(self._named(name))]
        return order

    def _named(self, name: str) -> list[str]:
        """The other functions of the script that the text of a graph function names."""
        node, graph = self.entries[name].node, self.entries[name].is_graph
        parts = ast.walk(node) if node is not None and graph else ()
        words = (p.attr for p in parts if isinstance(p, ast.Attribute))
        return [word for word in dict.fromkeys(words) if word in self.entries]

    def outside(self, name: str) -> Function | None:
        """The function of that name if it was defined outside the script, else None."""
        entry = self.entries.get(name)
        return entry.function if entry is not None and entry.node is None else None

    def signature(self, name: str) -> Signature | None:
        """The signature of a function, None if there is none; fails if it is faulty.

        Raises:
            CompileError: `script/missing-type`.
        """
        entry = self.entries.get(name)
        if name in self.lost:
            raise FaultyError
        if entry is None:
            return None
        if entry.signature is None:
            entry.signature = self._signature(name, entry)
        return entry.signature

    def _signature(self, name: str, entry: _Entry) -> Signature:
        """From the text alone where that says it: functions may call each other in any order."""
        node = entry.node
        if node is not None and not entry.is_graph:
            count = len(node.args.args)
            return Signature(name, is_graph=False, params=(_ANY,) * count, result=None)
        if entry.function is None and not entry.busy:
            self._finished(name)
        if entry.function is not None:
            return signature_of(name, entry.function)
        if entry.faulty or node is None:
            raise FaultyError
        return self._declared(name, node)

    def _declared(self, name: str, node: ast.FunctionDef) -> Signature:
        """What a function that is being read says of itself: it calls itself."""
        quiet = Report("\n".join(self.report.lines), self.report.filename)
        reader = GraphReader(
            Context(quiet, self.context.namespace, self.context.aliases, self.context.symbols),
            self,
            self.constants,
        )
        params = reader.parameters(node)
        result = reader.declared_result(node)
        if result is None and node.returns is None:
            raise self.report.fault(
                node,
                "script/missing-type",
                f"`{name}` calls itself and needs a result type",
                hint=f"`def {name}(...) -> R.Tensor(...):`",
            )
        return Signature(name, is_graph=True, params=tuple(p.type for p in params), result=result)

    def _finished(self, name: str) -> None:
        """Read a function, once."""
        entry = self.entries[name]
        if entry.node is None or entry.function is not None or entry.busy or entry.faulty:
            return
        entry.busy = True
        before, self.report.function = self.report.function, name
        try:
            entry.function = self._read(entry.node, entry)
        except FaultyError:
            entry.faulty = True
        finally:
            entry.busy = False
            self.report.function = before
        entry.signature = None

    def _read(self, node: ast.FunctionDef, entry: _Entry) -> Function:
        if entry.is_graph:
            return GraphReader(self.context, self, self.constants).read(node, entry.options)
        return TensorReader(self.context).read(node, entry.options)


_ANY = BufferType(())


def signature_of(name: str, function: Function) -> Signature:
    """The signature of a finished function."""
    params: tuple[Type, ...] = tuple(param.type for param in function.params)
    if isinstance(function, TensorFunction):
        return Signature(name, is_graph=False, params=params, result=None)
    return Signature(name, is_graph=True, params=params, result=function.return_type)


def _last(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
