"""What libraries offer: patterns whose matches one call of a library function computes.

Libraries and users fill the table; partitioning reads it. Reference:
`tvm.relax.backend.register_patterns`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from workbench.analysis.patterns.checks import names_of
from workbench.analysis.patterns.language import Pattern
from workbench.analysis.patterns.matches import Match
from workbench.ir import Attrs, count_registration
from workbench.support import CompileError, Diagnostic
from workbench.support.spelling import near


def _no_attrs(_: Match) -> Attrs:
    return ()


def _no_reason(_: Match) -> str:
    return ""


@dataclass(frozen=True, eq=False)
class LibraryPattern:
    """`symbol(arguments..., out, **attrs)` computes what `pattern` describes.

    `arguments` names values of the pattern, in the order of the call. `attrs` reads attributes of
    the library call off a match; `reason` says in words why the library cannot take a match, and
    is empty where it can.
    """

    library: str
    symbol: str
    pattern: Pattern
    arguments: tuple[str, ...]
    attrs: Callable[[Match], Attrs] = _no_attrs
    reason: Callable[[Match], str] = _no_reason


_OFFERED: dict[str, list[LibraryPattern]] = {}


def register_library_pattern(offered: LibraryPattern) -> LibraryPattern:
    """Add a pattern of a library; those that were registered earlier are tried first.

    Raises:
        CompileError: `pattern/unknown-name` for an argument that the pattern does not name.
    """
    names = names_of(offered.pattern)
    faults = [
        Diagnostic(
            "pattern/unknown-name",
            f"nothing in the pattern for `{offered.symbol}` is named `{name}`",
            hint=near(name, names),
        )
        for name in offered.arguments
        if name not in names
    ]
    if faults:
        raise CompileError(faults)
    _OFFERED.setdefault(offered.library, []).append(offered)
    count_registration(offered.symbol)
    return offered


def library_patterns(library: str) -> tuple[LibraryPattern, ...]:
    """The patterns of a library in the order in which they are tried."""
    return tuple(_OFFERED.get(library, ()))


def offering_libraries() -> tuple[str, ...]:
    """The libraries that registered patterns, by name."""
    return tuple(sorted(_OFFERED))
