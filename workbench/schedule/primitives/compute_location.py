"""Compute location: move a block to the place that a number names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.dependence import Answer, applies
from workbench.ir import Block, For
from workbench.schedule.primitive import Primitive, Rewritten, bad_parameter
from workbench.schedule.primitives.compute_at import ComputeAt
from workbench.schedule.primitives.compute_inline import ComputeInline
from workbench.schedule.scope import Scope

ROOT, INLINE = -1, -2


@dataclass(frozen=True)
class ComputeLocation(Primitive):
    """Move a block under a loop of its first consumer, given by number, or inline it.

    `location` counts the loops around the consumer that are not around the block too, outermost
    first; -1 leaves the block where it is and -2 inlines it. Legal where `ComputeAt` and
    `ComputeInline` are. Makes the place a number that a search can draw. Called `compute_at` with
    a sampled location in TVM; Halide and Exo have none.

    Rewrite::

        for i in range(64): A_blur(i)
        for i in range(62): B(i) reads A_blur[i : i + 3]
        =>  ComputeLocation(block="A_blur", location=0)
        for i in range(62):
            for ax0 in range(3): A_blur(i + ax0)
            B(i)
    """

    name: ClassVar[str] = "compute-location"
    tvm: ClassVar[str] = "compute_at"

    block: str = ""
    location: int = ROOT

    @override
    def check(self, scope: Scope) -> Answer:
        step = self._step(scope)
        return applies() if step is None else step.check(scope)

    @override
    def rewrite(self, scope: Scope) -> Rewritten:
        step = self._step(scope)
        return Rewritten(scope.function) if step is None else step.rewrite(scope)

    @override
    @classmethod
    def offers(cls, scope: Scope, node: For | Block) -> Iterator[ComputeLocation]:
        """None: `ComputeAt` and `ComputeInline` say the same by name."""
        yield from ()

    def _step(self, scope: Scope) -> ComputeAt | ComputeInline | None:
        block = scope.block(self.block)
        if self.location == ROOT:
            return None
        if self.location == INLINE:
            return ComputeInline(scope.name, self.block)
        places = under_consumer(scope, block)
        if not 0 <= self.location < len(places):
            message = (
                f"`{self.location}` is none of the `{len(places)}` loops around the consumer of "
                f"`{self.block}`, nor -1 (where it is) or -2 (inline)"
            )
            raise bad_parameter(scope, "schedule/bad-location", message)
        return places[self.location]


def under_consumer(scope: Scope, block: Block) -> list[ComputeAt]:
    """A block under each loop of its first consumer, outermost first."""
    return list(ComputeAt.offers(scope, block))[::-1]


def legal_locations(scope: Scope, block: Block) -> tuple[int, ...]:
    """The locations at which `ComputeLocation` applies: inline, root, then loops."""
    name = scope.label(block)
    numbers = (INLINE, ROOT, *range(len(under_consumer(scope, block))))
    return tuple(n for n in numbers if ComputeLocation(scope.name, name, n).check(scope).applies)
