"""Code without blocks: the form in which descriptions and programs are compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from workbench.analysis.arith import Facts
from workbench.analysis.dependence.views import behind, region_behind
from workbench.analysis.simplification import simplify_statement
from workbench.codegen.lower import lower
from workbench.ir import (
    Block,
    BufferRegion,
    BufferType,
    For,
    IntImm,
    Load,
    Range,
    Stmt,
    Store,
    TensorFunction,
    map_children,
    walk,
)
from workbench.ir.traverse import Node
from workbench.schedule.facts import facts_of
from workbench.support import IdSource
from workbench.support.identity_memo import IdentityMemo


def plain(function: TensorFunction, body: Stmt, ids: IdSource, facts: Facts) -> Stmt:
    """A statement of a function as simplified loops over stores: axes are their values.

    Predicates that `facts` prove are gone, and so are loops of extent 1.
    """
    return simplify_statement(lower(replace(function, body=body, allocations=()), ids), facts)


def through_views(code: Stmt, around: Sequence[Stmt]) -> Stmt:
    """Code on the buffers behind the names that blocks around it give to regions of them."""
    views = {
        view.buffer.id: view
        for stmt in around
        if isinstance(stmt, Block)
        for view in stmt.match_buffers
    }
    if not views:
        return code

    def through(node: Node) -> Node:
        changed = map_children(node, through)
        match changed:
            case Load(buffer=buffer, indices=indices):
                return Load(*behind(views, buffer, indices))
            case Store(buffer=buffer, indices=indices):
                source, moved = behind(views, buffer, indices)
                return replace(changed, buffer=source, indices=moved)
            case BufferRegion():
                source, ranges = region_behind(views, changed)
                return BufferRegion(source, tuple(Range(*item) for item in ranges))
            case _:
                return changed

    return through(code)


@lru_cache(maxsize=256)
def described(description: TensorFunction) -> Stmt:
    """A description in that form."""
    facts = facts_of(description)
    return plain(description, description.body, IdSource(description.next_id), facts)


def plausible(description: TensorFunction, code: Stmt) -> bool:
    """Whether code has the dtypes and the constant extents of a description; quickly said."""
    wanted, found = _outline(description.body), _outline(code)
    return wanted.extents <= found.extents and wanted.dtypes == found.dtypes


@dataclass(frozen=True, slots=True)
class _Outline:
    """How often loops have a constant extent, and the dtypes that are written and read."""

    extents: Counter[int]
    dtypes: tuple[frozenset[str], frozenset[str]]


def _outline(body: Stmt) -> _Outline:
    return _OUTLINES.get(body, lambda: _outlined(body))


_OUTLINES: IdentityMemo[Stmt, _Outline] = IdentityMemo(256)


def _outlined(body: Stmt) -> _Outline:
    extents: Counter[int] = Counter()
    dtypes: tuple[set[str], set[str]] = (set(), set())
    for node in walk(body):
        if isinstance(node, For) and isinstance(node.extent, IntImm) and node.extent.value != 1:
            extents[node.extent.value] += 1
        elif isinstance(node, Load | Store) and isinstance(node.buffer.type, BufferType):
            dtypes[isinstance(node, Load)].add(node.buffer.type.dtype)
    return _Outline(extents, (frozenset(dtypes[0]), frozenset(dtypes[1])))
