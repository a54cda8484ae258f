"""FoldConstant: compute what is known when compiling.

Rewrite::

    w = R.const("1f0c...", R.Tensor((3, 4), "float32"))
    lv0 = R.permute_dims(w)
    =>
    w = R.const("1f0c...", R.Tensor((3, 4), "float32"))
    lv0 = R.const("77ab...", R.Tensor((4, 3), "float32"))
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from typing_extensions import override

from workbench.analysis.calls import bindings_in
from workbench.analysis.uses import constant_values, is_constant
from workbench.ir import (
    Alias,
    Arg,
    Binding,
    CallOp,
    Constant,
    FloatImm,
    IntImm,
    IRModule,
    ScalarValue,
    ShapeValue,
    StringValue,
    TensorType,
    TupleValue,
    Var,
    find_operator,
)
from workbench.ir.numbers import element_bytes
from workbench.rewrite import ModuleEditor, Refusal, Rule, Site, note
from workbench.support import CompileError, NodeId
from workbench.support.limits import at_least


@dataclass(frozen=True)
class FoldConstant(Rule):
    """Replace operator calls on constants by their value, computed with the numpy reference.

    Values larger than `max_bytes` stay computed, and so do calls that fail.
    Reference: `relax.transform.FoldConstant`.
    """

    name: ClassVar[str] = "fold-constant"
    absent: ClassVar[str] = "no operator call has constant arguments only"
    max_bytes: int = at_least(0, default=1 << 26)

    @override
    def sites(self, module: IRModule) -> Iterator[Site | Refusal]:
        for name, function in module.graph_functions.items():
            known = dict(constant_values(function))
            for binding in bindings_in(function.blocks):
                found = self._judge(name, binding, known)
                if isinstance(found, Site):
                    known[binding.var.id] = Constant("", TensorType(()))
                if found is not None:
                    yield found

    def _judge(
        self, function: str, binding: Binding, known: dict[NodeId, Constant]
    ) -> Site | Refusal | None:
        call, var = binding.value, binding.var
        if not isinstance(call, CallOp) or find_operator(call.op) is None:
            return None
        if not call.args or not all(is_constant(arg, known) for arg in call.args):
            return None
        if not isinstance(var.type, TensorType) or not _static(var.type):
            return note(
                "fold/symbolic-shape", f"`{var.name}` has a symbolic shape", function, var.id
            )
        if _bytes(var.type) > self.max_bytes:
            return note(
                "fold/too-large",
                f"`{var.name}` would take {_bytes(var.type)} bytes",
                function,
                var.id,
            )
        return Site(function, (var.id,), f"`{call.op}` of constants")

    @override
    def rewrite(self, site: Site, editor: ModuleEditor) -> Refusal | None:
        node = site.nodes[0]
        try:
            value = _evaluate(node, site.function, editor)
        except CompileError as error:
            why = error.diagnostics[0].message
            return note("fold/fails", f"it fails when it runs: {why}", site.function, node)
        editor.replace_value(site.function, node, Alias(editor.add_constant(value)), self.name)
        return None


def _static(type_: TensorType) -> bool:
    return type_.shape is not None and all(isinstance(extent, int) for extent in type_.shape)


def _bytes(type_: TensorType) -> int:
    shape = [extent for extent in type_.shape or () if isinstance(extent, int)]
    return int(np.prod(shape)) * element_bytes(type_.dtype or "float32")


def _evaluate(value: NodeId, function: str, editor: ModuleEditor) -> np.ndarray:
    binding = editor.binding(function, value)
    assert binding is not None
    call = binding.value
    if isinstance(call, Alias):
        return _leaf(call.value, function, editor)
    assert isinstance(call, CallOp)
    operator = find_operator(call.op)
    assert operator is not None
    assert isinstance(binding.var.type, TensorType)
    values = [_leaf(arg, function, editor) for arg in call.args]
    return np.asarray(operator.reference(call, *values), dtype=binding.var.type.dtype)


def _leaf(arg: Arg, function: str, editor: ModuleEditor) -> Any:  # noqa: ANN401
    """What a numpy reference takes for a leaf."""
    match arg:
        case Var():
            return _evaluate(arg.id, function, editor)
        case Constant(digest=digest):
            return editor.array(digest)
        case ShapeValue(dims=dims):
            return dims
        case ScalarValue(value=value):
            assert isinstance(value, IntImm | FloatImm)
            return value.value
        case StringValue(text=text):
            return text
        case TupleValue(fields=fields):
            return tuple(_leaf(f, function, editor) for f in fields)
