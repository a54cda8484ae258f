"""Where modules came from: what a recipe starts with."""

from __future__ import annotations

import importlib
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from workbench.ir import IRModule, module_digest
from workbench.support import CompileError

KEPT = 64


@dataclass(frozen=True, slots=True)
class Source:
    """A module is what `load` gives for a path, or what `parse` gives for a text."""

    kind: Literal["path", "text"]
    value: str


_SOURCES: OrderedDict[str, Source] = OrderedDict()


def remember_source(module: IRModule, source: Source) -> IRModule:
    """Note where the module came from; gives it back."""
    digest = module_digest(module)
    _SOURCES[digest] = source
    _SOURCES.move_to_end(digest)
    while len(_SOURCES) > KEPT:
        _SOURCES.popitem(last=False)
    return module


def source_of(module: IRModule) -> Source | None:
    """Where the module came from, if somebody noted it."""
    return _SOURCES.get(module_digest(module))


def is_demo(path: Path) -> bool:
    """Whether a file is the network of the demo, which a package carries."""
    if path.suffix != ".onnx":
        return False
    try:
        return (
            path.resolve()
            == importlib.import_module("workbench.frontend.demo").magika_path().resolve()
        )
    except CompileError:
        return False
