"""What names mean at one place of a script."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from workbench.ir import Var


@dataclass(frozen=True, slots=True)
class Lost:
    """A name whose definition failed: using it is no further fault."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """A name of a dataflow block that is no output of it."""


@dataclass(frozen=True, slots=True)
class Handle:
    """A `T.handle` parameter that no `T.match_buffer` has given a buffer yet."""

    position: int


@dataclass(frozen=True, slots=True)
class ModuleName:
    """The name of the module, or `cls`."""


Entry: TypeAlias = Var | Lost | Hidden | Handle | ModuleName
LOST = Lost()


class Scope:
    """Names by suite: what a suite defines is gone after it."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._undo: list[dict[str, Entry | None]] = []

    def get(self, name: str) -> Entry | None:
        """What `name` means here, None if nothing."""
        return self._entries.get(name)

    def set(self, name: str, entry: Entry) -> None:
        """Define `name` in the innermost suite."""
        if self._undo:
            self._undo[-1].setdefault(name, self._entries.get(name))
        self._entries[name] = entry

    def open(self) -> None:
        """Enter a suite."""
        self._undo.append({})

    def close(self) -> dict[str, Entry]:
        """Leave a suite; returns what it defined."""
        defined: dict[str, Entry] = {}
        for name, before in self._undo.pop().items():
            defined[name] = self._entries[name]
            if before is None:
                del self._entries[name]
            else:
                self._entries[name] = before
        return defined

    def names(self) -> Iterator[str]:
        """All names that mean something here."""
        return iter(self._entries)


Namespace: TypeAlias = Mapping[str, object]
"""Python values that a script may use for shapes, dtypes and constants."""


class Dialect:
    """A dialect of the language as a Python object: an alias of it in a namespace counts as it."""

    def __init__(self, dialect: str) -> None:
        self.dialect = dialect
