"""Parameters and result types of graph functions."""

from __future__ import annotations

import ast

from workbench.ir import Type, Var
from workbench.ir.dtypes import DTYPES
from workbench.script.read_values import ValueReader
from workbench.script.scope import LOST


class SignatureReader(ValueReader):
    """Reads the first line of a graph function."""

    def parameters(self, node: ast.FunctionDef) -> tuple[Var, ...]:
        """The parameters; a faulty one is reported and has no value.

        Raises:
            CompileError: `script/missing-type`.
        """
        params: list[Var] = []
        if node.args.vararg or node.args.kwarg or node.args.kwonlyargs or node.args.defaults:
            self.fault(node, "script/signature", "parameters are plain, without defaults or `*`")
        self._scalar_parameters(node)
        for argument in node.args.args:
            entry = self.scope.get(argument.arg)
            if isinstance(entry, Var):
                params.append(entry)
                continue
            try:
                var = Var(self.ids.new(), argument.arg, self._parameter_type(argument))
            except self.Faulty:
                self.scope.set(argument.arg, LOST)
                continue
            params.append(var)
            self.scope.set(argument.arg, var)
        return tuple(params)

    def _scalar_parameters(self, node: ast.FunctionDef) -> None:
        """Scalars come into scope first: shapes of other parameters may use them."""
        for argument in node.args.args:
            note = argument.annotation
            name = self.dialect(note.func if isinstance(note, ast.Call) else note) if note else None
            if note is not None and name and (name == "R.Prim" or name[2:] in DTYPES):
                try:
                    type_ = self.type(note)
                except self.Faulty:
                    self.scope.set(argument.arg, LOST)
                    continue
                self.scope.set(argument.arg, Var(self.ids.new(), argument.arg, type_))

    def _parameter_type(self, argument: ast.arg) -> Type:
        if argument.annotation is None:
            raise self.fault(
                argument,
                "script/missing-type",
                f"parameter `{argument.arg}` has no type",
                hint=f'`{argument.arg}: R.Tensor((n, m), dtype="float32")`',
            )
        if self.scope.get(argument.arg) == LOST:
            raise self.lost()
        return self.type(argument.annotation)

    def declared_result(self, node: ast.FunctionDef) -> Type | None:
        """The written result type, None if there is none."""
        if node.returns is None:
            return None
        try:
            return self.type(node.returns)
        except self.Faulty:
            return None
