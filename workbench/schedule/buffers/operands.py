"""Operands of primitives on buffers: which buffer a block's n-th read or write is, storage."""

from __future__ import annotations

from collections.abc import Iterable

from workbench.analysis.dependence import Answer, inapplicable
from workbench.ir import Block, BufferType, For, Load, Stmt, Store, Var, walk
from workbench.schedule.primitive import bad_parameter
from workbench.schedule.scope import Scope, defined_in

STORAGE = ("global", "local", "shared")
"""Storage scopes to offer."""


def place_named(scope: Scope, name: str) -> For | Block:
    """The block of that name, else the loop.

    Raises:
        CompileError: `schedule/no-such-block`, `schedule/ambiguous-name`.
    """
    plain = name.rpartition(".")[2].partition("#")[0]
    if any(block.name == name.partition("#")[0] for block in scope.blocks):
        return scope.block(name)
    if any(loop.var.name == plain for loop in scope.loops):
        return scope.loop(name)
    raise scope.no_place(name)


def consumers_of(scope: Scope, name: str, others: Iterable[str]) -> list[For | Block]:
    """The place and the further ones, each once, none inside another."""
    found: list[For | Block] = []
    for place in (name, *others):
        stmt = place_named(scope, place)
        if all(stmt is not known for known in found):
            found.append(stmt)
    inside = [s for stmt in found for s in walk(stmt) if s is not stmt]
    return [stmt for stmt in found if all(stmt is not s for s in inside)]


def buffers_read(place: Stmt) -> list[Var]:
    """The buffers that a statement reads, in order, without those that its block initialises."""
    if isinstance(place, Block) and place.reads is not None:
        return _once(region.buffer for region in place.reads)
    own: set[int] = set()
    if isinstance(place, Block) and place.init is not None:
        own = {node.buffer.id for node in walk(place.init) if isinstance(node, Store)}
    loads = (node.buffer for node in walk(place) if isinstance(node, Load))
    return _once(buffer for buffer in loads if buffer.id not in own)


def buffers_written(place: Stmt) -> list[Var]:
    """The buffers that a statement writes, in order."""
    if isinstance(place, Block) and place.writes is not None:
        return _once(region.buffer for region in place.writes)
    return _once(node.buffer for node in walk(place) if isinstance(node, Store))


def _once(buffers: Iterable[Var]) -> list[Var]:
    found: dict[int, Var] = {}
    for buffer in buffers:
        found.setdefault(buffer.id, buffer)
    return list(found.values())


def read_buffer(scope: Scope, place: For | Block, which: int | str) -> Var | Answer:
    """The buffer that a place reads, by position among those from outside of it, or by name."""
    return _chosen(scope, place, which, buffers_read(place), "read")


def written_buffer(scope: Scope, place: For | Block, which: int | str) -> Var | Answer:
    """The buffer that a place writes, by position among those from outside of it, or by name."""
    return _chosen(scope, place, which, buffers_written(place), "write")


def _chosen(
    scope: Scope, place: For | Block, which: int | str, found: list[Var], word: str
) -> Var | Answer:
    what = f"loop `{place.var.name}`" if isinstance(place, For) else f"block `{place.name}`"
    inside = defined_in(place)
    outside = [buffer for buffer in found if buffer.id not in inside]
    names = ", ".join(f"`{buffer.name}`" for buffer in outside) or "no buffer"
    if isinstance(which, int):
        if 0 <= which < len(outside):
            return outside[which]
        message = f"{what} has no {word} buffer number `{which}`"
        raise bad_parameter(scope, "schedule/no-such-buffer", message, f"it {word}s {names}")
    wanted = scope.buffer(which)
    if any(buffer.id == wanted.id for buffer in found):
        return next(buffer for buffer in found if buffer.id == wanted.id)
    node = place.var.id if isinstance(place, For) else place.id
    note = f"{what} {word}s {names}"
    return inapplicable(f"{what} does not {word} `{wanted.name}`", node, notes=(note,))


def buffer_of(
    scope: Scope, place: For | Block, which: int | str | tuple[str, int]
) -> tuple[Var, bool] | Answer:
    """The buffer, and whether it is meant as written, in TVM's forms: `("read", 0)`, `"A"`."""
    if isinstance(which, tuple):
        kind, number = which
        if kind not in {"read", "write"}:
            message = f'expected "read" or "write", got `{kind}`'
            raise bad_parameter(scope, "schedule/no-such-buffer", message)
        pick = read_buffer if kind == "read" else written_buffer
        found = pick(scope, place, number)
        return found if isinstance(found, Answer) else (found, kind == "write")
    if isinstance(which, int):
        found = written_buffer(scope, place, which)
        return found if isinstance(found, Answer) else (found, True)
    written = {buffer.id for buffer in buffers_written(place)}
    wanted = scope.buffer(which)
    if wanted.id in written:
        return wanted, True
    found = read_buffer(scope, place, which)
    return found if isinstance(found, Answer) else (found, False)


def is_parameter(scope: Scope, buffer: Var) -> bool:
    """Whether the caller gives the buffer."""
    return any(param.id == buffer.id for param in scope.function.params)


def check_storage(scope: Scope, storage: str) -> None:
    """Refuse what names no place in memory.

    Raises:
        CompileError: `schedule/bad-storage-scope`.
    """
    if not storage or not storage.replace(".", "_").isidentifier():
        message = f"`{storage}` names no storage scope"
        hint = 'such as "global", "local" or "shared"'
        raise bad_parameter(scope, "schedule/bad-storage-scope", message, hint)


def plain_buffer(buffer: Var) -> BufferType:
    """The type of a buffer."""
    assert isinstance(buffer.type, BufferType)
    return buffer.type
