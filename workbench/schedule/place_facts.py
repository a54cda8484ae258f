"""What the analyses say of one loop or block: regions, dependences, cost, bounds, proofs."""

from __future__ import annotations

from dataclasses import dataclass

from typing_extensions import override

from workbench.analysis.arith import Facts
from workbench.analysis.cost import Cost, loop_costs
from workbench.analysis.dependence import Answer, Carried, Regions, regions
from workbench.analysis.dependence.spelling import in_full, spell
from workbench.analysis.index_arithmetic import Names
from workbench.analysis.ranges import Interval
from workbench.analysis.recombine import recombined
from workbench.ir import (
    Block,
    BufferType,
    For,
    IntImm,
    Let,
    PrimExpr,
    ScalarType,
    Var,
    dtype_of,
    substitute,
    walk,
)
from workbench.schedule.facts import facts_at, facts_inside, loads
from workbench.schedule.scope import Scope, place_id
from workbench.support import NodeId
from workbench.support.kinds import methods_check_kinds


@methods_check_kinds()
@dataclass(frozen=True)
class PlaceFacts:
    """What is known at a loop or block: shown as text, or asked one by one.

    ::

        at = sch.facts("C")
        at.regions, at.cost
        at.bounds("vi * 16 + vj")         # in the names of the program
        at.simplify("(vi * 16 + vj) // 16")
        at.proves("vi < n")               # True, False, or None where neither is proved
        sch.facts("k").carried            # what the loop carries from one iteration to the next
    """

    scope: Scope
    node: For | Block

    @property
    def regions(self) -> Regions:
        """The boxes that one run of the place reads and writes; see `analysis.regions`."""
        return regions(self.scope.function, self.node)

    @property
    def cost(self) -> Cost:
        """Operations, bytes and working set of one run; see `analysis.cost`."""
        return loop_costs(self.scope.function)[place_id(self.node)]

    @property
    def carried(self) -> tuple[Carried, ...]:
        """The dependences between different iterations of the loop; none at a block."""
        if isinstance(self.node, Block):
            return ()
        return self.scope.dependences_around(self.node).carried(self.node.var.id)

    @property
    def independent(self) -> Answer | None:
        """Whether iterations of the loop may run at once and in any order; None at a block."""
        if isinstance(self.node, Block):
            return None
        return self.scope.dependences_around(self.node).independent(self.node.var.id)

    @property
    def known(self) -> Facts:
        """What holds inside of the place, from loops, predicates and shapes around it."""
        before = facts_at(self.scope, place_id(self.node))
        return facts_inside(before, self.node, self.node.body)

    @property
    def ranges(self) -> tuple[str, ...]:
        """The values of the loop, or of the axes of the block: `i from 0 to n - 1`."""
        if isinstance(self.node, For):
            return (self._range_text(self.node.var, self.node.start, self.node.extent),)
        return tuple(self._range_text(a.var, IntImm(0), a.extent) for a in self.node.axes)

    @property
    def names(self) -> tuple[str, ...]:
        """The names that expressions here may use: symbolic dimensions, loops, axes, scalars."""
        return tuple(self._names().known)

    def simplify(self, text: str) -> str:
        """An index expression in normal form, equal wherever the place is reached.

        Raises:
            CompileError: `analysis/not-an-index`, `call/wrong-kind`.
        """
        known = self.known
        return in_full(recombined(known.simplify(self._names().read(text)), known))

    def bounds(self, text: str) -> Interval:
        """The lowest and highest value of an index expression, None where unbounded.

        Raises:
            CompileError: `analysis/not-an-index`, `call/wrong-kind`.
        """
        return Interval(*self._ends(self._names().read(text)))

    def proves(self, text: str) -> bool | None:
        """Whether a condition always holds here (True), never (False), or neither is proved.

        Raises:
            CompileError: `analysis/not-an-index`, `call/wrong-kind`.
        """
        known, condition = self.known, self._names().read(text)
        answer = known.proves(condition)
        return known.proves(self._in_loops(condition)) if answer is None else answer

    @override
    def __repr__(self) -> str:
        kind = "block" if isinstance(self.node, Block) else "loop"
        found = self.cost
        lines = [
            f"{kind} `{self.scope.label(self.node)}`",
            *self.regions.text.split("; "),
            *self.ranges,
            *(f"carries {repr(item)[1:-1]}" for item in self.carried),
            repr(found).removeprefix("Cost(").removesuffix(")"),
        ]
        return "\n    ".join(lines)

    def _names(self) -> Names:
        names = Names()
        for param in self.scope.function.params:
            dims = param.type.shape if isinstance(param.type, BufferType) else (param,)
            for dim in dims:
                found = () if isinstance(dim, int) else walk(dim)
                names.known |= {node.name: node for node in found if isinstance(node, Var)}
        for around in (*self.scope.paths[place_id(self.node)], self.node):
            match around:
                case For(var=var) | Let(var=var):
                    names.known[var.name] = var
                case Block(axes=axes):
                    names.known |= {axis.var.name: axis.var for axis in axes}
                case _:
                    pass
        scalars = names.known.items()
        names.known = {name: var for name, var in scalars if isinstance(var.type, ScalarType)}
        return names

    def _range_text(self, var: Var, start: PrimExpr, extent: PrimExpr) -> str:
        """The proved constant ends where there are any, else those that the program says."""
        low, high = self._ends(var)
        last = self.known.simplify(start + extent - IntImm(1, dtype_of(extent)))
        lowest = spell(start) if low is None else str(low)
        return f"{var.name} from {lowest} to {spell(last) if high is None else high}"

    def _ends(self, expr: PrimExpr) -> tuple[int | None, int | None]:
        """The tightest proved bounds, of an expression or of its value in terms of the loops."""
        known = self.known
        forms = (known.poly(expr), known.poly(self._in_loops(expr)))
        lows, highs = zip(*map(known.proved_bounds, forms), strict=True)
        return (
            max((low for low in lows if low is not None), default=None),
            min((high for high in highs if high is not None), default=None),
        )

    def _in_loops(self, expr: PrimExpr) -> PrimExpr:
        """An expression with the axes of blocks around by their values, but for those in memory."""
        values: dict[NodeId, PrimExpr] = {}
        for around in (*self.scope.paths[place_id(self.node)], self.node):
            for axis in around.axes if isinstance(around, Block) else ():
                if not loads(axis.value):
                    values[axis.var.id] = substitute(axis.value, values)
        return substitute(expr, values)
