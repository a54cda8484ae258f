"""Displays: upper layers say how the objects of this layer look in a notebook."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_DISPLAYS: dict[str, Callable[..., Any]] = {}


def register_display(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let an upper layer show `session`, `step`, `diff`, `comparison`, `progress` and others."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        _DISPLAYS[name] = function
        return function

    return register


def display_bundle(name: str, item: object) -> dict[str, Any]:
    """The MIME bundle of an object; plain text where nothing is registered."""
    found = _DISPLAYS.get(name)
    return found(item) if found is not None else {"text/plain": repr(item)}


def upper(name: str) -> Callable[..., Any] | None:
    """A function that an upper layer provides, such as `widget`."""
    return _DISPLAYS.get(name)
