"""Planning: values that may share memory, one arena for the rest.

First each output is put in place of an input that nobody needs any more, where the tensor function
allows it; the values of such a chain are one from then on. What the function returns gets memory
of its own, which its chain is computed in; everything else is placed in the arena.

References: `relax.transform.DataflowUseInplaceCalls`, `relax.transform.StaticPlanBlockMemory`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from workbench.analysis.memory.groups import Group, Groups, alike
from workbench.analysis.memory.inplace import why_not_in_place
from workbench.analysis.memory.needed import why_copied, why_needed
from workbench.analysis.memory.placement import ALIGNMENT, Lifetime, place, rounded
from workbench.analysis.memory.plan import MemoryPlan, Missed, Planned, Reuse, Storage
from workbench.analysis.memory.reading import values_of
from workbench.analysis.memory.sizes import ONE, Size, Unit
from workbench.analysis.memory.values import Join, Step, Values
from workbench.ir import IRModule, TensorFunction, TensorType
from workbench.ir.numbers import element_bytes


def plan_memory(module: IRModule, function: str = "main") -> MemoryPlan:
    """Where the values of a graph function of a well-formed module lie. Deterministic.

    Takes time in proportion to the values and the logarithm of how many live together.
    """
    return planned_values(module, function, values_of(module, function))


def planned_values(module: IRModule, function: str, found: Values) -> MemoryPlan:
    """The plan of a graph function whose values are known."""
    if found.unknown:
        return MemoryPlan(function, unknown=found.unknown)
    chains = _Chains(module, found, Groups(found))
    for number in range(len(found.steps)):
        chains.step(number)
    return _placed(function, found, chains)


@dataclass(slots=True)
class _Chains:
    """Finds the values that are computed in place of another."""

    module: IRModule
    found: Values
    groups: Groups
    before: dict[int, int] = field(default_factory=dict[int, int])
    missed: dict[int, list[Missed]] = field(default_factory=dict[int, list[Missed]])
    first: dict[int, int] = field(default_factory=dict[int, int])
    """From when on what branches give is one value, whichever arm ran."""

    def step(self, number: int) -> None:
        """Decide for the outputs of a step."""
        step = self.found.steps[number]
        self._outputs(number, step)
        for output in step.outputs:
            if self.found.values[output].owner == "planned":
                if output in self.before:
                    self.groups.follow(output, self.before[output])
                else:
                    self.groups.alone(output)
        if number in self.found.joins:
            self._join(self.found.joins[number])

    def _join(self, join: Join) -> None:
        """What a branch gives lies where an arm computes it, if it can."""
        for value, given, why in self.groups.join(join):
            if why:
                missed = Missed(self.found.values[given].name, why)
                self.missed.setdefault(value, []).append(missed)
            else:
                self.before.setdefault(value, given)
        self.first.update(dict.fromkeys(join.values, join.otherwise))

    def _outputs(self, number: int, step: Step) -> None:
        taken: set[int] = set()
        if step.gives:
            return
        for position, output in enumerate(step.outputs):
            value = self.found.values[output]
            if value.owner != "planned":
                continue
            if step.inplace:
                self._declared(step, position)
                continue
            for operand in dict.fromkeys(step.operands):
                if operand is None or not alike(self.found.values[operand], value):
                    continue
                why = "another output lies there already" if operand in taken else ""
                why = why or self._why_not(number, step, operand, position)
                if not why:
                    self.before[output] = operand
                    taken.add(operand)
                    self.missed.pop(output, None)
                    break
                missed = Missed(self.found.values[operand].name, why)
                self.missed.setdefault(output, []).append(missed)

    def _declared(self, step: Step, position: int) -> None:
        """The call itself says what its output is written over."""
        output = step.outputs[position]
        if step.inplace[position] < 0:
            return
        operand = step.operands[step.inplace[position]]
        assert operand is not None
        why = why_copied(self.found, step, position)
        if why:
            missed = Missed(self.found.values[operand].name, f"{why}, so it is copied first")
            self.missed[output] = [missed]
        else:
            self.before[output] = operand

    def _why_not(self, number: int, step: Step, operand: int, position: int) -> str:
        why = why_needed(self.found, operand, number)
        if why:
            return why
        if not step.callee:
            return "it is not known how a library reads and writes"
        callee = self.module[step.callee]
        assert isinstance(callee, TensorFunction)
        sources = [n for n, other in enumerate(step.operands) if other == operand]
        target = len(step.operands) + position
        found = (why_not_in_place(callee, source, target) for source in sources)
        return next((why for why in found if why), "")


def _placed(function: str, found: Values, chains: _Chains) -> MemoryPlan:
    pools: dict[Unit, list[Group]] = {}
    returned: list[Group] = []
    for chain in chains.groups.all():
        if chain.returned:
            returned.append(chain)
        else:
            pools.setdefault(_size(found, chain).unit, []).append(chain)
    builder = _Builder(found, chains)
    for unit in sorted(pools, key=lambda unit: (unit != ONE, repr(unit))):
        builder.pool(unit, pools[unit])
    for chain in returned:
        builder.returned(chain)
    planned = sorted(builder.places)
    numbers = {value: n for n, value in enumerate(planned)}
    return MemoryPlan(
        function,
        tuple(step.name for step in found.steps),
        tuple(builder.storages),
        tuple(builder.planned(value, numbers) for value in planned),
        tuple(_unplanned(found)),
        found.symbols,
        builder.live if pools.keys() <= {ONE} else None,
    )


def _size(found: Values, chain: Group) -> Size:
    size = found.values[chain.members[0]].size
    assert size is not None
    return size


def _unplanned(found: Values) -> Iterator[Missed]:
    for step in found.steps:
        for output in step.outputs:
            if found.values[output].owner == "python":
                yield Missed(found.values[output].name, found.values[output].why)


@dataclass(slots=True)
class _Builder:
    """Storages and places of values."""

    found: Values
    chains: _Chains
    storages: list[Storage] = field(default_factory=list[Storage])
    places: dict[int, tuple[int, int]] = field(default_factory=dict[int, tuple[int, int]])
    sources: dict[int, int] = field(default_factory=dict[int, int])
    live: int = 0

    def pool(self, unit: Unit, chains: list[Group]) -> None:
        """Place chains whose sizes have one unit."""
        lifetimes = [Lifetime(_size(self.found, c).count, c.first, c.last) for c in chains]
        alignment = ALIGNMENT if unit == ONE else self._widest(chains)
        placement = place(lifetimes, alignment)
        if unit == ONE:
            self.live = placement.live
        storage = len(self.storages)
        self.storages.append(Storage(storage, placement.size, unit, alignment=alignment))
        earlier = _Earlier()
        for chain, offset in zip(chains, placement.offsets, strict=True):
            for member in chain.members:
                self.places[member] = storage, offset
            end = offset + rounded(_size(self.found, chain).count, alignment)
            source = earlier.put(offset, end, chain.members[-1])
            if source is not None:
                self.sources[chain.members[0]] = source

    def _widest(self, chains: list[Group]) -> int:
        """Bytes of the largest element: an offset is a number of units, which may be one byte."""
        types = (self.found.values[chain.members[0]].type for chain in chains)
        return max(element_bytes(type_.dtype or "bool") for type_ in types if type_ is not None)

    def returned(self, chain: Group) -> None:
        """Give a chain that ends in a result memory of its own."""
        size = _size(self.found, chain)
        storage = len(self.storages)
        self.storages.append(Storage(storage, size.count, size.unit, "returned"))
        for member in chain.members:
            self.places[member] = storage, 0

    def planned(self, number: int, numbers: dict[int, int]) -> Planned:
        """A value with its place."""
        value = self.found.values[number]
        assert value.size is not None
        assert isinstance(value.type, TensorType)
        storage, offset = self.places[number]
        source = self.chains.before.get(number)
        reuse: Reuse = "in-place" if source is not None else "fresh"
        if source is None and number in self.sources:
            source, reuse = self.sources[number], "reuse"
        return Planned(
            value.name,
            value.path,
            value.output,
            value.ids,
            value.type,
            value.size,
            storage,
            offset,
            self.chains.first.get(number, value.first),
            value.last,
            reuse,
            None if source is None else numbers[source],
            tuple(self.chains.missed.get(number, ())),
        )


class _Earlier:
    """Who was last in each part of a block; values come in the order in which they begin."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._parts: list[tuple[int, int, int]] = []

    def put(self, start: int, stop: int, owner: int) -> int | None:
        """Note a value; gives who was there last before, the one at its start where several."""
        low = bisect_right(self._starts, start)
        if low and self._parts[low - 1][1] > start:
            low -= 1
        high = low
        while high < len(self._parts) and self._parts[high][0] < stop:
            high += 1
        old = self._parts[low:high]
        new = [(start, stop, owner)]
        if old and old[0][0] < start:
            new.insert(0, (old[0][0], start, old[0][2]))
        if old and old[-1][1] > stop:
            new.append((stop, old[-1][1], old[-1][2]))
        self._parts[low:high] = new
        self._starts[low:high] = [part[0] for part in new]
        return old[0][2] if old else None
