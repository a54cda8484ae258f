"""Functions in a line, whatever a user's pass put into them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from workbench.ir.traverse import walk

MOST_NAMES = 6


def counted(number: int, what: str) -> str:
    """A number of things: `1 block`, `3 loops`."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def parameter_list(params: object) -> str:
    """The names of parameters: `(x, w)`; the first ones of many."""
    return f"({', '.join(_names(params))})"


def _names(params: object) -> Iterator[str]:
    given = cast("tuple[object, ...]", params if isinstance(params, tuple) else ())
    yield from (str(getattr(param, "name", "?")) for param in given[:MOST_NAMES])
    if len(given) > MOST_NAMES:
        yield "…"


def nodes_of(root: object, kind: type) -> int:
    """How many nodes of a class there are."""
    return sum(isinstance(node, kind) for node in walk(root))
