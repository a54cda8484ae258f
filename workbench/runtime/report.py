"""What building and measuring tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from workbench.support import NodeId


@dataclass(frozen=True, slots=True)
class BuildReport:
    """How the calls of an executable run, and what building it took.

    `compiled`, `library` and `reference` count calls in graph functions, `kernels_compiled`
    distinct kernels that were compiled now and `cache_hits` those that were found. `stepwise` names
    functions that run binding by binding because their shapes depend on values.
    """

    compiled: int
    library: int
    reference: int
    kernels_compiled: int
    cache_hits: int
    compile_seconds: float
    seconds: float
    stepwise: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        calls = (
            f"{self.compiled} compiled, {self.library} library, {self.reference} reference calls"
        )
        kernels = f"{self.kernels_compiled} kernels compiled, {self.cache_hits} from the cache"
        return "\n".join([f"{calls}; {kernels}; {self.seconds:.3f} s", *self.notes])


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of several runs: median, first and third quartile, and all of them in order."""

    median: float
    lower: float
    upper: float
    samples: tuple[float, ...]

    @staticmethod
    def of(samples: Sequence[float]) -> Timing:
        """The summary of some runs, at least one."""
        lower, median, upper = (float(q) for q in np.percentile(samples, (25, 50, 75)))
        return Timing(median, lower, upper, tuple(samples))


@dataclass(frozen=True, slots=True)
class Profile:
    """Seconds of each binding by id, and of whole calls (arguments and outputs included)."""

    function: str
    bindings: Mapping[NodeId, Timing]
    total: Timing
