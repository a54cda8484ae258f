"""Names in scripts: variables, Python values, symbolic dimensions."""

from __future__ import annotations

import ast
from typing import TypeVar

from workbench.ir import ScalarType, Var
from workbench.script.context import Context, Reader
from workbench.script.scope import Handle, Hidden, Lost, ModuleName
from workbench.support.spelling import near


class NameReader(Reader):
    """Knows what names stand for."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.implicit_symbols = False
        """Whether an unknown name is a new symbolic dimension, as in the strings of a signature."""

    def lookup(self, node: ast.Name) -> object:
        """The variable or Python value that a name stands for.

        Raises:
            CompileError: `script/undefined`.
        """
        name = node.id
        entry = self.scope.get(name)
        if isinstance(entry, Var):
            return entry
        if entry is not None:
            raise self._no_value(node, entry)
        if name in self.context.namespace and not self._is_symbol(name):
            return self.context.namespace[name]
        if self.implicit_symbols or self._is_symbol(name):
            return self.symbol(name)
        raise self.fault(
            node,
            "script/undefined",
            f"`{name}` is not defined here",
            hint=near(name, (*self.scope.names(), *self.public_names())),
        )

    def _is_symbol(self, name: str) -> bool:
        """A variable of another function counts as its name only: ids are local to a function."""
        value = self.context.namespace.get(name)
        foreign = isinstance(value, Var) and isinstance(value.type, ScalarType)
        return name in self.context.symbols or foreign or isinstance(value, TypeVar)

    def _no_value(self, node: ast.Name, entry: object) -> Exception:
        match entry:
            case Lost():
                return self.lost()
            case Hidden():
                return self.fault(
                    node,
                    "script/not-output",
                    f"`{node.id}` is local to its dataflow block",
                    hint=f"add it to that block's `R.output(...)`: `R.output(..., {node.id})`",
                )
            case Handle():
                return self.fault(
                    node,
                    "script/type",
                    f"`{node.id}` is a handle",
                    hint=f"`X = T.match_buffer({node.id}, shape, dtype)` gives it a buffer",
                )
            case ModuleName():
                return self.fault(node, "script/type", f"`{node.id}` is the module, not a value")
            case _:
                return self.fault(node, "script/type", f"`{node.id}` has no value here")

    def symbol(self, name: str) -> Var:
        """A new symbolic dimension, known by `name` from here on."""
        var = Var(self.ids.new(), name, ScalarType())
        self.scope.set(name, var)
        return var
