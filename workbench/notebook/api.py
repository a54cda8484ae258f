"""The public functions: load, parse, save, open."""

from __future__ import annotations

import importlib
import zipfile
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import workbench.view.module_views as _views
from workbench import ops, script
from workbench.ir import IRModule, module_digest
from workbench.notebook import displays
from workbench.notebook.kernel import attach
from workbench.session import Session, Source, remember_source
from workbench.session.adapters import adapter_for
from workbench.session.session import module_name
from workbench.support import CompileError, Diagnostic
from workbench.support.found import found
from workbench.support.kinds import checks_kinds, module_hint

REGISTERED = (ops, _views, displays)
"""Imported for what they register: operators, views of modules, displays of sessions."""

SUFFIXES = frozenset({".onnx", ".py", ".wb"})
"""Endings of files that `load` reads, for hints."""


@checks_kinds
def load(source: Any, digest: str = "") -> IRModule:  # noqa: ANN401
    """A module from an ONNX file, a `onnx.ModelProto`, a script file, or a file that `save` wrote.

    `digest` is that of the module that is expected, as recipes note it.

    Raises:
        CompileError: `load/no-file`, `load/other-module`, `onnx/...` naming node and operator,
            `script/...` for a damaged file or a faulty script.
    """
    module = _load(source, "load")
    if digest and module_digest(module) != digest:
        raise CompileError(
            Diagnostic(
                "load/other-module",
                f"expected the module `{digest}`, and {found(source)} holds "
                f"`{module_digest(module)}`",
                hint="the file is another, or of another version, than the recipe was made with",
            )
        )
    return module


def _load(source: Any, caller: str) -> IRModule:  # noqa: ANN401
    if not isinstance(source, str | PathLike):
        if not (hasattr(source, "SerializeToString") and hasattr(source, "graph")):
            takes = "a path or an `onnx.ModelProto`"
            takes = takes if caller == "load" else f"a module, {takes}"
            message = f"`{caller}` takes {takes}, got {found(source)}"
            raise CompileError(Diagnostic("call/wrong-kind", message, hint=_meant(source, caller)))
        return _load_onnx(source)
    path = _path(source, caller)
    module = _read(path)
    return remember_source(module, Source("path", str(path)))


def _meant(source: Any, caller: str) -> str:  # noqa: ANN401
    """What somebody may have meant who gave something that is no model."""
    if hasattr(source, "SerializeToString"):
        return "give the whole `onnx.ModelProto`, or make one: `onnx.helper.make_model(graph)`"
    return module_hint(source, IRModule) if caller == "open" else ""


def _path(source: Any, caller: str) -> Path:  # noqa: ANN401
    """The path of a file that is there."""
    path = Path(source)
    if "\n" in str(path):
        call = f"wb.{caller}(wb.parse(text))" if caller == "open" else "wb.parse(text)"
        message = f"`{caller}` takes a path, and this is a script"
        raise CompileError(Diagnostic("load/no-file", message, hint=f"write `{call}`"))
    try:
        there = path.is_file()
    except OSError as error:
        message = f"`{path}` cannot be the path of a file: {error.strerror}"
        raise CompileError(Diagnostic("load/no-file", message)) from error
    if not there:
        raise CompileError(_no_file(path))
    return path


def _no_file(path: Path) -> Diagnostic:
    if not path.is_dir():
        return Diagnostic("load/no-file", f"there is no file `{path}`")
    names = sorted(item.name for item in path.iterdir() if item.suffix in SUFFIXES)
    return Diagnostic(
        "load/no-file",
        f"`{path}` is a folder, and a file was expected",
        hint=f"name a file in it: {', '.join(f'`{name}`' for name in names[:6])}" if names else "",
    )


def _read(path: Path) -> IRModule:
    if path.suffix == ".py":
        return script.parse(path.read_text(encoding="utf-8"), filename=str(path))
    saved = path.suffix == ".wb" or zipfile.is_zipfile(path)
    return script.load_saved(path) if saved else _load_onnx(path)


def _load_onnx(source: Any) -> IRModule:  # noqa: ANN401
    """The ONNX library is slow to load: only where it is needed."""
    return importlib.import_module("workbench.frontend").load(source)


@checks_kinds
def parse(
    text: str,
    *,
    like: IRModule | None = None,
    namespace: Mapping[str, object] | None = None,
    filename: str = "<script>",
) -> IRModule:
    """The module that a script describes.

    `like` is a module whose constants the script may name and whose ids it keeps; `namespace`
    has Python values that shapes, dtypes and attributes may name.

    Raises:
        CompileError: all faults of the script, each with line and caret.
    """
    if "\n" not in text and Path(text).suffix in SUFFIXES:
        message = f"`parse` takes the text of a script, and `{text}` is a path"
        hint = f'`wb.load("{text}")` reads a file'
        raise CompileError(Diagnostic("call/wrong-kind", message, hint=hint))
    module = script.parse(text, like=like, namespace=namespace, filename=filename)
    if like is None and not namespace:
        remember_source(module, Source("text", text))
    return module


@checks_kinds
def save(module: IRModule, path: str | PathLike[str]) -> None:
    """Write a module with its constants into one file, which `load` reads.

    Raises:
        CompileError: `save/bad-path` where no file can be written, `script/missing-constant`.
    """
    script.save(module, Path(path))
    remember_source(module, Source("path", str(path)))


@checks_kinds
def open_session(source: Any, name: str = "") -> Session:  # noqa: ANN401
    """A session on a module or whatever `load` takes; as the last line of a cell a live picture.

    Raises:
        CompileError: as `load`; what the verifier finds.
    """
    if isinstance(source, IRModule):
        return attach(Session(source, name))
    if not isinstance(source, str | PathLike):
        return attach(Session(_load(source, "open"), name))
    path = _path(source, "open")
    return attach(Session(load(path), name or module_name(path), adapter_for(path)))
