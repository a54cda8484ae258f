"""Does the plan in the attributes of a function fit it, and is it right?

A plan that was made for other sizes, lifetimes or code is stale: nobody follows it. One that was
made for these and puts two values that live together into the same bytes is a fault.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import get_args

from workbench.analysis.memory.attribute import (
    ATTRIBUTE,
    Entry,
    Written,
    code_of,
    key_of,
    malformed,
    written_plan,
)
from workbench.analysis.memory.groups import Group, Groups
from workbench.analysis.memory.inplace import why_not_in_place
from workbench.analysis.memory.needed import why_copied, why_needed
from workbench.analysis.memory.placement import rounded
from workbench.analysis.memory.plan import Scope
from workbench.analysis.memory.reading import values_of
from workbench.analysis.memory.sizes import Size
from workbench.analysis.memory.values import Path, Step, Value, Values
from workbench.ir import GraphFunction, IRModule, TensorFunction
from workbench.ir.numbers import element_bytes
from workbench.support import CompileError, Diagnostic

Key = tuple[Path, int]
"""A value: the path of its binding, and which output it is."""


@dataclass(frozen=True, slots=True)
class Merge:
    """An output that a call writes where inputs lie.

    `sources` and `target` are operands of the call by position, outputs after inputs, which are
    the parameters of the tensor function `callee`, or of its form `out_of_place`; `value` is what
    is written, `before` what lay there.
    """

    callee: str
    sources: tuple[int, ...]
    target: int
    value: Key
    before: Key


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a value lies: `offset` units of a storage. It takes `size`."""

    storage: int
    offset: int
    size: Size


@dataclass(frozen=True, slots=True)
class Fitted:
    """A plan to follow: storages as scope and size in units, spots, merges by path of the call.

    `spots` is None where there is no plan, and only calls say what they write over what.
    `inplace` are the calls that do: what they are, with the number of their arguments. `joined`
    are values of branches with what an arm gives, where both lie in one place.
    """

    storages: tuple[tuple[str, int], ...]
    spots: dict[Key, Spot] | None
    merges: dict[Path, tuple[Merge, ...]]
    inplace: dict[Path, Step] = field(default_factory=dict[Path, Step])
    joined: tuple[tuple[Key, Key], ...] = ()


def fitted_plan(module: IRModule, name: str) -> Fitted | str:
    """The plan of a graph function of a module that was verified; or why there is none to follow.

    Empty where the function has no plan.
    """
    function = module[name]
    assert isinstance(function, GraphFunction)
    written = written_plan(name, function)
    if written is None:
        return ""
    found = values_of(module, name)
    if found.unknown:
        return found.unknown
    if key_of(found) != written.key:
        return "it was made for other bindings"
    keys = _keys(found)
    if code_of(module, found) != written.code:
        values = [found.values[keys[entry.path, entry.output]] for entry in written.entries]
        for number, entry in enumerate(written.entries):
            if entry.source >= 0 and _why_not(module, found, written, values, number):
                return f"the function that computes `{values[number].name}` is another one now"
    spots: dict[Key, Spot] = {}
    merges: dict[Path, tuple[Merge, ...]] = {}
    for entry in written.entries:
        size = _size(found.values[keys[entry.path, entry.output]])
        spots[entry.path, entry.output] = Spot(entry.storage, entry.offset, size)
    steps = {step.path: step for step in found.steps}
    for entry in written.entries:
        if entry.source >= 0:
            merge = _merge(written, keys, steps[entry.path], entry)
            merges[entry.path] = (*merges.get(entry.path, ()), merge)
    joined = (
        (_key(found, value), _key(found, given))
        for value, given in _at_joins(found)
        if _one_spot(found, spots, value, given)
    )
    return Fitted(written.storages, spots, merges, _inplace(found), tuple(joined))


def unplanned(found: Values) -> Fitted:
    """What calls write over their arguments because they say so (`call_tir_inplace`), no plan."""
    merges: dict[Path, tuple[Merge, ...]] = {}
    for step in found.steps:
        for output, index in enumerate(step.inplace):
            if index >= 0 and not why_copied(found, step, output):
                operand = step.operands[index]
                assert operand is not None
                before = found.values[operand].path, found.values[operand].output
                target = len(step.operands) + output
                merge = Merge(step.callee, (index,), target, (step.path, output), before)
                merges[step.path] = (*merges.get(step.path, ()), merge)
    return Fitted((), None, merges, _inplace(found), tuple(_unplanned_joins(found)))


def _unplanned_joins(found: Values) -> Iterator[tuple[Key, Key]]:
    """What branches give that lies where their arms compute it."""
    groups = Groups(found)
    for number, step in enumerate(found.steps):
        for position, output in enumerate(step.outputs):
            if found.values[output].owner != "planned":
                continue
            over = step.inplace[position] if step.inplace else -1
            before = step.operands[over] if over >= 0 else None
            if before is None or why_copied(found, step, position):
                groups.alone(output)
            else:
                groups.follow(output, before)
        if number in found.joins:
            for value, given, why in groups.join(found.joins[number]):
                if not why:
                    yield _key(found, value), _key(found, given)


