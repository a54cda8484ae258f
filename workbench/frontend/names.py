"""Names of imported values: short, unique, valid identifiers; data that nothing evaluates."""

from __future__ import annotations

import keyword
import re
from collections import Counter
from collections.abc import Iterable

_RESERVED = frozenset({"I", "R", "T", "True", "False", "None", "self", "main"})
_SYMBOLS = ("n", "m", "k", "p", "q", "r", "s", "t")
_LONGEST = 40
_GENERATED = r"^(unk_*\d+|.*dynamic.*|.*\W.*)$"


class ShortNames:
    """Cleans names of one graph: the last path component, after the one before if not unique."""

    def __init__(self, full: Iterable[str]) -> None:
        self._last = Counter(_components(name)[-1] for name in set(full))
        self._taken: set[str] = set()

    def value(self, full: str) -> str:
        """A new short name for a value."""
        parts = _components(full)
        short = parts[-1] if self._last[parts[-1]] <= 1 else "_".join(parts[-2:])
        return self.unique(_identifier(short))

    def symbol(self, full: str) -> str:
        """A new name for a symbolic dimension; generated names become `n`, `m`, ..."""
        if full and not re.match(_GENERATED, full):
            return self.unique(_identifier(full))
        free = (name for name in _SYMBOLS if name not in self._taken)
        return self.unique(next(free, "d"))

    def unique(self, name: str) -> str:
        """`name`, with a number if it is taken."""
        candidate, count = name, 1
        while candidate in self._taken:
            candidate, count = f"{name}_{count}", count + 1
        self._taken.add(candidate)
        return candidate


def _components(full: str) -> list[str]:
    """Path components of `a/b/c:0`."""
    path = re.sub(r":\d+$", "", full)
    parts = (part.strip("_") for part in re.split(r"[/.:]+", path))
    return [part for part in parts if part] or ["v"]


def _identifier(text: str) -> str:
    clean = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_")[:_LONGEST] or "v"
    if clean[0].isdigit():
        clean = f"v{clean}"
    return f"{clean}_" if keyword.iskeyword(clean) or clean in _RESERVED else clean
