"""Types from Python syntax: tensors, buffers, shapes, tuples, scalars."""

from __future__ import annotations

import ast
import functools
from dataclasses import replace
from typing import ClassVar

from workbench.ir import (
    BufferType,
    ObjectType,
    ScalarType,
    ShapeType,
    TensorType,
    TupleType,
    Type,
    Var,
)
from workbench.ir.dtypes import DTYPES
from workbench.script.read_scalar import ScalarReader
from workbench.support.spelling import near

_BUFFER = (
    *("shape", "dtype", "strides", "scope", "data", "elem_offset", "align", "offset_factor"),
    *("buffer_type", "axis_separators", "layout", "annotations"),
)
_KEPT = {"shape", "dtype", "strides", "scope"}
_OBJECTS = {"R.Object", "R.Any", "I.StringType", "R.Callable"}


class TypeReader(ScalarReader):
    """Reads types."""

    type_names: ClassVar[tuple[str, ...]] = (
        "R.Tensor",
        "R.Shape",
        "R.Tuple",
        "R.Any",
        "R.Prim",
        "T.Buffer",
        *(f"T.{dtype}" for dtype in sorted(DTYPES)),
    )

    def type(self, node: ast.expr) -> Type:
        """A type of a graph function."""
        if isinstance(node, ast.Attribute) and node.attr in {"ty", "struct_info"}:
            return self._type_of(node)
        if isinstance(node, ast.Tuple | ast.List):
            return self._tuple(list(node.elts))
        call = node if isinstance(node, ast.Call) else None
        name = self.dialect(call.func if call is not None else node)
        if name in _OBJECTS:
            return ObjectType()
        if name is not None and name.startswith("T.") and name[2:] in DTYPES:
            return ScalarType(name[2:])
        match name:
            case "R.Tensor":
                return self.tensor(call) if call is not None else TensorType(None, None)
            case "R.Shape":
                return self._shape(call) if call is not None else ShapeType(None)
            case "R.Tuple":
                return self._tuple(call.args if call is not None else [])
            case "R.Prim" if call is not None:
                return self._prim(call)
            case _:
                raise self.no_type(node)

    def no_type(self, node: ast.expr) -> Exception:
        """The fault for something that is no type."""
        name = self.dialect(node.func if isinstance(node, ast.Call) else node)
        text = ast.unparse(node)[:40]
        return self.fault(
            node,
            "script/type-expected",
            f"expected a type, found `{text}`",
            hint=near(name or text, self.type_names),
        )

    def _type_of(self, node: ast.Attribute) -> Type:
        entry = self.lookup(node.value) if isinstance(node.value, ast.Name) else None
        if isinstance(entry, Var):
            return entry.type
        raise self.no_type(node)

    def _tuple(self, nodes: list[ast.expr]) -> TupleType:
        if len(nodes) == 1 and isinstance(nodes[0], ast.List | ast.Tuple):
            nodes = nodes[0].elts
        return TupleType(
            tuple(self.report.collect(functools.partial(self.type, item) for item in nodes))
        )

    def tensor(self, node: ast.Call) -> TensorType:
        """`R.Tensor(shape, dtype=, ndim=)`."""
        shape, dtype, _device, ndim = self.arguments(node, ("shape", "dtype", "vdevice", "ndim"))
        if isinstance(shape, ast.Constant) and isinstance(shape.value, str) and dtype is None:
            shape, dtype = None, shape
        if isinstance(shape, ast.Constant) and shape.value is None:
            shape = None
        return TensorType(
            self.extents(shape) if shape is not None else None,
            self.dtype(dtype) if dtype is not None else None,
            self.integer(ndim) if ndim is not None else None,
        )

    def _shape(self, node: ast.Call) -> ShapeType:
        dims, ndim = self.arguments(node, ("dims", "ndim"))
        return ShapeType(
            self.dims(dims) if dims is not None else None,
            self.integer(ndim) if ndim is not None else None,
        )

    def _prim(self, node: ast.Call) -> ScalarType:
        dtype, _value = self.arguments(node, ("dtype", "value"))
        return ScalarType(self.dtype(dtype) if dtype is not None else "int64")

    # --- buffers ----------------------------------------------------------------------------

    def buffer_type(self, node: ast.expr) -> BufferType:
        """`T.Buffer(shape, dtype)`, or `T.Buffer[shape, dtype]` of 2022."""
        if isinstance(node, ast.Call):
            return self.buffer_arguments(node, node.args)
        if isinstance(node, ast.Subscript):
            parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            if len(parts) == 2 and not _is_number(parts[1]):
                return BufferType(self.extents(parts[0]), self.dtype(parts[1]))
            return BufferType(self.extents(node.slice))
        raise self.no_type(node)

    def buffer_arguments(self, node: ast.Call, args: list[ast.expr]) -> BufferType:
        """The arguments that every constructor of buffers takes; `args` are the positional ones.

        Raises:
            CompileError: `script/not-supported`.
        """
        call = ast.copy_location(ast.Call(node.func, args, node.keywords), node)
        given = dict(zip(_BUFFER, self.arguments(call, _BUFFER, required=1), strict=True))
        for name, value in given.items():
            if name not in _KEPT and value is not None and not _is_default(name, value):
                raise self.fault(
                    value,
                    "script/not-supported",
                    f"`{name}=` of a buffer is not supported: buffers are row-major from their "
                    "first element unless they have strides",
                )
        shape, dtype = given["shape"], given["dtype"]
        assert shape is not None
        type_ = BufferType(
            self.extents(shape), self.dtype(dtype) if dtype is not None else "float32"
        )
        if (strides := given["strides"]) is not None:
            type_ = replace(type_, strides=self.dims(strides))
        if (scope := given["scope"]) is not None:
            type_ = replace(type_, scope=self.string(scope) or "global")
        return type_


def _is_number(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int)


def _is_default(name: str, node: ast.expr) -> bool:
    """Whether an argument that the IR has no place for says nothing new."""
    if name == "annotations":
        return True
    if isinstance(node, ast.Constant):
        return node.value in (None, "", "default") or (
            name in {"offset_factor", "align", "elem_offset"}
            and isinstance(node.value, int)
            and (name != "elem_offset" or node.value == 0)
        )
    return isinstance(node, ast.List | ast.Tuple) and not node.elts
