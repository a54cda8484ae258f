"""Calls of tensor expressions: `R.emit_te(f, x)` becomes a tensor function and its call."""

from __future__ import annotations

import ast
from collections.abc import Callable

from workbench.ir import CallTIR, structurally_equal
from workbench.script.expressions import TensorCall, expression_caller
from workbench.script.read_calls import CallReader
from workbench.support.diagnostics import FOREIGN_FAULTS, CompileError

_LITERALS = (ast.Constant, ast.List, ast.Tuple, ast.UnaryOp, ast.USub, ast.Load)


class ExpressionReader(CallReader):
    """Reads calls of tensor expressions."""

    def emit_te(self, node: ast.Call) -> CallTIR:
        """`R.emit_te(f, x, 0.5, axis=1)`: tensors as tensors of `te`, all else as in Python.

        Raises:
            CompileError: `script/expression`, `script/call`; what the expression raises.
        """
        function = self._te_function(node)
        args = self.report.collect(
            lambda item=item: self._te_argument(item) for item in node.args[1:]
        )
        keywords = {item.arg or "": item.value for item in node.keywords}
        values = self.report.collect(
            lambda item=i: self._te_argument(item) for i in keywords.values()
        )
        call = self._te_call(node, function, args, dict(zip(keywords, values, strict=True)))
        return CallTIR(self._te_callee(call), call.args, call.out_types, call.scalars)

    def _te_function(self, node: ast.Call) -> Callable[..., object]:
        if not self.context.may_call:
            raise self.fault(
                node,
                "script/expression",
                "`R.emit_te` calls Python code, and reading a text calls none",
                hint="write it in a class under `@I.ir_module` in a cell or a file, or use "
                "`te.emit_te(builder, f, x)`",
            )
        function = self._python_value(node.args[0]) if node.args else None
        if not callable(function):
            found = ast.unparse(node.args[0])[:40] if node.args else "nothing"
            raise self.fault(
                node,
                "script/call",
                f"`R.emit_te` takes a Python function that gives a tensor expression, "
                f"found `{found}`",
            )
        return function

    def _te_argument(self, node: ast.expr) -> object:
        if all(isinstance(part, _LITERALS) for part in ast.walk(node)):
            return self.literal(node)
        if isinstance(node, ast.Name) and self.scope.get(node.id) is None:
            return self.lookup(node)
        return self.leaf(node)

    def _te_call(
        self,
        node: ast.Call,
        function: Callable[..., object],
        args: list[object],
        keywords: dict[str, object],
    ) -> TensorCall:
        caller = expression_caller()
        assert caller is not None, "`workbench.te` is not loaded"
        try:
            return caller(function, args, keywords)
        except CompileError as error:
            raise self.report.adopt(node, error) from None
        except FOREIGN_FAULTS as error:
            raise self.fault(
                node,
                "script/expression",
                f"`{ast.unparse(node.args[0])}` raised `{type(error).__name__}`: {error}",
            ) from error

    def _te_callee(self, call: TensorCall) -> str:
        """The name of the tensor function in the module."""
        name, count = call.name, 0
        while name in self.functions.names() and not self._is_that(name, call):
            count += 1
            name = f"{call.name}{count}"
        self.functions.adopt(name, call.function)
        return name

    def _is_that(self, name: str, call: TensorCall) -> bool:
        known = self.functions.outside(name)
        return known is not None and structurally_equal(known, call.function)
