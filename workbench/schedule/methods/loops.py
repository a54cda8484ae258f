"""Methods of `Schedule` on loops."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.schedule.base import LoopLike, LoopRef, ScheduleBase
from workbench.schedule.primitives.split import Split


class LoopMethods(ScheduleBase):
    """Split, fuse, reorder and mark loops."""

    def split(self, loop: LoopLike, factors: Sequence[int | None]) -> tuple[LoopRef, ...]:
        """Cut a loop into nested ones; see `Split`. Gives the new loops, outermost first.

        Raises:
            CompileError: `schedule/bad-factor`, `schedule/no-such-loop`.
        """
        done = self.apply(Split(self.function, self.loop_name(loop), tuple(factors)))
        return tuple(self.loop_ref(place) for place in done.results)
