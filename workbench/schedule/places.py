"""Places that may be a loop or a block."""

from __future__ import annotations

from workbench.ir import Block, For
from workbench.schedule.primitive import bad_parameter
from workbench.schedule.scope import Scope


def place_of(scope: Scope, loop: str, block: str) -> For | Block:
    """The loop or the block, whichever is named.

    Raises:
        CompileError: `schedule/not-a-place` where both or neither is named,
            `schedule/no-such-loop`, `schedule/no-such-block`, `schedule/ambiguous-name`.
    """
    if bool(loop) == bool(block):
        found = f"both `{loop}` and `{block}`" if loop else "neither"
        message = f"expected a loop or a block, got {found}"
        raise bad_parameter(scope, "schedule/not-a-place", message)
    return scope.loop(loop) if loop else scope.block(block)
