"""Adapters: what `run` does with files for models that read files."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

import numpy as np

from workbench.session.session import Adapter
from workbench.session.sources import is_demo
from workbench.support import CompileError, Diagnostic


def _demo() -> Any:  # noqa: ANN401
    """The demo's code, loaded on first use: the ONNX library is slow to load."""
    return importlib.import_module("workbench.frontend.demo")


def adapter_for(path: Path) -> Adapter | None:
    """The adapter for the model at `path`; None for a model that takes arrays only."""
    return Adapter(magika_inputs, magika_types) if is_demo(path) else None


def magika_inputs(items: Any) -> tuple[Any, ...]:  # noqa: ANN401
    """One row of features for each file: `(n, 2048) int32`.

    Args:
        items: one or several paths, or contents as bytes.

    Raises:
        CompileError: `session/no-file`.
    """
    several: list[Any] = [items] if isinstance(items, str | bytes | os.PathLike) else [*items]
    rows = [_demo().magika_features(_contents(item)) for item in several]
    return (np.concatenate(rows),)


def magika_types(outputs: Any) -> list[str]:  # noqa: ANN401
    """The file type of each row of scores."""
    scores = np.asarray(outputs)
    labels = _demo().magika_labels()
    return [labels[int(index)] for index in np.argmax(scores, axis=1)]


def _contents(item: Any) -> bytes:  # noqa: ANN401
    if isinstance(item, bytes | bytearray):
        return bytes(item)
    try:
        return Path(item).read_bytes()
    except (OSError, TypeError) as error:
        raise CompileError(
            Diagnostic("session/no-file", f"`{item}` cannot be read: {error}")
        ) from error
