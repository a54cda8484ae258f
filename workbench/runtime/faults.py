"""From the status of native code to what the user sees."""

from __future__ import annotations

from workbench.runtime.context import Context
from workbench.runtime.kernels import Kernel
from workbench.runtime.program import Place
from workbench.support import CompileError, Diagnostic

OK, INTERRUPTED, OUT_OF_MEMORY = 0, -1, -2


class Cancelled(CompileError):  # noqa: N818
    """Somebody called `cancel` while the call ran; code `run/cancelled`."""


def raise_for_status(status: int, kernel: Kernel, context: Context, place: Place | None) -> None:
    """Raise what a status other than 0 means. `place` is the call in a graph function, if any.

    Raises:
        KeyboardInterrupt: SIGINT came while native code ran.
        Cancelled: the token of the call was cancelled.
        CompileError: `run/out-of-memory`, or the fault's own code, such as
            `run/out-of-bounds`.
    """
    function = place.function if place else kernel.name
    node = place.node if place else None
    if status == INTERRUPTED:
        if context.token.take_interrupt():
            raise KeyboardInterrupt
        raise Cancelled(
            Diagnostic("run/cancelled", "the run was cancelled", function=function, node=node)
        )
    if status == OUT_OF_MEMORY:
        raise CompileError(
            Diagnostic(
                "run/out-of-memory",
                f"`{kernel.name}` could not allocate its temporary buffers",
                function=function,
                node=node,
            )
        )
    raise CompileError(fault_diagnostic(status, kernel, context, place))


_CODES = {
    "bounds": "run/out-of-bounds",
    "division": "run/division-by-zero",
    "allocation": "run/out-of-memory",
}


def fault_diagnostic(
    status: int, kernel: Kernel, context: Context, place: Place | None
) -> Diagnostic:
    """The diagnostic of a fault status k > 0: what the site says, with index and bound."""
    site = kernel.code().sites[status - 1]
    notes: list[str] = []
    first, second, *_ = context.detail
    if site.kind == "bounds":
        notes.append(f"the index is `{first}`, the extent `{second}`")
    elif site.kind == "allocation":
        notes.append(f"`{first}` bytes were asked for")
    if place is not None:
        notes.append(f"called for `{place.name}` in `{place.function}`")
    return Diagnostic(
        _CODES[site.kind],
        site.message,
        function=kernel.name,
        node=site.node,
        notes=tuple(notes),
    )
