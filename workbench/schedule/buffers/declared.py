"""Declared regions of blocks whose body changes: analysis computes them again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from workbench.ir import Block, Stmt
from workbench.schedule.buffers.mentions import is_opaque
from workbench.schedule.scope import replace_statement, walk_statements


def left_to_analysis(body: Stmt, path: Sequence[Stmt]) -> Stmt:
    """`body` where the blocks of a path, by their ids, declare no regions.

    What a rewrite puts into them they do not declare. Blocks that call what analysis cannot see
    into keep their regions.
    """
    for stmt in path:
        if isinstance(stmt, Block) and (stmt.reads is not None or stmt.writes is not None):
            body = _undeclared(body, stmt)
    return body


def _undeclared(body: Stmt, old: Block) -> Stmt:
    for stmt in walk_statements(body):
        if isinstance(stmt, Block) and stmt.id == old.id:
            if is_opaque(stmt):
                return body
            return replace_statement(body, stmt, replace(stmt, reads=None, writes=None))
    return body
