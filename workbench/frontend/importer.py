"""ONNX models as modules: one graph function `main` of operators.

Reference: `tvm.relax.frontend.onnx`; the ONNX operator specification.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from workbench.frontend import convert_arithmetic, convert_nn, convert_reduce, convert_shape
from workbench.frontend.fold import fold
from workbench.frontend.names import ShortNames
from workbench.frontend.node import (
    CONVERTERS,
    Node,
    Value,
    attribute_values,
    known_attributes,
    unknown_attributes,
)
from workbench.frontend.reader import (
    bad_file,
    dtype_name,
    operator_set,
    read_model,
    tensor_array,
)
from workbench.frontend.shapes import Symbolic
from workbench.ir import (
    CallOp,
    Dim,
    GraphBuilder,
    GraphExpr,
    IRModule,
    ShapeValue,
    TensorType,
    TupleValue,
    Var,
)
from workbench.support import CompileError, Diagnostic, Span
from workbench.support.spelling import near_value

FAMILIES = (convert_arithmetic, convert_nn, convert_reduce, convert_shape)
"""The modules whose converters register themselves."""
DOMAINS = frozenset({"", "ai.onnx"})


def load(model: str | Path | onnx.ModelProto) -> IRModule:
    """An ONNX model as a module with one graph function, `main`.

    Each binding has the node it came from as its span. Dimensions without a number become symbolic
    and are shared by name; arithmetic on shapes is evaluated while importing. Weights become
    constants of the pool, bound under their names.

    Raises:
        CompileError: `onnx/bad-file`, `onnx/unsupported-operator` (all of them),
            `onnx/unknown-opset`, `onnx/unknown-attribute`, `onnx/unsupported-dtype`,
            `onnx/dynamic-shape`, `onnx/dynamic-argument`, or what a type
            rule says; each names node and operator.

    Reference: `tvm.relax.frontend.onnx.from_onnx`.
    """
    proto, source = read_model(model)
    return _Importer(proto, source).run()


class _Importer:
    """Walks the nodes of one graph in order."""

    def __init__(self, proto: onnx.ModelProto, source: str) -> None:
        self.graph, self.source = proto.graph, source
        self.opset = operator_set(proto, source, DOMAINS)
        self.names = ShortNames(_all_names(proto.graph))
        self.builder = GraphBuilder()
        self.values: dict[str, Value] = {}
        self.symbols: dict[str, Var] = {}
        self.bound: dict[str, Var] = {}

    def run(self) -> IRModule:
        self._check_operators()
        for tensor in self.graph.initializer:
            self.values[tensor.name] = tensor_array(tensor, self.source)
        for value in self.graph.input:
            if value.name not in self.values:
                self.values[value.name] = self._parameter(value)
        for proto in self.graph.node:
            self._convert(proto)
        results = [self._output(value) for value in self.graph.output]
        result = results[0] if len(results) == 1 else TupleValue(tuple(results))
        module = self.builder.module.with_function("main", self.builder.build(result))
        return replace(module, name=_module_name(self.source))

    def _check_operators(self) -> None:
        missing = [
            node
            for node in self.graph.node
            if node.domain not in DOMAINS or node.op_type not in CONVERTERS
        ]
        if missing:
            raise CompileError(
                Diagnostic(
                    "onnx/unsupported-operator",
                    f"operator `{_qualified(node)}` of node `{_label(node)}` is not supported",
                    span=Span(self.source, label=_label(node), kind=node.op_type),
                )
                for node in missing
            )
        unknown = [(n, name) for n in self.graph.node for name in unknown_attributes(n)]
        if unknown:
            raise CompileError(
                Diagnostic(
                    "onnx/unknown-attribute",
                    f"`{node.op_type}` (node `{_label(node)}`) has no attribute `{name}`",
                    span=Span(self.source, label=_label(node), kind=node.op_type),
                    hint=near_value(name, known_attributes(node.op_type)),
                )
                for node, name in unknown
            )

    # --- inputs and outputs -------------------------------------------------------------------

    def _parameter(self, value: onnx.ValueInfoProto) -> Var:
        if not value.type.HasField("tensor_type"):
            message = f"input `{value.name}` is no tensor"
            raise CompileError(Diagnostic("onnx/unsupported-dtype", message))
        tensor = value.type.tensor_type
        dtype = dtype_name(tensor.elem_type, f"input `{value.name}`")
        if not tensor.HasField("shape"):
            message = f"input `{value.name}` does not say how many dimensions it has"
            raise CompileError(Diagnostic("onnx/dynamic-shape", message))
        dims = tuple(self._dim(dim) for dim in tensor.shape.dim)
        return self.builder.param(self.names.value(value.name), TensorType(dims, dtype))

    def _dim(self, dim: onnx.TensorShapeProto.Dimension) -> Dim:
        if dim.HasField("dim_value") and dim.dim_value >= 0:
            return dim.dim_value
        name = dim.dim_param
        if not name:
            return self.builder.symbol(self.names.symbol(""))
        if name not in self.symbols:
            self.symbols[name] = self.builder.symbol(self.names.symbol(name))
        return self.symbols[name]

    def _output(self, value: onnx.ValueInfoProto) -> Var:
        found = self._lookup(value.name, "the outputs")
        span = Span(self.source, label=value.name, kind="Output")
        return found if isinstance(found, Var) else self.materialize(found, value.name, span)

    def _lookup(self, name: str, where: str) -> Value:
        if name not in self.values:
            raise bad_file(self.source, f"uses `{name}` in {where}, which nothing computes")
        return self.values[name]

    # --- nodes --------------------------------------------------------------------------------

    def _convert(self, proto: onnx.NodeProto) -> None:
        label = _label(proto)
        inputs = tuple(
            self._lookup(name, f"node `{label}`") if name else None for name in proto.input
        )
        first = next((name for name in proto.output if name), label)
        span = Span(self.source, label=label, kind=proto.op_type)
        attributes = attribute_values(proto, self.source)
        node = Node(proto, inputs, attributes, self.opset, first, span, self)
        folded = fold(node)
        try:
            found = folded if folded is not None else CONVERTERS[proto.op_type](node)
        except CompileError as error:
            raise _located(error, node) from None
        outputs = found if isinstance(found, tuple) else (found,)
        for name, value in zip(proto.output, outputs, strict=False):
            self.values[name] = value
        lost = [name for name in list(proto.output)[len(outputs) :] if name and self._is_used(name)]
        if lost:
            raise node.error(
                "onnx/unsupported-output", f"has the output `{lost[0]}`, which is used"
            )

    def _is_used(self, name: str) -> bool:
        users = (user for node in self.graph.node for user in node.input)
        return name in users or any(value.name == name for value in self.graph.output)

    def bind(self, expr: GraphExpr, name: str, span: Span) -> Var:
        """A new binding with a short name."""
        return self.builder.emit(expr, self.names.value(name), span=span)

    def materialize(self, value: Value, name: str, span: Span) -> Var:
        """Bind a constant where it is first used; dimensions become a tensor at run time."""
        if isinstance(value, Var):
            return value
        if name not in self.bound:
            if isinstance(value, Symbolic):
                self.bound[name] = self._dimensions(value, name, span)
            else:
                self.bound[name] = self._constant(value, name)
        return self.bound[name]

    def _constant(self, array: NDArray[Any], name: str) -> Var:
        span = Span(self.source, label=name, kind="Constant")
        return self.builder.constant(np.asarray(array), self.names.value(name), span)

    def _dimensions(self, value: Symbolic, name: str, span: Span) -> Var:
        result = self.bind(CallOp("shape_to_tensor", (ShapeValue(value.dims),)), name, span)
        if value.elements.ndim == 0:
            result = self.bind(CallOp("reshape", (result, ShapeValue(()))), name, span)
        if value.dtype != "int64":
            call = CallOp("astype", (result,), (("dtype", value.dtype),))
            result = self.bind(call, name, span)
        return result


def _located(error: CompileError, node: Node) -> CompileError:
    """The same faults, with the node of the model that they are about."""
    return CompileError(
        d
        if d.span is not None
        else replace(d, message=f"{node.described}: {d.message}", span=node.span, function="main")
        for d in error.diagnostics
    )


def _label(node: onnx.NodeProto) -> str:
    return node.name or next((name for name in node.output if name), node.op_type)


def _qualified(node: onnx.NodeProto) -> str:
    return node.op_type if node.domain in DOMAINS else f"{node.domain}.{node.op_type}"


def _module_name(source: str) -> str:
    stem = Path(source).stem
    return stem if stem.isidentifier() else "Module"


def _all_names(graph: onnx.GraphProto) -> Iterable[str]:
    yield from (tensor.name for tensor in graph.initializer)
    yield from (value.name for value in graph.input)
    yield from (name for node in graph.node for name in node.output if name)
