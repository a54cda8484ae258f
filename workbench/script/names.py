"""Names in scripts: valid identifiers, unique where they are visible, always the same."""

from __future__ import annotations

import keyword
import re

from workbench.ir import Var
from workbench.support.ids import NodeId

RESERVED = frozenset({"T", "R", "I", "cls", "tvm", "metadata", "range", "float", "_", "print"})
_INVALID = re.compile(r"\W", re.ASCII)


class Names:
    """Gives every variable of one function a name; names of closed scopes are free again."""

    def __init__(self, *, ids: bool = False, reserved: frozenset[str] = frozenset()) -> None:
        self.ids = ids
        self.reserved = RESERVED | reserved
        self._names: dict[NodeId, str] = {}
        self._visible: set[str] = set()
        self._scopes: list[list[str]] = []
        self.defined: list[tuple[str, NodeId]] = []
        """Every definition in order of appearance: printed name and id."""

    def define(self, var: Var) -> str:
        """The name of `var`, which comes into scope here."""
        if (known := self._names.get(var.id)) is not None and known in self._visible:
            return known
        name = self._fresh(identifier(var.name) + (f"__{var.id}" if self.ids else ""))
        self._names[var.id] = name
        self._visible.add(name)
        self.defined.append((name, var.id))
        if self._scopes:
            self._scopes[-1].append(name)
        return name

    def of(self, var: Var) -> str:
        """The name of `var`; a variable that nothing defines gets one too, so that faults print."""
        return self._names.get(var.id) or self.define(var)

    def open(self) -> None:
        """Open a scope."""
        self._scopes.append([])

    def close(self) -> None:
        """Close the innermost scope."""
        self._visible.difference_update(self._scopes.pop())

    def _fresh(self, stem: str) -> str:
        name, count = stem, 0
        while name in self._visible or name in self.reserved:
            count += 1
            name = f"{stem}_{count}"
        return name


def identifier(name: str) -> str:
    """`name` made a valid Python identifier: `Conv_0/weight` becomes `Conv_0_weight`."""
    if name.isidentifier() and name.isascii() and not keyword.iskeyword(name):
        return name
    cleaned = _INVALID.sub("_", name)
    if not cleaned or cleaned[0].isdigit():
        cleaned = "v" + cleaned
    return cleaned + "_" if keyword.iskeyword(cleaned) else cleaned
