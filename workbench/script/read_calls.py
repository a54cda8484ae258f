"""Calls of graph functions: functions of the module, tensor functions, libraries."""

from __future__ import annotations

import ast
import functools
from types import ModuleType
from typing import Any

from workbench.ir import (
    Arg,
    CallFunction,
    CallPacked,
    CallTIR,
    CallTIRInplace,
    GraphFunction,
    PackedStyle,
    TensorFunction,
    TensorType,
    Type,
    external_of,
)
from workbench.script.context import Signature, frozen
from workbench.script.read_leaves import LeafReader, Value
from workbench.script.scope import ModuleName
from workbench.support.spelling import near

TENSOR_CALLS = ("R.call_tir", "R.call_tir_inplace")
PACKED = {f"R.{style.value}": style for style in PackedStyle}
_OUT = ("out_ty", "out_sinfo")
_INPLACE = ("inplace_indices",)
_TY = ("ty_args", "sinfo_args")


class CallReader(LeafReader):
    """Reads calls of functions and libraries."""

    # --- functions --------------------------------------------------------------------------

    def call_function(self, node: ast.Call) -> Value:
        """`cls.f(x)`.

        Raises:
            CompileError: `script/argument-count`, `script/call`.
        """
        signature = self.callee(node.func)
        if not signature.is_graph:
            raise self.fault(
                node,
                "script/call",
                f"`{signature.name}` is a tensor function and needs memory for its results",
                hint=f"`R.call_tir(cls.{signature.name}, (x,), out_ty=R.Tensor(...))`",
            )
        if node.keywords:
            raise self.fault(node, "script/call", "functions take positional arguments")
        args = self.leaves(node.args)
        if len(args) != len(signature.params):
            raise self.fault(
                node,
                "script/argument-count",
                f"`{signature.name}` takes {len(signature.params)} arguments, found {len(args)}",
            )
        return CallFunction(signature.name, args)

    def callee(self, node: ast.expr) -> Signature:
        """The function that `cls.f`, `f` or `"f"` names.

        Raises:
            CompileError: `script/call`, `script/unknown-function`.
        """
        name = None
        match node:
            case ast.Attribute(value=ast.Name(id=owner), attr=attr) if self._is_module(owner):
                name = attr
            case ast.Name(id=known):
                name = known
                self._adopt(known)
            case ast.Constant(value=str() as text):
                name = text
            case _:
                raise self.fault(
                    node,
                    "script/call",
                    f"`{ast.unparse(node)[:40]}` is no function of the module",
                    hint="functions of the module are called as `cls.name`",
                )
        signature = self.functions.signature(name)
        if signature is None:
            raise self.fault(
                node,
                "script/unknown-function",
                f"the module has no function `{name}`",
                hint=near(name, self.functions.names()),
            )
        return signature

    def _is_module(self, name: str) -> bool:
        entry = self.scope.get(name)
        return isinstance(entry, ModuleName) or (
            entry is None and name in self.context.module_names
        )

    def _adopt(self, name: str) -> None:
        function = self.context.namespace.get(name)
        if isinstance(function, TensorFunction | GraphFunction):
            self.functions.adopt(name, function)

    # --- destination-passing and library calls ----------------------------------------------

    def call_tir(self, node: ast.Call, *, inplace: bool = False) -> Value:
        """`R.call_tir(cls.f, (x,), out_ty=...)`, or `R.call_tir_inplace` with `inplace_indices`.

        Raises:
            CompileError: `script/argument-count`, `script/call`, `script/missing-argument`,
                `script/type-expected`.
        """
        names = ("gvar", "args", *(_INPLACE if inplace else ()), "out", *_OUT, "tir_vars", "dtype")
        required = 3 if inplace else 2
        given: dict[str, ast.expr | None] = dict(
            zip(names, self.arguments(node, names, required=required), strict=True)
        )
        callee_node, args_node = given["gvar"], given["args"]
        assert callee_node is not None
        assert args_node is not None
        indices = self._indices(given["inplace_indices"]) if inplace else ()
        (signature, args), (outs, scalars) = self.report.pair(
            lambda: self.report.pair(
                lambda: self._tensor_callee(callee_node),
                lambda: self._argument_tuple(args_node),
            ),
            lambda: self.report.pair(
                lambda: self._tensor_types(node, given),
                lambda: self.dims_of(given["tir_vars"]),
            ),
        )
        if inplace and len(indices) != len(outs):
            raise self.fault(
                node,
                "script/argument-count",
                "expected in `inplace_indices` the position of an argument, or -1, for each of "
                f"{len(outs)} results, found {len(indices)}",
            )
        over = sum(index >= 0 for index in indices)
        found = len(args) + len(outs) - over + len(scalars)
        expected = len(signature.params)
        if found != expected:
            raise self.fault(
                node,
                "script/argument-count",
                f"`{signature.name}` takes {expected} buffers and scalars, found {len(args)} "
                f"arguments, {len(outs)} results{_over(over)} and {len(scalars)} scalars",
            )
        if inplace:
            return CallTIRInplace(signature.name, args, outs, indices, scalars)
        return CallTIR(signature.name, args, outs, scalars)

    def _indices(self, node: ast.expr | None) -> tuple[int, ...]:
        """`[0, -1]`, or one number."""
        assert node is not None
        items = node.elts if isinstance(node, ast.List | ast.Tuple) else [node]
        return tuple(self.report.collect(functools.partial(self.integer, item) for item in items))

    def _tensor_types(
        self, node: ast.Call, given: dict[str, ast.expr | None]
    ) -> tuple[TensorType, ...]:
        types = self._out_types(node, given)
        tensors = tuple(type_ for type_ in types if isinstance(type_, TensorType))
        if len(tensors) != len(types):
            raise self.fault(
                node, "script/type-expected", "the results of a tensor function are tensors"
            )
        return tensors

    def _tensor_callee(self, node: ast.expr) -> Signature:
        signature = self.callee(node)
        if signature.is_graph:
            raise self.fault(
                node,
                "script/call",
                f"`{signature.name}` is a graph function",
                hint=f"`cls.{signature.name}(...)` calls it",
            )
        return signature

    def _argument_tuple(self, node: ast.expr) -> tuple[Arg, ...]:
        """The arguments of a destination-passing call: a tuple, or a single value."""
        name = self.dialect(node.func) if isinstance(node, ast.Call) else None
        if name == "R.tuple" and isinstance(node, ast.Call):
            return self.leaves(node.args)
        if isinstance(node, ast.Tuple | ast.List):
            return self.leaves(list(node.elts))
        return (self.leaf(node),)

    def _out_types(self, node: ast.Call, given: dict[str, ast.expr | None]) -> tuple[Type, ...]:
        out = given["out"] or given[_OUT[0]] or given[_OUT[1]]
        if out is None:
            raise self.fault(
                node,
                "script/missing-argument",
                f"`{ast.unparse(node.func)}` needs the type of its result",
                hint='`out_ty=R.Tensor((n, m), dtype="float32")`',
            )
        if (dtype := given.get("dtype")) is not None:
            return (TensorType(self.extents(out), self.dtype(dtype)),)
        items = out.elts if isinstance(out, ast.List | ast.Tuple) else [out]
        types = self.report.collect(functools.partial(self.type, item) for item in items)
        return tuple(types)

    def call_packed(self, node: ast.Call, style: PackedStyle) -> Value:
        """`R.call_packed("symbol", ...)` and its kin.

        Raises:
            CompileError: `script/missing-argument`, `script/unknown-argument`.
        """
        attributes = next((k.value for k in node.keywords if k.arg == "attrs"), None)
        attrs = frozen(self.dictionary(attributes)) if attributes is not None else ()
        rest = [k for k in node.keywords if k.arg != "attrs"]
        if style is PackedStyle.DPS:
            call = ast.copy_location(ast.Call(node.func, node.args, rest), node)
            names = ("func", "args", "out", *_OUT, "dtype")
            given: dict[str, ast.expr | None] = dict(
                zip(names, self.arguments(call, names, required=2), strict=True)
            )
            symbol, args_node = given["func"], given["args"]
            assert symbol is not None
            assert args_node is not None
            args, outs = self.report.pair(
                lambda: self._argument_tuple(args_node),
                lambda: self._out_types(node, given),
            )
            return CallPacked(self._library(symbol), args, outs, style, attrs)
        return self._effect(node, style, rest, attrs)

    def _library(self, node: ast.expr) -> str:
        """The symbol of a library function: a string, or a callable of the namespace."""
        function = self._python_value(node)
        if isinstance(function, str) or not callable(function):
            return self.string(node)
        known = self.context.externals
        found = external_of(function, known)
        if found not in known:
            known.append(found)
        return found.symbol

    def _python_value(self, node: ast.expr) -> object:
        """What a name, or a name in a package, stands for in the namespace; None for all else."""
        match node:
            case ast.Name(id=name) if self.scope.get(name) is None:
                return self.context.namespace.get(name)
            case ast.Attribute(value=inner, attr=name):
                home = self._python_value(inner)
                return vars(home).get(name) if isinstance(home, ModuleType) else None
            case _:
                return None

    def _effect(
        self,
        node: ast.Call,
        style: PackedStyle,
        keywords: list[ast.keyword],
        attrs: Any,  # noqa: ANN401
    ) -> Value:
        if not node.args:
            raise self.fault(node, "script/missing-argument", "a library call names its symbol")
        types: tuple[Type, ...] = ()
        for keyword in keywords:
            if keyword.arg not in _TY:
                raise self.fault(
                    keyword.value,
                    "script/unknown-argument",
                    f"`R.{style.value}` has no argument `{keyword.arg}`",
                    hint=near(keyword.arg or "", (*_TY, "attrs")),
                )
            value = keyword.value
            items = value.elts if isinstance(value, ast.List | ast.Tuple) else [value]
            types = tuple(self.report.collect(functools.partial(self.type, item) for item in items))
        symbol = self._library(node.args[0])
        return CallPacked(symbol, self.leaves(node.args[1:]), types, style, attrs)


def _over(count: int) -> str:
    return f" ({count} of them over arguments)" if count else ""