def _at_joins(found: Values) -> Iterator[tuple[int, int]]:
    """What branches give, each with what an arm gives for it."""
    for join in found.joins.values():
        for position, value in enumerate(join.values):
            if found.values[value].owner == "planned":
                for step in (join.then, join.otherwise):
                    given = found.steps[step].operands[position]
                    assert given is not None
                    yield value, given


def _key(found: Values, number: int) -> Key:
    return found.values[number].path, found.values[number].output


def _one_spot(found: Values, spots: Mapping[Key, Spot], one: int, other: int) -> bool:
    """Whether two values lie in one place."""
    a, b = spots.get(_key(found, one)), spots.get(_key(found, other))
    return a is not None and b is not None and (a.storage, a.offset) == (b.storage, b.offset)


def _inplace(found: Values) -> dict[Path, Step]:
    return {step.path: step for step in found.steps if step.inplace}


def _keys(found: Values) -> dict[Key, int]:
    return {(v.path, v.output): n for n, v in enumerate(found.values) if v.owner == "planned"}


def _merge(written: Written, keys: dict[Key, int], step: Step, entry: Entry) -> Merge:
    source = written.entries[entry.source]
    before = source.path, source.output
    positions = tuple(n for n, value in enumerate(step.operands) if value == keys[before])
    target = len(step.operands) + entry.output
    return Merge(step.callee, positions, target, (entry.path, entry.output), before)


# --- faults -----------------------------------------------------------------------------------


def plan_faults(module: IRModule, name: str, function: GraphFunction) -> tuple[Diagnostic, ...]:
    """What is wrong with the plan of a function that is well formed otherwise."""
    if all(attribute != ATTRIBUTE for attribute, _ in function.attrs):
        return ()
    try:
        written = written_plan(name, function)
        assert written is not None
        found = values_of(module, name)
        if found.unknown or key_of(found) != written.key:
            return ()
        faults = tuple(_faults(module, name, written, found))
        stale = any(fault.code == "memory/not-in-place" for fault in faults)
        return () if stale and code_of(module, found) != written.code else faults
    except CompileError as error:
        return error.diagnostics


def _faults(module: IRModule, name: str, written: Written, found: Values) -> Iterator[Diagnostic]:
    keys = _keys(found)
    numbers = [keys.get((entry.path, entry.output)) for entry in written.entries]
    if None in numbers or sorted(n for n in numbers if n is not None) != sorted(keys.values()):
        raise malformed(name, "its values are not those of the function")
    values = [found.values[n] for n in numbers if n is not None]
    spots = {
        (entry.path, entry.output): Spot(entry.storage, entry.offset, _size(value))
        for entry, value in zip(written.entries, values, strict=True)
    }
    by_storage: dict[int, list[Value]] = {}
    for number, entry in enumerate(written.entries):
        _check_storage(name, written, entry, values[number])
        if entry.source >= 0:
            yield from _not_in_place(module, name, written, found, values, number)
        by_storage.setdefault(entry.storage, []).append(values[number])
    for storage, (scope, count) in enumerate(written.storages):
        _check_members(name, scope, count, by_storage.get(storage, []))
    groups = Groups(found)
    sources = {
        keys[entry.path, entry.output]: keys[before.path, before.output]
        for entry in written.entries
        if entry.source >= 0
        for before in (written.entries[entry.source],)
    }
    yield from _join_faults(name, found, spots, groups, sources)
    for group in groups.all():
        last = group.members[-1]
        scope = written.storages[spots[_key(found, last)].storage][0]
        if scope == "returned" and not group.returned:
            why = f"`{found.values[last].name}` is not returned, and lies where results do"
            raise malformed(name, why)
    yield from _overlaps(name, found, spots, groups)


def _join_faults(
    name: str,
    found: Values,
    spots: Mapping[Key, Spot],
    groups: Groups,
    sources: Mapping[int, int],
) -> Iterator[Diagnostic]:
    """Finds out what lies in one place; values of branches that cannot lie where they do."""
    for number, step in enumerate(found.steps):
        for output in step.outputs:
            before = sources.get(output)
            if found.values[output].owner != "planned":
                continue
            if before in groups.of and _one_spot(found, spots, output, before):
                groups.follow(output, before)
            else:
                groups.alone(output)
        if number not in found.joins:
            continue
        joined = groups.join(found.joins[number], partial(_one_spot, found, spots))
        for value, given, why in joined:
            if why:
                yield _apart(name, found.values[value], found.values[given], why)


def _check_members(name: str, scope: str, count: int, values: Sequence[Value]) -> None:
    if scope not in get_args(Scope):
        raise malformed(name, f"a storage is `arena` or `returned`, not `{scope}`")
    sizes = [_size(value) for value in values]
    if len({size.unit for size in sizes}) > 1:
        raise malformed(name, "values of one storage have sizes of different kinds")
    most = sum(rounded(size.count) for size in sizes)
    if not 0 <= count <= most:
        raise malformed(name, f"a storage has `{count}` units, its values take at most `{most}`")


