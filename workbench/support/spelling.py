"""Spelling: what somebody may have meant who wrote a name that is not there."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def near(name: str, known: Iterable[str]) -> str:
    """A hint with the names that look like `name`, empty if none does."""
    options = sorted(set(known))
    found = difflib.get_close_matches(name, options, n=3, cutoff=0.6)
    stem = name.rsplit(".", maxsplit=1)[-1]
    found += [o for o in options if o.rsplit(".", maxsplit=1)[-1] == stem and o not in found][:2]
    return _hint(found)


def near_value(name: str, known: Iterable[str]) -> str:
    """The same for values, `lv3` or `main.lv3`: alike is what stands behind the last point."""
    place, point, bare = name.rpartition(".")
    parts = [word.rpartition(".") for word in known]
    options = sorted({last for before, _, last in parts if before == place})
    found = difflib.get_close_matches(bare, options, n=3, cutoff=0.6)
    return _hint([place + point + word for word in found])


def _hint(found: list[str]) -> str:
    return "did you mean " + " or ".join(f"`{item}`" for item in found) + "?" if found else ""
