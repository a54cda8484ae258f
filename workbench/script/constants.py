"""Constants of a script: literals, closure arrays, pool entries by digest, TVM's metadata."""

from __future__ import annotations

import ast
import base64
import binascii
import json
import re
import struct
from typing import Any

import numpy as np

from workbench.ir import Constant, ConstantPool, TensorType
from workbench.ir.dtypes import numpy_dtype
from workbench.ir.pool import Array
from workbench.support.masked import unmasked

_DIGEST = re.compile(r"[0-9a-f]{16}")
_TENSOR_MAGIC = 0xDD5E40F096B4A13F
_HEADER = struct.Struct("<QQiiiBBH")
_KINDS = {0: "int", 1: "uint", 2: "float", 4: "bfloat", 6: "bool"}


class Constants:
    """The pool while a script is read."""

    def __init__(self, pool: ConstantPool) -> None:
        self.pool = pool
        self.metadata: list[Array] | None = None
        """Arrays of `metadata["ir.GenericConst"]`, None where the script has none."""

    def add(self, array: Array) -> Constant:
        """Put an array into the pool."""
        digest, self.pool = self.pool.with_array(array)
        return Constant(digest, TensorType(tuple(array.shape), str(array.dtype)))

    def has(self, digest: str) -> bool:
        """Whether the pool has the array."""
        return digest in self.pool


def is_digest(text: str) -> bool:
    """Whether a string has the form of a content hash."""
    return _DIGEST.fullmatch(text) is not None


def as_array(value: object, dtype: str | None) -> Array | None:
    """A Python or numpy value as an array of `dtype`, None if it is none.

    Raises:
        CompileError: `call/masked-array`.
    """
    if not isinstance(value, bool | int | float | list | tuple | np.ndarray | np.generic):
        return None
    try:
        array: Array = np.asarray(unmasked(value))
        if dtype is None and array.dtype == np.float64 and not isinstance(value, np.ndarray):
            dtype = "float32"
        return array.astype(numpy_dtype(dtype)) if dtype is not None else array
    except (TypeError, ValueError, OverflowError):
        return None


def metadata_text(node: ast.stmt) -> str | None:
    """The JSON of `metadata = tvm.ir.load_json(...)`."""
    match node:
        case ast.Assign(
            targets=[ast.Name(id="metadata")],
            value=ast.Call(args=[ast.Constant(value=str() as text)]),
        ):
            return text
        case _:
            return None


def metadata_arrays(text: str) -> list[Array]:
    """The tensors of TVM's metadata, in the order of their numbers.

    Raises:
        ValueError: if the text is not what TVM writes.
    """
    nodes: list[Any] = json.loads(text)["nodes"]
    try:
        root: list[int] = nodes[json.loads(text)["root_index"]]["data"]
        pairs = dict(zip(root[::2], root[1::2], strict=True))
        listed = next(v for k, v in pairs.items() if nodes[k]["data"] == "ir.GenericConst")
        return [_tensor(nodes[nodes[i]["data"]["value"]]["data"]) for i in nodes[listed]["data"]]
    except (KeyError, IndexError, TypeError, StopIteration, struct.error, binascii.Error) as error:
        msg = "no tensors of TVM in the metadata"
        raise ValueError(msg) from error


def _tensor(text: str) -> Array:
    """One array in TVM's binary form. Reference: `tvm::ffi` `SaveDLTensor`."""
    data = base64.b64decode(text)
    magic, _, _, _, ndim, kind, bits, lanes = _HEADER.unpack_from(data)
    if magic != _TENSOR_MAGIC or lanes != 1 or kind not in _KINDS:
        msg = "not a tensor of TVM"
        raise ValueError(msg)
    shape = struct.unpack_from(f"<{ndim}q", data, _HEADER.size)
    start = _HEADER.size + 8 * ndim + 8
    dtype = "bool" if _KINDS[kind] == "bool" else f"{_KINDS[kind]}{bits}"
    return np.frombuffer(data[start:], numpy_dtype(dtype)).reshape(shape)
