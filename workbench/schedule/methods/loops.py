"""Methods of `Schedule` on loops."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

from workbench.ir import Attr, Block, For
from workbench.schedule.arguments import takes_arguments
from workbench.schedule.base import ScheduleBase
from workbench.schedule.primitive import bad_parameter
from workbench.schedule.primitives.add_unit_loop import AddUnitLoop
from workbench.schedule.primitives.annotate import Annotate, Unannotate
from workbench.schedule.primitives.bind import Bind
from workbench.schedule.primitives.fuse import Fuse
from workbench.schedule.primitives.loop_partition import LoopPartition
from workbench.schedule.primitives.parallel import Parallel
from workbench.schedule.primitives.reorder import Reorder
from workbench.schedule.primitives.split import Split
from workbench.schedule.primitives.unroll import Unroll
from workbench.schedule.primitives.vectorize import Vectorize
from workbench.schedule.references import BlockLike, LoopLike, LoopRef, Place
from workbench.schedule.scope import Scope
from workbench.support import CompileError, Diagnostic
from workbench.support.found import found
from workbench.support.plain_values import is_whole


@takes_arguments
class LoopMethods(ScheduleBase):
    """Split, fuse, reorder and mark loops."""

    def split(
        self,
        loop: LoopLike,
        factors: Sequence[int | None],
        preserve_unit_iters: bool = True,  # noqa: ARG002
        disable_predication: bool = False,
    ) -> tuple[LoopRef, ...]:
        """Cut a loop into nested ones; see `Split`. Gives the new loops, outermost first.

        Axes of blocks stay whatever `preserve_unit_iters` says. With `disable_predication` a split
        that needs a predicate is refused.

        Raises:
            CompileError: `schedule/bad-factor`, `schedule/no-such-loop`; with
                `disable_predication` also `schedule/illegal`, `schedule/unproved`.
        """
        whole = _listed(self.scope, factors)
        step = Split(self.function, self.loop_name(loop), whole, disable_predication)
        return tuple(self.loop_ref(place) for place in self.apply(step).results)

    def fuse(self, *loops: LoopLike, preserve_unit_iters: bool = True) -> LoopRef:  # noqa: ARG002
        """One loop in place of nested ones, given outermost first; see `Fuse`.

        Axes of blocks stay whatever `preserve_unit_iters` says.

        Raises:
            CompileError: `schedule/inapplicable`, `schedule/bad-loops`, `schedule/no-such-loop`.
        """
        done = self.apply(Fuse(self.function, tuple(self.loop_name(loop) for loop in loops)))
        return self.loop_ref(done.results[0])

    def reorder(self, *loops: LoopLike) -> None:
        """Put loops of one nest into this order, outermost first; see `Reorder`.

        Raises:
            CompileError: `schedule/illegal`, `schedule/unproved`, `schedule/inapplicable`,
                `schedule/bad-loops`, `schedule/no-such-loop`.
        """
        self.apply(Reorder(self.function, tuple(self.loop_name(loop) for loop in loops)))

    def loop_partition(
        self,
        loop: LoopLike,
        factors: Sequence[int | None],
        preserve_unit_iters: bool = True,  # noqa: ARG002
    ) -> tuple[LoopRef, ...]:
        """Cut a loop into loops one after the other; see `LoopPartition`. Gives these.

        Axes of blocks stay whatever `preserve_unit_iters` says.

        Raises:
            CompileError: `schedule/bad-factor`, `schedule/inapplicable`, `schedule/no-such-loop`.
        """
        done = self.apply(
            LoopPartition(self.function, self.loop_name(loop), _listed(self.scope, factors))
        )
        return tuple(self.loop_ref(place) for place in done.results)

    def parallel(self, loop: LoopLike) -> None:
        """Run the iterations of a loop on several threads; see `Parallel`.

        Raises:
            CompileError: `schedule/illegal`, `schedule/unproved`, `schedule/no-such-loop`.
        """
        self.apply(Parallel(self.function, self.loop_name(loop)))

    def vectorize(self, loop: LoopLike) -> None:
        """Run the iterations of a loop in the lanes of vector instructions; see `Vectorize`.

        Raises:
            CompileError: `schedule/illegal`, `schedule/unproved`, `schedule/inapplicable`,
                `schedule/no-such-loop`.
        """
        self.apply(Vectorize(self.function, self.loop_name(loop)))

    def unroll(self, loop: LoopLike) -> None:
        """Write the iterations of a loop out one after the other; see `Unroll`.

        Raises:
            CompileError: `schedule/inapplicable`, `schedule/no-such-loop`.
        """
        self.apply(Unroll(self.function, self.loop_name(loop)))

    def bind(self, loop: LoopLike, thread_axis: str) -> None:
        """Bind a loop to an axis of threads, such as `blockIdx.x`; see `Bind`.

        Raises:
            CompileError: `schedule/illegal`, `schedule/unproved`, `schedule/inapplicable`,
                `schedule/bad-thread`, `schedule/no-such-loop`.
        """
        self.apply(Bind(self.function, self.loop_name(loop), thread_axis))

    def add_unit_loop(
        self, block_or_loop: Place = "", *, loop: LoopLike = "", block: BlockLike = ""
    ) -> LoopRef:
        """Put a loop of one iteration around a block or loop; see `AddUnitLoop`. Gives it.

        Raises:
            CompileError: `schedule/not-a-place`, `schedule/no-such-loop`,
                `schedule/no-such-block`.
        """
        names = self._place(block_or_loop, loop, block)
        done = self.apply(AddUnitLoop(self.function, *names))
        return self.loop_ref(done.results[0])

    def annotate(
        self,
        block_or_loop: Place = "",
        ann_key: str = "",
        ann_val: float | str | Sequence[Attr] | None = None,
        *,
        loop: LoopLike = "",
        block: BlockLike = "",
    ) -> None:
        """Note a value under a key at a block or loop; see `Annotate`.

        Raises:
            CompileError: `schedule/bad-annotation`, `schedule/not-a-place`,
                `schedule/no-such-loop`, `schedule/no-such-block`.
        """
        names = self._place(block_or_loop, loop, block)
        self.apply(Annotate(self.function, *names, ann_key, _frozen(ann_val)))

    def unannotate(
        self,
        block_or_loop: Place = "",
        ann_key: str = "",
        *,
        loop: LoopLike = "",
        block: BlockLike = "",
    ) -> None:
        """Drop an annotation of a block or loop; see `Unannotate`.

        Raises:
            CompileError: `schedule/bad-annotation`, `schedule/not-a-place`,
                `schedule/no-such-loop`, `schedule/no-such-block`.
        """
        names = self._place(block_or_loop, loop, block)
        self.apply(Unannotate(self.function, *names, ann_key))

    def _place(self, either: Place, loop: LoopLike, block: BlockLike) -> tuple[str, str]:
        """The names of the loop and of the block, one of them empty."""
        if isinstance(either, LoopRef):
            return self.loop_name(either), ""
        if not isinstance(either, str):
            return "", self.block_name(either)
        if either:
            return self._named(either)
        return self.loop_name(loop) if loop else "", self.block_name(block) if block else ""

    def _named(self, name: str) -> tuple[str, str]:
        """A name that may be that of a block or of a loop."""
        known: dict[str, For | Block] = {}
        several: list[CompileError] = []
        for what, find in (("loop", self.scope.loop), ("block", self.scope.block)):
            try:
                known[what] = find(name)
            except CompileError as error:
                if error.diagnostics[0].code == "schedule/ambiguous-name":
                    several.append(error)
        if not known:
            raise several[0] if several else self.scope.no_place(name)
        if len(known) == 2:
            raise CompileError(
                Diagnostic(
                    "schedule/ambiguous-name",
                    f"there are a loop and a block `{name}`",
                    function=self.function,
                    hint=f'say which: `loop="{name}"` or `block="{name}"`',
                )
            )
        labels = {what: self.scope.label(stmt) for what, stmt in known.items()}
        return labels.get("loop", ""), labels.get("block", "")


def _listed(scope: Scope, factors: object) -> tuple[int | None, ...]:
    """The factors as a tuple.

    Raises:
        CompileError: `schedule/bad-factor` for what is no list.
    """
    if not isinstance(factors, Iterable) or isinstance(factors, str):
        message = f"expected a list of factors, got {found(factors)}"
        raise bad_parameter(scope, "schedule/bad-factor", message, "write `[None, 4]`")
    listed = tuple(cast("Iterable[object]", factors))
    for wrong in (factor for factor in listed if not (factor is None or is_whole(factor))):
        message = f"expected whole numbers as factors, got {found(wrong)}"
        raise bad_parameter(scope, "schedule/bad-factor", message)
    return cast("tuple[int | None, ...]", listed)


def _frozen(value: Attr | Sequence[Attr]) -> Attr:
    """Lists and other sequences as tuples."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        return value
    return tuple(_frozen(item) for item in value)
