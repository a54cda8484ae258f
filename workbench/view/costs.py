"""What loops cost, in short words: `268 Mop · 3 MiB`."""

from __future__ import annotations

from workbench.analysis.cost import Cost, cost
from workbench.ir import Dim, TensorFunction
from workbench.support.amounts import byte_count, three_digits
from workbench.view.words import dim_text

LONGEST = 18
"""Characters of a symbolic count beyond which it is left to the long form."""
THOUSANDS = ("", " k", " M", " G", " T", " P")


def short_cost(found: Cost) -> str:
    """Operations and working set of one run: `268 Mop · 3 MiB`."""
    return f"{operations_text(found.operations)} · {bytes_text(found.working_set)}"


def long_cost(found: Cost) -> str:
    """All counts of one run in words."""
    return (
        f"one run: {_exact(found.operations)} operations, {_bytes(found.read)} read, "
        f"{_bytes(found.written)} written, touches {_bytes(found.working_set)}"
    )


def cost_facts(function: TensorFunction) -> str:
    """`268 Mop, 3 MiB, 85 ops/byte` for one call of a function; empty where it does nothing."""
    found = cost(function)
    parts = [operations_text(found.operations), bytes_text(found.working_set)]
    if found.intensity is not None:
        parts.append(f"{three_digits(found.intensity)} ops/byte")
    return ", ".join(parts)


def operations_text(count: Dim) -> str:
    """`268 Mop`; a symbolic count as it is, where it is short."""
    if not isinstance(count, int):
        return f"{_symbolic(count)} op"
    scale = 0
    value = float(count)
    while value >= 999.5 and scale < len(THOUSANDS) - 1:
        value, scale = value / 1000, scale + 1
    return f"{three_digits(value)}{THOUSANDS[scale] or ' '}op"


def bytes_text(count: Dim) -> str:
    """`48 KiB`; a symbolic count as it is, where it is short."""
    if not isinstance(count, int):
        return f"{_symbolic(count)} B"
    return byte_count(count)


def _symbolic(count: Dim) -> str:
    text = dim_text(count)
    return text if len(text) <= LONGEST else "symbolic"


def _exact(count: Dim) -> str:
    return f"{count:,}".replace(",", " ") if isinstance(count, int) else dim_text(count)


def _bytes(count: Dim) -> str:
    return bytes_text(count) if isinstance(count, int) else f"{dim_text(count)} B"
