"""Code that is not ours: arrays of other libraries, read where they are, and what it raises."""

from __future__ import annotations

import importlib
from typing import Any

import ml_dtypes
import numpy as np

from workbench.support.diagnostics import CompileError, Diagnostic
from workbench.support.masked import unmasked


def as_array(value: Any) -> Any:  # noqa: ANN401
    """A foreign array through DLPack without a copy; everything else as it is.

    Raises:
        CompileError: `run/foreign-array` where it is in no memory that numpy can read,
            `call/masked-array`.
    """
    if isinstance(value, np.ndarray) or not hasattr(value, "__dlpack__"):
        return unmasked(value)
    try:
        value = _resolved(value)
        if str(getattr(value, "dtype", "")) == "torch.bfloat16":  # DLPack's, but not numpy's
            bits = importlib.import_module("torch").uint16
            return np.from_dlpack(value.detach().view(bits)).view(ml_dtypes.bfloat16)
        return np.from_dlpack(value)
    except (BufferError, RuntimeError, TypeError) as error:
        learns = bool(getattr(value, "requires_grad", False))
        raise CompileError(
            Diagnostic(
                "run/foreign-array",
                f"a `{type(value).__name__}` cannot be read through DLPack: {error}",
                hint="give its `detach()`: no gradient comes back from here"
                if learns
                else "copy it into dense memory of this machine first: `cpu()`, `to_dense()`",
            )
        ) from error


def _resolved(value: Any) -> Any:  # noqa: ANN401
    """A tensor of torch with the signs in its memory: a lazily negated one has them in a flag."""
    negated = getattr(value, "is_neg", None)
    return value.resolve_neg() if callable(negated) and negated() else value


def foreign_fault(code: str, what: str, error: BaseException) -> CompileError:
    """What `what`, a function of numpy or of a library, raised; `code` unless memory is short."""
    text = str(error).split("\n")[0][:300]
    if isinstance(error, MemoryError):
        message = f"{what} needs more memory than there is"
        return CompileError(Diagnostic("run/out-of-memory", message, notes=(text,) if text else ()))
    said = f": {text}" if text else ""
    return CompileError(Diagnostic(code, f"{what} raised `{type(error).__name__}`{said}"))
