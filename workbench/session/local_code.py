"""Local code: what a module calls that only this process has, as functions of a notebook."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

from workbench.ir import CallOp, CallPacked, IRModule, find_operator, library_of, walk

PACKAGE = "workbench."


def local_code(module: IRModule) -> tuple[str, ...]:
    """Where the code of libraries and operators that the module calls is not ours, in words.

    Another process knows what the package registers, and nothing else.
    """
    found: dict[str, None] = {}
    for function in module.graph_functions.values():
        for node in walk(function):
            for name, code in _called(module, node):
                if not _home(code).startswith(PACKAGE):
                    found[_description(name, code)] = None
    return tuple(found)


def _called(module: IRModule, node: object) -> Iterator[tuple[str, Callable[..., Any]]]:
    match node:
        case CallPacked(symbol=symbol):
            library = library_of(module, symbol)
            if library is not None:
                yield symbol, library.function
        case CallOp(op=op):
            known = find_operator(op)
            if known is not None:
                parts = (known.infer, known.reference, known.legalize)
                yield from ((op, part) for part in parts if part is not None)
        case _:
            return


def _home(code: Callable[..., Any]) -> str:
    while isinstance(code, functools.partial):
        code = code.func
    return getattr(code, "__module__", None) or ""


def _description(name: str, code: Callable[..., Any]) -> str:
    own = getattr(code, "__name__", name)
    shown = name if own == "<lambda>" else own
    where = "is defined in this notebook" if _home(code) == "__main__" else "is registered here"
    return f"`{shown}` {where}"
