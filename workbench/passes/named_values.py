"""Parameters of passes that are values by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from workbench.support import CompileError, Diagnostic


def named_values(values: object, who: str) -> list[tuple[str, Any]]:
    """Names and values of a mapping, or of pairs; `who` is the pass that takes them.

    Raises:
        CompileError: `pass/named-values` for anything else, and for a name that comes twice.
    """
    items = cast("Mapping[Any, Any]", values).items() if isinstance(values, Mapping) else values
    pairs = list(cast("Iterable[Any]", items)) if isinstance(items, Iterable) else [items]
    found: dict[str, Any] = {}
    for pair in pairs:
        parts = cast("tuple[Any, ...]", pair) if isinstance(pair, tuple) else ()
        if len(parts) != 2 or not isinstance(parts[0], str):
            raise _wrong(who, cast("object", pair))
        if parts[0] in found:
            message = f"`{who}` takes one value for each name, got two for `{parts[0]}`"
            raise CompileError(Diagnostic("pass/named-values", message))
        found[parts[0]] = parts[1]
    return list(found.items())


def _wrong(who: str, found: object) -> CompileError:
    message = f"`{who}` takes values by name, got `{type(found).__name__}`"
    hint = f"write `{who}({{'x': ...}})`"
    return CompileError(Diagnostic("pass/named-values", message, hint=hint))
