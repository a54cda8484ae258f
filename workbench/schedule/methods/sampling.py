"""Methods of `Schedule` that choose numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from typing import Any, cast

import numpy as np

from workbench.ir import IntImm
from workbench.schedule.arguments import takes_arguments
from workbench.schedule.base import ScheduleBase
from workbench.schedule.decisions import perfect_tile, tile_fault
from workbench.schedule.primitives.compute_location import legal_locations
from workbench.schedule.references import BlockLike, LoopLike
from workbench.schedule.trace import Sampled
from workbench.support import CompileError, Diagnostic
from workbench.support.found import found
from workbench.support.plain_values import is_whole

MOST_FACTORS = 63
"""An extent is less than 2 to the power of this."""


@takes_arguments
class SamplingMethods(ScheduleBase):
    """Draw numbers, or take decisions that were drawn before; the trace remembers which."""

    def sample_perfect_tile(
        self,
        loop: LoopLike,
        n: int,
        max_innermost_factor: int = 16,
        decision: Sequence[int] | None = None,
    ) -> tuple[Sampled, ...]:
        """`n` factors that multiply to the extent of a loop, for `split`; outermost first.

        The last one is at most `max_innermost_factor`. Every such tile is equally likely. Changes
        no loops itself; the trace remembers which primitives use the factors::

            for i in range(64): B(i)
            =>  sch.split(i, sch.sample_perfect_tile(i, n=2, decision=[8, 8]))
            for i_0, i_1 in T.grid(8, 8): B(i_0 * 8 + i_1)

        Called `sample_perfect_tile` in TVM; Halide's autoschedulers choose such numbers
        themselves, in Exo they are arguments of a Python function.

        Raises:
            CompileError: `schedule/bad-decision`, `schedule/bad-sample` for an extent that is not
                constant or has no such tile, `schedule/no-such-loop`.

        Reference: `tvm.tir.Schedule.sample_perfect_tile`.
        """
        name = self.loop_name(loop)
        extent = self.scope.loop(name).extent
        if not isinstance(extent, IntImm) or extent.value < 1:
            hint = "sample the factors of an inner loop: `sample_categorical([4, 8, 16], ...)`"
            raise self._fault(
                "schedule/bad-sample", f"the extent of `{name}` is not a positive constant", hint
            )
        if n > MOST_FACTORS:
            message = f"`n` is `{n}`: no loop has more than `{MOST_FACTORS}` factors above 1"
            raise self._fault("schedule/bad-sample", message)
        if n < 1 or max_innermost_factor < 1 or (n == 1 and extent.value > max_innermost_factor):
            message = f"`{n}` factors of `{extent.value}` with an innermost of at most"
            raise self._fault("schedule/bad-sample", f"{message} `{max_innermost_factor}`: none")
        if decision is None:
            drawn = perfect_tile(extent.value, n, max_innermost_factor, self._random)
        else:
            if isinstance(decision, str) or not hasattr(decision, "__iter__"):
                message = f"expected the factors as a list, got {found(decision)}"
                raise self._fault("schedule/bad-decision", message)
            drawn = tuple(decision)
            fault = tile_fault(extent.value, n, max_innermost_factor, drawn)
            if fault:
                raise self._fault("schedule/bad-decision", fault)
        asked = (("loop", name), ("n", n), ("max_innermost_factor", max_innermost_factor))
        return self.decide("sample_perfect_tile", asked, drawn)

    def sample_categorical(
        self,
        candidates: Sequence[int],
        probs: Sequence[float] | None = None,
        decision: int | None = None,
    ) -> Sampled:
        """One of the candidates, with the given probabilities (default: all alike).

        `decision` is a position in `candidates`. Changes no loops itself::

            for i in range(64): B(i)
            =>  sch.split(i, [None, sch.sample_categorical([4, 8, 16], decision=1)])
            for i_0, i_1 in T.grid(8, 8): B(i_0 * 8 + i_1)

        Called `sample_categorical` in TVM; Halide's autoschedulers choose such numbers
        themselves, in Exo they are arguments of a Python function.

        Raises:
            CompileError: `schedule/bad-decision`, `schedule/bad-sample` where the probabilities do
                not fit.

        Reference: `tvm.tir.Schedule.sample_categorical`.
        """
        known = tuple(int(c) for c in self._listed("candidate", candidates, Integral))
        given = self._listed("probability", () if probs is None else probs, Real)
        chances = tuple(float(p) for p in given)
        chances = chances or (1.0 / len(known),) * len(known) if known else ()
        self._check_chances(known, chances)
        if decision is None:
            weights = np.array(chances) / sum(chances)
            decision = int(self._random.choice(len(known), p=weights))
        elif not is_whole(decision) or not 0 <= decision < len(known):
            message = f"decision {_shown(decision)} is no position among `{len(known)}` candidates"
            raise self._fault("schedule/bad-decision", message)
        asked = (("candidates", known), ("probs", chances))
        (made,) = self.decide(
            "sample_categorical", asked, (known[decision],), single=True, choices=known
        )
        return made

    def sample_compute_location(self, block: BlockLike, decision: int | None = None) -> Sampled:
        """Where to compute a block, for `compute_at`: a number of `ComputeLocation`.

        One of the places where that is legal, all equally likely: a loop of the first consumer by
        its number, -1 where it is, -2 inline. Changes no loops itself::

            for i in range(64): A_blur(i)
            for i in range(62): B(i) reads A_blur[i : i + 3]
            =>  sch.compute_at("A_blur", sch.sample_compute_location("A_blur", decision=0))
            for i in range(62):
                for ax0 in range(3): A_blur(i + ax0)
                B(i)

        Called `sample_compute_location` in TVM; Halide's autoschedulers choose such places
        themselves, in Exo they are arguments of a Python function.

        Raises:
            CompileError: `schedule/bad-decision`, `schedule/no-such-block`.

        Reference: `tvm.tir.Schedule.sample_compute_location`.
        """
        name = self.block_name(block)
        places = legal_locations(self.scope, self.scope.block(name))
        if decision is None:
            decision = int(self._random.choice(places))
        elif not is_whole(decision) or decision not in places:
            shown = ", ".join(f"`{place}`" for place in places)
            message = f"`{name}` cannot be computed at {_shown(decision)}, only at {shown}"
            raise self._fault("schedule/bad-decision", message)
        asked = (("block", name),)
        (made,) = self.decide("sample_compute_location", asked, (decision,), single=True)
        return made

    def _listed(self, what: str, items: object, kind: type) -> list[Any]:
        """The items of a list, all of one kind of number."""
        if isinstance(items, str | bytes) or not isinstance(items, Iterable):
            message = f"expected a list with each {what}, got {found(items)}"
            raise self._fault("schedule/bad-sample", message)
        listed = list(cast("Iterable[Any]", items))
        for item in listed:
            if isinstance(item, bool) or not isinstance(item, kind):
                number = "whole number" if kind is Integral else "number"
                message = f"{what} {found(item)}: no {number}"
                raise self._fault("schedule/bad-sample", message)
        return listed

    def _check_chances(self, candidates: tuple[int, ...], chances: tuple[float, ...]) -> None:
        if not candidates or len(chances) != len(candidates):
            message = f"expected a probability for each candidate, got `{len(chances)}` for"
            raise self._fault("schedule/bad-sample", f"{message} `{len(candidates)}`")
        if any(not 0 <= p <= 1 for p in chances) or not np.isclose(sum(chances), 1.0, atol=1e-6):
            message = f"probabilities `{list(chances)}` do not sum to 1"
            raise self._fault("schedule/bad-sample", message)

    def _fault(self, code: str, message: str, hint: str = "") -> CompileError:
        return CompileError(Diagnostic(code, message, function=self.function, hint=hint))


def _shown(decision: object) -> str:
    return f"`{decision}`" if is_whole(decision) else found(decision)
