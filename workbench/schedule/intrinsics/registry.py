"""Intrinsics by name: shipped ones are made when they are first asked for, users add theirs."""

from __future__ import annotations

from functools import cache

from workbench.ir.registry import (
    TensorIntrinsic,
    find_tensor_intrinsic,
    register_tensor_intrinsic,
    tensor_intrinsics,
)
from workbench.schedule.intrinsics.agreement import check_agreement
from workbench.schedule.intrinsics.shipped import SHIPPED
from workbench.support import CompileError, Diagnostic
from workbench.support.kinds import checks_kinds


@checks_kinds
def register_intrinsic(intrinsic: TensorIntrinsic, *, override: bool = False) -> TensorIntrinsic:
    """Add an intrinsic that `tensorize` may use.

    A second one of a name takes the place of the first where it is equal to it, or by `override`:
    the recipes and traces that name it mean the new one then. Names that we ship are taken.

    Both functions run in the interpreter on small inputs: they must give the same bits, or nearly
    the same numbers where the intrinsic `reassociates`.

    Raises:
        CompileError: `schedule/bad-intrinsic`, `schedule/intrinsic-taken`, or what is wrong with
            one of the functions.

    Reference: `tvm.tir.TensorIntrin.register`.
    """
    known = find_tensor_intrinsic(intrinsic.name)
    if intrinsic.name in SHIPPED or (known not in {None, intrinsic} and not override):
        raise CompileError(_taken(intrinsic.name))
    check_agreement(intrinsic)
    return register_tensor_intrinsic(intrinsic)


def _taken(name: str) -> Diagnostic:
    shipped = name in SHIPPED
    return Diagnostic(
        "schedule/intrinsic-taken",
        f"there is {'a shipped' if shipped else 'another'} intrinsic `{name}`",
        hint="give yours another name" if shipped else "`override=True` puts yours in its place",
    )


def intrinsic_names() -> tuple[str, ...]:
    """The names of all intrinsics there are: users' first, then those shipped."""
    own = [intrinsic.name for intrinsic in tensor_intrinsics()]
    return (*own, *(name for name in SHIPPED if name not in own))


def intrinsic(name: str) -> TensorIntrinsic:
    """The intrinsic of that name.

    Raises:
        CompileError: `schedule/no-such-intrinsic`.
    """
    found = find_tensor_intrinsic(name)
    if found is not None:
        return found
    if name not in SHIPPED:
        raise CompileError(
            Diagnostic(
                "schedule/no-such-intrinsic",
                f"no intrinsic `{name}` is registered",
                notes=(f"there are {', '.join(f'`{known}`' for known in intrinsic_names())}",),
                hint="`workbench.schedule.register_intrinsic` adds one",
            )
        )
    return _shipped(name)


@cache
def _shipped(name: str) -> TensorIntrinsic:
    return SHIPPED[name](name)
