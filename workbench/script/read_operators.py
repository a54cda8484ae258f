"""Calls of registered operators."""

from __future__ import annotations

import ast
import functools

from workbench.ir import (
    Arg,
    Attr,
    CallOp,
    Dim,
    Operator,
    ScalarType,
    ScalarValue,
    ShapeValue,
    TupleValue,
    Var,
    find_operator,
    operators,
)
from workbench.ir.dtypes import DTYPES
from workbench.script.context import frozen
from workbench.script.read_calls import PACKED, TENSOR_CALLS
from workbench.script.read_expressions import ExpressionReader
from workbench.support.spelling import near


class OperatorReader(ExpressionReader):
    """Reads calls of operators: positional and keyword arguments, attributes."""

    def registered(self, node: ast.expr, name: str) -> Operator:
        """The operator of that name, which `node` calls.

        Raises:
            CompileError: `script/unknown-operator`.
        """
        found = find_operator(name)
        if found is None:
            known = [operator.name for operator in operators()]
            words = [word[2:] for word in (*self.constructors, *PACKED, *TENSOR_CALLS, "R.emit_te")]
            raise self.fault(
                node,
                "script/unknown-operator",
                f"no operator `{name}` is registered",
                hint=near(name, (*known, *words)),
            )
        return found

    def call_operator(self, node: ast.Call, name: str) -> CallOp:
        """`R.name(...)`.

        Raises:
            CompileError: `script/argument-count`, `script/missing-argument`,
                `script/unknown-argument`.
        """
        operator = self.registered(node.func, name)
        parameters = operator.parameters
        attributes = [key for key, _ in operator.attributes]
        count = len(parameters) if parameters else len(node.args)
        given: dict[int, ast.expr] = dict(enumerate(node.args[:count]))
        attrs: dict[str, ast.expr] = dict(zip(attributes, node.args[count:], strict=False))
        if len(node.args) > count + len(attributes):
            raise self.fault(
                node.args[count + len(attributes)],
                "script/argument-count",
                f"`R.{name}` takes {count + len(attributes)} arguments, found {len(node.args)}",
            )
        for keyword in node.keywords:
            self._keyword(node, name, operator, keyword, given, attrs)
        if sorted(given) != list(range(len(given))):
            missing = next(i for i in range(len(given)) if i not in given)
            raise self.fault(
                node,
                "script/missing-argument",
                f"`R.{name}` needs `{parameters[missing]}`",
            )
        args, values = self.report.pair(
            lambda: self._operator_arguments([given[i] for i in sorted(given)]),
            lambda: self._attributes(attrs),
        )
        return CallOp(name, args, values)

    def _keyword(
        self,
        node: ast.Call,
        name: str,
        operator: Operator,
        keyword: ast.keyword,
        given: dict[int, ast.expr],
        attrs: dict[str, ast.expr],
    ) -> None:
        word = keyword.arg or "**"
        known = dict(operator.attributes)
        place = operator.parameters.index(word) if word in operator.parameters else None
        if word in attrs or place in given:
            raise self.fault(
                keyword.value,
                "script/argument-count",
                f"`R.{name}` takes `{word}` once, found it twice",
            )
        if place is not None:
            given[place] = keyword.value
        elif word in known:
            attrs[word] = keyword.value
        elif not self._says_nothing(node, keyword):
            raise self.fault(
                keyword.value,
                "script/unknown-argument",
                f"`R.{name}` has no argument `{word}`",
                hint=near(word, (*operator.parameters, *known))
                or f"there are: {', '.join((*operator.parameters, *known)) or 'none'}",
            )

    def _says_nothing(self, node: ast.Call, keyword: ast.keyword) -> bool:
        """What TVM prints without need: `out_dtype=None`, an `out_layout` like the other."""
        value = keyword.value
        if isinstance(value, ast.Constant) and value.value in (None, ""):
            return True
        if keyword.arg == "out_layout":
            layouts = [k.value for k in node.keywords if k.arg in {"layout", "data_layout"}]
            return any(ast.dump(value) == ast.dump(other) for other in layouts)
        return keyword.arg == "count_include_pad" and ast.unparse(value) == "False"

    def _operator_arguments(self, nodes: list[ast.expr]) -> tuple[Arg, ...]:
        return tuple(_as_shape(arg) for arg in self.leaves(nodes))

    def _attributes(self, nodes: dict[str, ast.expr]) -> tuple[tuple[str, Attr], ...]:
        values = self.report.collect(
            functools.partial(self._attribute, node) for node in nodes.values()
        )
        return frozen(dict(zip(nodes, values, strict=True)))

    def _attribute(self, node: ast.expr) -> Attr:
        name = self.dialect(node)
        if name is not None and name[2:] in DTYPES:
            return name[2:]
        return self.literal(node)


def _as_shape(arg: Arg) -> Arg:
    """A tuple of numbers and dimensions as an operator's argument is a shape."""
    if isinstance(arg, TupleValue) and arg.fields:
        dims = [dim for dim in map(_as_dim, arg.fields) if dim is not None]
        if len(dims) == len(arg.fields):
            return ShapeValue(tuple(dims))
    return arg


def _as_dim(field: Arg) -> Dim | None:
    if isinstance(field, Var) and isinstance(field.type, ScalarType):
        return field
    return getattr(field.value, "value", field.value) if isinstance(field, ScalarValue) else None
