"""Add unit loop: one more loop, of one iteration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.dependence import Answer, applies
from workbench.ir import INDEX, Block, For, IntImm, ScalarType
from workbench.schedule.places import place_of
from workbench.schedule.primitive import Primitive, Rewritten
from workbench.schedule.scope import Scope


@dataclass(frozen=True)
class AddUnitLoop(Primitive):
    """Put a loop of one iteration around a loop or a block.

    Always legal. Gives a place for what needs a loop, such as `compute_at` or `blockize`. Called
    `add_unit_loop` in TVM, `add_loop` in Exo; Halide has none.

    Rewrite::

        for i in range(64): B(i)
        =>  AddUnitLoop(loop="i")
        for u in range(1):
            for i in range(64): B(i)
    """

    name: ClassVar[str] = "add-unit-loop"
    tvm: ClassVar[str] = "add_unit_loop"
    exo: ClassVar[str] = "add_loop"

    loop: str = ""
    block: str = ""

    @override
    def check(self, scope: Scope) -> Answer:
        place_of(scope, self.loop, self.block)
        return applies()

    @override
    def rewrite(self, scope: Scope) -> Rewritten:
        place = place_of(scope, self.loop, self.block)
        unit = scope.fresh("u", ScalarType(INDEX))
        made = For(unit, IntImm(0), IntImm(1), place)
        return Rewritten(scope.replaced(place, made), (unit.id,))

    @override
    @classmethod
    def offers(cls, scope: Scope, node: For | Block) -> Iterator[AddUnitLoop]:
        label = scope.label(node)
        if isinstance(node, For):
            yield cls(scope.name, loop=label)
        else:
            yield cls(scope.name, block=label)
