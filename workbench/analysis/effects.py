"""Effects: what must run, and in order, though nobody reads its value."""

from __future__ import annotations

from collections.abc import Callable

from workbench.ir import (
    Body,
    CallFunction,
    CallPacked,
    GraphExpr,
    GraphFunction,
    IfThenElse,
    IRModule,
    MatchCast,
    PackedStyle,
)


def has_effect(value: GraphExpr, module: IRModule) -> bool:
    """Whether a right side may do something that others see: what it calls included.

    A `match_cast` has none: it only checks (`must_run`).
    """
    match value:
        case CallPacked(style=style):
            return style is PackedStyle.EFFECT
        case CallFunction(callee=callee):
            function = module[callee]
            return isinstance(function, GraphFunction) and not function.pure
        case IfThenElse(then=then, otherwise=otherwise):
            return _any(then, module, has_effect) or _any(otherwise, module, has_effect)
        case _:
            return False


def must_run(value: GraphExpr, module: IRModule) -> bool:
    """Whether a right side has an effect or is a check."""
    if isinstance(value, IfThenElse):
        return _any(value.then, module, must_run) or _any(value.otherwise, module, must_run)
    return isinstance(value, MatchCast) or has_effect(value, module)


def _any(body: Body, module: IRModule, test: Callable[[GraphExpr, IRModule], bool]) -> bool:
    return any(test(b.value, module) for block in body.blocks for b in block.bindings)
