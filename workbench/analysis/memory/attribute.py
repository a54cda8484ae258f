"""A plan as an attribute of the graph function that it is made for.

`"memory_plan": [key, code, [["arena", 64], ["returned", 32]], [["0", 0, 0, -1], ["1>2", 1, 0, 0]]]`
has the storages with their sizes in units, then each value: the positions of the bindings that
compute it, from the outermost function on (`1.2` for output 2 of binding 1),
its storage, its offset in units, and the entry in whose place it is computed, or -1. What a branch
gives and what an arm gives are one where both have one storage and offset; else it is copied.

`key` says what sizes and lifetimes the plan was made for, `code` what functions are called. Where
the first is another one, or where what is called does not work in place any more, the plan is
stale: nobody follows it, and it is no fault.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from workbench.analysis.memory.plan import MemoryPlan
from workbench.analysis.memory.sizes import Size
from workbench.analysis.memory.values import Path, Values
from workbench.ir import (
    Attr,
    Attrs,
    GraphFunction,
    IRModule,
    TensorFunction,
    Var,
    fingerprint,
    substitute,
)
from workbench.support import CompileError, Diagnostic, NodeId

ATTRIBUTE = "memory_plan"


@dataclass(frozen=True, slots=True)
class Entry:
    """Where one output of a binding lies; `source` is the entry in whose place it is computed."""

    path: Path
    output: int
    storage: int
    offset: int
    source: int


@dataclass(frozen=True, slots=True)
class Written:
    """A plan as an attribute has it; `storages` are scope and size in units."""

    key: str
    code: str
    storages: tuple[tuple[str, int], ...]
    entries: tuple[Entry, ...]


def with_plan(module: IRModule, function: GraphFunction, plan: MemoryPlan, found: Values) -> Attrs:
    """The attributes of a function with the plan for it, that was made for its values `found`."""
    given = {
        (found.values[number].path, found.values[number].output)
        for join in found.joins.values()
        for number in join.values
    }
    entries = tuple(
        Entry(
            v.path,
            v.output,
            v.storage,
            v.offset,
            -1 if (v.path, v.output) in given else _source(v.reuse, v.source),
        )
        for v in plan.values
    )
    storages = tuple((s.scope, s.count) for s in plan.storages)
    value: Attr = (
        key_of(found),
        code_of(module, found),
        storages,
        tuple(_text(entry) for entry in entries),
    )
    return tuple(sorted({**dict(function.attrs), ATTRIBUTE: value}.items()))


def without_plan(attrs: Attrs) -> Attrs:
    """The attributes without a plan; the same object where there is none."""
    if all(name != ATTRIBUTE for name, _ in attrs):
        return attrs
    return tuple(item for item in attrs if item[0] != ATTRIBUTE)


def written_plan(name: str, function: GraphFunction) -> Written | None:
    """The plan in the attributes of a function, None where there is none.

    Raises:
        CompileError: `memory/malformed`.
    """
    attrs = dict(function.attrs)
    if ATTRIBUTE not in attrs:
        return None
    try:
        return _read(attrs[ATTRIBUTE])
    except (TypeError, ValueError, IndexError) as error:
        raise malformed(name, "it is not of the form that `PlanMemory` writes") from error


def malformed(function: str, why: str) -> CompileError:
    """The error that an attribute is no plan for its function."""
    return CompileError(
        Diagnostic(
            "memory/malformed",
            f"the memory plan of `{function}` cannot be read: {why}",
            function=function,
            hint="apply `PlanMemory` again, or take the attribute `memory_plan` away",
        )
    )


def key_of(found: Values) -> str:
    """Sizes and lifetimes that a plan is made for, as 16 hex digits."""
    numbers: Mapping[NodeId, Var] = {
        symbol.id: Var(NodeId(n), "", symbol.type) for n, symbol in enumerate(found.symbols)
    }
    state = hashlib.blake2b(digest_size=8)
    units: dict[object, str] = {}
    for value in found.values:
        size = "" if value.size is None else _size_text(value.size, numbers, units)
        lives = value.first, value.last, value.returned
        state.update(repr((value.owner, value.path, value.output, size, lives)).encode())
    for step in found.steps:
        over = (step.inplace,) if step.inplace else ()
        arms = (step.arms,) if step.arms else ()
        state.update(repr((step.path, bool(step.callee), step.operands, *over, *arms)).encode())
    return state.hexdigest()


def code_of(module: IRModule, found: Values) -> str:
    """The code of all functions that are called, as 16 hex digits."""
    state = hashlib.blake2b(digest_size=8)
    known: dict[str, bytes] = {"": b"-"}
    for step in found.steps:
        if step.callee not in known:
            callee = module[step.callee]
            assert isinstance(callee, TensorFunction)
            known[step.callee] = fingerprint(callee).encode()
        state.update(known[step.callee])
    return state.hexdigest()


def _size_text(size: Size, numbers: Mapping[NodeId, Var], units: dict[object, str]) -> str:
    if size.unit not in units:
        renamed = [
            (sorted(repr(substitute(atom, dict(numbers))) for atom in atoms), factor)
            for atoms, factor in size.unit
        ]
        units[size.unit] = repr(sorted(renamed))
    return f"{size.count} {units[size.unit]}"


def _source(reuse: str, source: int | None) -> int:
    return source if reuse == "in-place" and source is not None else -1


def _text(entry: Entry) -> Attr:
    name = ">".join(map(str, entry.path)) + (f".{entry.output}" if entry.output else "")
    return name, entry.storage, entry.offset, entry.source


def _read(value: Attr) -> Written:
    key, code, storages, entries = _items(value)
    sizes = [_items(item) for item in _items(storages)]
    return Written(
        str(key),
        str(code),
        tuple((str(scope), _number(count)) for scope, count in sizes),
        tuple(_entries(_items(entries))),
    )


def _entries(items: Sequence[Attr]) -> Iterator[Entry]:
    for number, item in enumerate(items):
        name, storage, offset, source = _items(item)
        path, _, output = str(name).partition(".")
        found = tuple(int(part) for part in path.split(">"))
        before = _number(source)
        if before >= number:
            message = "a value lies in the place of a later one"
            raise ValueError(message)
        yield Entry(found, int(output or 0), _number(storage), _number(offset), before)


def _items(value: Attr) -> Sequence[Attr]:
    if not isinstance(value, tuple):
        message = "a list was expected"
        raise TypeError(message)
    return value


def _number(value: Attr) -> int:
    if not isinstance(value, int):
        message = "a number was expected"
        raise TypeError(message)
    return value
