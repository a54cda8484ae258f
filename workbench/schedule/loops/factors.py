"""Factors of loops: whole positive numbers, one of which may be left to be computed."""

from __future__ import annotations

import math
from collections.abc import Sequence

from workbench.schedule.primitive import bad_parameter
from workbench.schedule.scope import Scope

LARGEST = 2**31
"""Iterations that factors may stand for; index arithmetic is far from overflow then."""


def checked_factors(scope: Scope, what: str, factors: Sequence[object]) -> list[int | None]:
    """The factors as plain numbers; at most one of them is None.

    Raises:
        CompileError: `schedule/bad-factor`.
    """
    known = [f for f in factors if f is not None]
    whole = [int(f) for f in known if isinstance(f, int) and not isinstance(f, bool) and f > 0]
    if not factors or len(whole) < len(factors) - 1 or len(whole) < len(known):
        message = f"`{what}` needs positive factors, at most one of them None"
        message = f"{message}, got `{_shown(factors)}`"
        raise bad_parameter(scope, "schedule/bad-factor", message)
    if math.prod(whole) > LARGEST:
        message = f"the factors `{_shown(factors)}` of `{what}` multiply to more than `2**31`"
        raise bad_parameter(scope, "schedule/bad-factor", message)
    numbers = iter(whole)
    return [None if f is None else next(numbers) for f in factors]


def _shown(factors: Sequence[object]) -> str:
    return f"[{', '.join(str(f) if isinstance(f, int) else repr(f) for f in factors)}]"
