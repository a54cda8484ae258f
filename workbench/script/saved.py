"""Modules in files: the script and the constants that it names, in one zip archive.

`module.py` is the script, `constants.json` says dtype and shape of each constant, and
`constants/<hash>` has its bytes, row-major and little-endian. The same module gives the same bytes.
"""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from workbench.ir import (
    Constant,
    ConstantPool,
    External,
    IRModule,
    content_digest,
    externals,
    walk,
)
from workbench.ir.dtypes import numpy_dtype
from workbench.ir.pool import Array
from workbench.script.parser import parse
from workbench.script.printer import print_module
from workbench.support.diagnostics import CompileError, Diagnostic

_SCRIPT, _INDEX, _FOLDER = "module.py", "constants.json", "constants/"
_MAGIC = b"PK\x03\x04"
_EPOCH = (1980, 1, 1, 0, 0, 0)


def save(module: IRModule, path: str | os.PathLike[str]) -> None:
    """Write a module with the constants that it uses; an existing file is replaced as a whole.

    Raises:
        CompileError: `script/missing-constant` if the pool lacks one of them, `save/bad-path` if
            no file can be written there, `save/no-source` for library functions without text.
    """
    arrays = used_constants(module)
    index = {
        digest: {"dtype": str(array.dtype), "shape": list(array.shape)}
        for digest, array in arrays.items()
    }
    target = Path(path)
    handle, temporary = _temporary(target)
    try:
        with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w") as archive:
            _write(archive, _SCRIPT, print_module(module).encode(), zipfile.ZIP_DEFLATED)
            _write(archive, _INDEX, json.dumps(index, indent=1).encode(), zipfile.ZIP_DEFLATED)
            for digest, array in arrays.items():
                _write(archive, _FOLDER + digest, array.tobytes(), zipfile.ZIP_STORED)
        Path(temporary).replace(target)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _temporary(target: Path) -> tuple[int, str]:
    """An open file beside `target`: one that is written halfway never has its name."""
    if target.is_dir():
        raise _bad_path(target, f"`{target}` is a folder", "give the file a name in it")
    if not target.parent.is_dir():
        raise _bad_path(target, f"there is no folder `{target.parent}`", "make the folder first")
    try:
        return tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else "") or str(error)
        raise _bad_path(
            target, f"no file can be written in the folder `{target.parent}`: {reason}", ""
        ) from None


def _bad_path(target: Path, why: str, hint: str) -> CompileError:
    message = f"the module cannot be saved as `{target.name}`: {why}"
    return CompileError(Diagnostic("save/bad-path", message, hint=hint))


def _write(archive: zipfile.ZipFile, name: str, data: bytes, method: int) -> None:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = method
    archive.writestr(entry, data)


def used_constants(module: IRModule) -> dict[str, Array]:
    """The arrays that the module's functions name, by content hash, in sorted order.

    Raises:
        CompileError: `script/missing-constant` if the pool lacks one of them.
    """
    digests: set[str] = set()
    for function in module.graph_functions.values():
        digests |= {node.digest for node in walk(function) if isinstance(node, Constant)}
    code = externals(module)
    digests |= {item.content for item in code if item.kind == "object"}
    _refuse_unsaveable(code)
    missing = sorted(digests - set(module.pool))
    if missing:
        raise CompileError(
            Diagnostic(
                "script/missing-constant",
                f"the pool lacks {len(missing)} of the module's constants",
                notes=(", ".join(f"`{digest}`" for digest in missing[:8]),),
            )
        )
    return {digest: module.pool[digest] for digest in sorted(digests)}


def _refuse_unsaveable(code: tuple[External, ...]) -> None:
    """Code that only this process has cannot be saved."""
    names = [f"`{item.symbol}`" for item in code if item.kind == "process"]
    if names:
        raise CompileError(
            Diagnostic(
                "save/no-source",
                f"{', '.join(names)} has no source text that could be saved with the module",
                hint="define it with `def`, without reading variables of a function around it",
            )
        )


def load_saved(path: str | os.PathLike[str]) -> IRModule:
    """The module in a file that `save` wrote.

    Raises:
        CompileError: `script/bad-file` if it is not such a file or damaged, else as `parse`.
        OSError: if it cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            text = archive.read(_SCRIPT).decode()
            index: Mapping[str, Any] = json.loads(archive.read(_INDEX))
            arrays = {digest: _array(archive, digest, index[digest]) for digest in index}
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, EOFError, zlib.error) as error:
        reason = str(error).strip("'\"") or type(error).__name__
        raise CompileError(
            Diagnostic(
                "script/bad-file",
                f"`{Path(path).name}` {_what_is_wrong(Path(path))}",
                notes=(reason,),
                hint="save the module again, or copy the file again",
            )
        ) from None
    like = IRModule(pool=ConstantPool(arrays))
    return parse(text, like=like, filename=Path(path).name)


def _what_is_wrong(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(len(_MAGIC))
    if not start:
        return "is empty: no saved module"
    if start != _MAGIC:
        return "is no saved module: it does not begin as one"
    if not zipfile.is_zipfile(path):
        return "is a saved module of which the end is missing"
    return "is a saved module that is damaged, or another archive"


def _array(archive: zipfile.ZipFile, digest: str, entry: Mapping[str, Any]) -> Array:
    data = archive.read(_FOLDER + digest)
    array: Array = np.frombuffer(data, numpy_dtype(entry["dtype"])).reshape(entry["shape"])
    if content_digest(array) != digest:
        msg = f"constant {digest} has other bytes than when it was saved"
        raise ValueError(msg)
    array.flags.writeable = False
    return array
