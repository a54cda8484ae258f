"""What all readers share: the report, the scope, dialect names, arguments, attributes."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, cast

from workbench.ir import Attr, Attrs, DType, External, Function, Type
from workbench.ir.dtypes import DTYPES, dtype_hint
from workbench.script.scope import Dialect, Namespace, Scope
from workbench.script.source import FaultyError, Report
from workbench.support.ids import IdSource
from workbench.support.spelling import near


@dataclass(frozen=True, slots=True)
class Signature:
    """What a call of a function of the module needs to know about it."""

    name: str
    is_graph: bool
    params: tuple[Type, ...]
    result: Type | None


class Functions(Protocol):
    """The functions of the script being read, and constants."""

    def signature(self, name: str) -> Signature | None:
        """The signature of a function, None if there is none; fails if it is faulty."""
        ...

    def names(self) -> list[str]:
        """The names of all functions."""
        ...

    def adopt(self, name: str, function: Function) -> None:
        """Add a function that was defined outside the script."""
        ...

    def outside(self, name: str) -> Function | None:
        """The function of that name if it was defined outside the script, else None."""
        ...


@dataclass(slots=True)
class Context:
    """What holds for a whole script."""

    report: Report
    namespace: Namespace = field(default_factory=dict[str, object])
    aliases: dict[str, str] = field(default_factory=lambda: {"T": "T", "R": "R", "I": "I"})
    symbols: set[str] = field(default_factory=set[str])
    """Symbolic dimensions declared outside the functions."""
    module_names: set[str] = field(default_factory=lambda: {"cls"})
    externals: list[External] = field(default_factory=list[External])
    """Code of libraries that comes with the module."""
    may_call: bool = False
    """Whether the script stands in running code, whose functions it may call; a text may not."""


class Reader:
    """Common base: names of the dialect, arguments, literals."""

    Faulty = FaultyError

    def __init__(self, context: Context) -> None:
        self.context = context
        self.report = context.report
        self.fault = context.report.fault
        self.scope = Scope()
        self.ids = IdSource()

    def lost(self) -> FaultyError:
        """Raise this where a name has no value because its definition failed."""
        return FaultyError()

    def public_names(self) -> Iterator[str]:
        """Names of the namespace that a hint may offer."""
        return (name for name in self.context.namespace if not name.startswith("_"))

    def dialect(self, node: ast.expr) -> str | None:
        """`T.axis.remap` for an attribute of a dialect under any alias, else None."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or not parts:
            return None
        root = self.context.aliases.get(node.id) or self._alias(node.id)
        if root is None or self.scope.get(node.id) is not None:
            return None
        if len(parts) == 1:
            return f"{root}.{parts[0]}"
        return ".".join((root, *reversed(parts)))

    def _alias(self, name: str) -> str | None:
        value = self.context.namespace.get(name)
        return value.dialect if isinstance(value, Dialect) else None

    def arguments(
        self, node: ast.Call, names: Sequence[str], required: int = 0
    ) -> list[ast.expr | None]:
        """Positional and keyword arguments in the order of `names`, None where not given.

        Raises:
            CompileError: `script/argument-count`, `script/missing-argument`,
                `script/unknown-argument`.
        """
        given: dict[str, ast.expr] = dict(zip(names, node.args, strict=False))
        if len(node.args) > len(names):
            raise self.fault(
                node.args[len(names)],
                "script/argument-count",
                f"`{_callee(node)}` takes {len(names)} arguments, found {len(node.args)}",
            )
        for keyword in node.keywords:
            if keyword.arg is None or keyword.arg not in names:
                raise self.fault(
                    keyword.value,
                    "script/unknown-argument",
                    f"`{_callee(node)}` has no argument `{keyword.arg}`",
                    hint=near(keyword.arg or "", names) or f"there are: {', '.join(names)}",
                )
            given[keyword.arg] = keyword.value
        missing = [name for name in names[:required] if name not in given]
        if missing:
            raise self.fault(
                node,
                "script/missing-argument",
                f"`{_callee(node)}` needs `{'`, `'.join(missing)}`",
            )
        return [given.get(name) for name in names]

    # --- literals ---------------------------------------------------------------------------

    def string(self, node: ast.expr) -> str:
        """A string literal, or a string of the namespace.

        Raises:
            CompileError: `script/type`.
        """
        value = self.literal(node)
        if not isinstance(value, str):
            raise self.fault(
                node, "script/type", f"expected a string, found `{ast.unparse(node)[:40]}`"
            )
        return value

    def integer(self, node: ast.expr) -> int:
        """A whole number.

        Raises:
            CompileError: `script/type`.
        """
        value = self.literal(node)
        if not isinstance(value, int):
            raise self.fault(
                node, "script/type", f"expected a whole number, found `{ast.unparse(node)[:40]}`"
            )
        return value

    def dtype(self, node: ast.expr) -> DType:
        """A dtype: `"float32"` or `T.float32`.

        Raises:
            CompileError: `script/dtype`.
        """
        name = self.dialect(node)
        if name is not None and name.startswith("T.") and name[2:] in DTYPES:
            return name[2:]
        text = self.string(node)
        if text not in DTYPES:
            raise self.fault(
                node, "script/dtype", f"`{text}` is not a dtype", hint=dtype_hint(text)
            )
        return text

    def literal(self, node: ast.expr) -> Attr:
        """An attribute value: number, string, truth value, None, or a list of those.

        Raises:
            CompileError: `script/attribute`.
        """
        match node:
            case ast.Constant(value=bool() | int() | float() | str() | None as value):
                return value
            case ast.List(elts=items) | ast.Tuple(elts=items):
                return tuple(
                    self.report.collect(functools.partial(self.literal, item) for item in items)
                )
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                value = self.literal(operand)
                if isinstance(value, int | float):
                    return -value
            case ast.Name(id=name) if name in self.context.namespace:
                return self._namespace_literal(node, self.context.namespace[name])
            case ast.Call():
                return self._literal_call(node)
            case _:
                pass
        raise self.fault(
            node,
            "script/attribute",
            f"`{ast.unparse(node)[:40]}` is not a value that attributes can have",
            hint="numbers, strings, True, False, None and lists of those",
        )

    def _literal_call(self, node: ast.Call) -> Attr:
        """`T.bool(True)`, `T.int64(3)`, `float("inf")`."""
        name = self.dialect(node.func)
        if len(node.args) == 1 and not node.keywords:
            value = self.literal(node.args[0])
            if name is not None and name[2:] == "bool":
                return bool(value)
            if name is not None and (name[2:] in DTYPES or name in {"R.str", "R.dtype"}):
                return value
            if isinstance(node.func, ast.Name) and node.func.id == "float":
                return self._float(node, value)
        raise self.fault(
            node, "script/attribute", f"`{ast.unparse(node)[:40]}` is not an attribute value"
        )

    def _float(self, node: ast.expr, value: Attr) -> float:
        try:
            return float(value)  # pyright: ignore[reportArgumentType]
        except (TypeError, ValueError):
            raise self.fault(node, "script/attribute", f"`{value!r}` is not a number") from None

    def _namespace_literal(self, node: ast.expr, value: object) -> Attr:
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, tuple | list):
            items = cast("Sequence[object]", value)
            return tuple(self._namespace_literal(node, item) for item in items)
        raise self.fault(
            node, "script/attribute", f"a `{type(value).__name__}` cannot be an attribute"
        )

    def attr_dict(self, node: ast.Call) -> dict[str, Attr]:
        """The dictionary of `T.func_attr({...})` and its kin.

        Raises:
            CompileError: `script/attribute`.
        """
        if len(node.args) == 1 and isinstance(node.args[0], ast.Dict) and not node.keywords:
            return self.dictionary(node.args[0])
        raise self.fault(
            node, "script/attribute", f"`{_callee(node)}` takes a dictionary of attributes"
        )

    def dictionary(self, node: ast.expr) -> dict[str, Attr]:
        """A dictionary of attributes.

        Raises:
            CompileError: `script/attribute`.
        """
        if not isinstance(node, ast.Dict):
            raise self.fault(node, "script/attribute", "expected a dictionary of attributes")

        def item(key: ast.expr | None, value: ast.expr) -> tuple[str, Attr]:
            if key is None:
                raise self.fault(value, "script/attribute", "`**` is not part of scripts")
            return self.string(key), self.literal(value)

        pairs = zip(node.keys, node.values, strict=True)
        return dict(self.report.collect(functools.partial(item, k, v) for k, v in pairs))


def frozen(attrs: dict[str, Attr]) -> Attrs:
    """Attributes sorted by name."""
    return tuple(sorted(attrs.items()))


def _callee(node: ast.Call) -> str:
    return ast.unparse(node.func)
