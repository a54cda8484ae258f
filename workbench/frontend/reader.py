"""Reading ONNX files: bytes to a model that is whole, or a diagnostic."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from workbench.support import CompileError, Diagnostic

SUPPORTED_DTYPES = frozenset(
    {"bool", "float16", "bfloat16", "float32", "float64"}
    | {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
)


def read_model(model: str | Path | onnx.ModelProto) -> tuple[onnx.ModelProto, str]:
    """The model and the name that diagnostics and spans give it.

    Raises:
        CompileError: `onnx/bad-file`.
    """
    if isinstance(model, onnx.ModelProto):
        _check_whole(model, model.graph.name or "model")
        return model, model.graph.name or "model"
    path = Path(model)
    try:
        proto = onnx.load(str(path))  # pyright: ignore[reportUnknownMemberType]
    except OSError as error:
        raise bad_file(path.name, f"cannot be read: {error.strerror or error}") from None
    except (DecodeError, onnx.checker.ValidationError, ValueError) as error:
        raise bad_file(path.name, f"is no whole ONNX model: {_first_line(error)}") from None
    _check_whole(proto, path.name)
    return proto, path.name


def bad_file(name: str, what: str) -> CompileError:
    """The error for a file that is no model."""
    hint = "the file may have been cut off while it was copied or downloaded"
    return CompileError(Diagnostic("onnx/bad-file", f"`{name}` {what}", hint=hint))


def _first_line(error: Exception) -> str:
    return (str(error).strip().split("\n") or [""])[0][:200] or type(error).__name__


def _check_whole(proto: onnx.ModelProto, name: str) -> None:
    """What a file that was cut at the border of a field lacks."""
    if not proto.ByteSize():
        raise bad_file(name, "is empty")
    if not proto.opset_import:
        raise bad_file(name, "names no operator set")
    if not proto.graph.output:
        raise bad_file(name, "has no outputs")


def operator_set(proto: onnx.ModelProto, name: str, domains: Collection[str]) -> int:
    """The version of the operator set of ONNX that a model is written for.

    Raises:
        CompileError: `onnx/unknown-opset`.
    """
    found = max((i.version for i in proto.opset_import if i.domain in domains), default=0)
    newest = onnx.defs.onnx_opset_version()
    if found > newest or (found < 1 and any(node.domain in domains for node in proto.graph.node)):
        message = (
            f"`{name}` is written for operator set `{found}`, and those from 1 to {newest} exist"
        )
        hint = "" if found < 1 else "a newer `onnx` package may know it"
        raise CompileError(Diagnostic("onnx/unknown-opset", message, hint=hint))
    return found


def tensor_array(tensor: onnx.TensorProto, source: str) -> NDArray[Any]:
    """The elements of a tensor of the file.

    Raises:
        CompileError: `onnx/bad-file`, `onnx/unsupported-dtype`.
    """
    dtype_name(tensor.data_type, f"tensor `{tensor.name}`")
    try:
        return np.asarray(onnx.numpy_helper.to_array(tensor))
    except (ValueError, TypeError, KeyError) as error:
        what = f"has a broken tensor `{tensor.name}`: {_first_line(error)}"
        raise bad_file(source, what) from None


def dtype_name(code: int, what: str) -> str:
    """The dtype of an ONNX element type.

    Raises:
        CompileError: `onnx/unsupported-dtype`.
    """
    names = dict(
        zip(onnx.TensorProto.DataType.values(), onnx.TensorProto.DataType.keys(), strict=True)
    )
    spelled = names.get(code, str(code)).lower()
    name = {"float": "float32", "double": "float64"}.get(spelled, spelled)
    if name not in SUPPORTED_DTYPES:
        raise CompileError(
            Diagnostic("onnx/unsupported-dtype", f"{what} has the element type `{spelled}`")
        )
    return name