def _size(value: Value) -> Size:
    assert value.size is not None
    return value.size


def _check_storage(name: str, written: Written, entry: Entry, value: Value) -> None:
    if not 0 <= entry.storage < len(written.storages):
        raise malformed(name, f"there is no storage `{entry.storage}`")
    scope, count = written.storages[entry.storage]
    if entry.offset < 0 or entry.offset + _size(value).count > count:
        raise malformed(name, f"`{value.name}` lies outside of its storage")
    assert value.type is not None
    assert value.type.dtype is not None
    if entry.offset % element_bytes(value.type.dtype):
        raise malformed(name, f"`{value.name}` begins inside of an element, at `{entry.offset}`")
    if value.returned and scope != "returned":
        raise malformed(name, f"`{value.name}` is returned, and lies in the arena")


def _not_in_place(
    module: IRModule,
    name: str,
    written: Written,
    found: Values,
    values: Sequence[Value],
    number: int,
) -> Iterator[Diagnostic]:
    entry, value = written.entries[number], values[number]
    other, before = written.entries[entry.source], values[entry.source]
    why = _why_not(module, found, written, values, number)
    if not why and (other.storage, other.offset) != (entry.storage, entry.offset):
        why = "the plan puts them elsewhere"
    if why:
        yield _apart(name, value, before, why)


def _apart(name: str, value: Value, before: Value, why: str) -> Diagnostic:
    return Diagnostic(
        "memory/not-in-place",
        f"`{value.name}` cannot be computed in place of `{before.name}`: {why}",
        function=name,
        node=value.ids[0],
    )


def _why_not(
    module: IRModule, found: Values, written: Written, values: Sequence[Value], number: int
) -> str:
    entry, value = written.entries[number], values[number]
    before = values[entry.source]
    step = found.steps[value.first]
    sources = [
        n for n, o in enumerate(step.operands) if o is not None and found.values[o] is before
    ]
    if not sources:
        return "the call does not read it"
    operand = step.operands[sources[0]]
    assert operand is not None
    if step.inplace:
        if step.inplace[entry.output] not in sources:
            return "the call writes it elsewhere"
        return why_copied(found, step, entry.output)
    why = why_needed(found, operand, value.first)
    if why:
        return why
    if not step.callee:
        return "it is not known how a library reads and writes"
    callee = module[step.callee]
    assert isinstance(callee, TensorFunction)
    target = len(step.operands) + entry.output
    reasons = (why_not_in_place(callee, source, target) for source in sources)
    return next((why for why in reasons if why), "")


def _overlaps(
    name: str, found: Values, spots: Mapping[Key, Spot], groups: Groups
) -> Iterator[Diagnostic]:
    """What lives together in one place: a sweep over time, ranges in the order of bytes."""
    begins = groups.all()
    ends = sorted(range(len(begins)), key=lambda n: begins[n].last)
    alive: dict[int, list[tuple[int, int, int]]] = {}
    done = 0
    for number, group in enumerate(begins):
        while begins[ends[done]].last < group.first:
            storage, range_ = _range(found, spots, begins, ends[done])
            if range_[0] < range_[1]:
                del alive[storage][bisect_left(alive[storage], range_)]
            done += 1
        storage, range_ = _range(found, spots, begins, number)
        if range_[0] < range_[1]:
            beside = alive.setdefault(storage, [])
            yield from _touching(name, found, begins, beside, range_)
            insort(beside, range_)


def _range(
    found: Values, spots: Mapping[Key, Spot], groups: Sequence[Group], number: int
) -> tuple[int, tuple[int, int, int]]:
    spot = spots[_key(found, groups[number].members[0])]
    return spot.storage, (spot.offset, spot.offset + spot.size.count, number)


def _touching(
    name: str,
    found: Values,
    groups: Sequence[Group],
    alive: Sequence[tuple[int, int, int]],
    range_: tuple[int, int, int],
) -> Iterator[Diagnostic]:
    start, stop, number = range_
    position = bisect_left(alive, range_)
    for beside in (position - 1, position):
        if not 0 <= beside < len(alive):
            continue
        low, high, neighbour = alive[beside]
        if low < stop and start < high:
            value, other = _together(found, groups[number], groups[neighbour])
            yield Diagnostic(
                "memory/overlap",
                f"`{value.name}` and `{other.name}` are needed at the same time and share memory",
                function=name,
                node=value.ids[0],
                notes=(f"both have the bytes from `{max(low, start)}` to `{min(high, stop) - 1}`",),
                hint="apply `PlanMemory` again, or take the attribute `memory_plan` away",
            )


def _together(found: Values, group: Group, other: Group) -> tuple[Value, Value]:
    """A value of each of two groups, needed at one time if there are such."""
    values = [found.values[number] for number in group.members]
    others = [found.values[number] for number in other.members]
    pairs = ((a, b) for a in values for b in others if a.first <= b.last and b.first <= a.last)
    return next(pairs, (values[0], others[0]))
