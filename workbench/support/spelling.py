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
    return "did you mean " + " or ".join(f"`{item}`" for item in found) + "?" if found else ""
