"""Implementations: the ways in which one value could be computed, each of them a pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from workbench import passes
from workbench.ir import Binding, CallTIR, CallTIRInplace, IRModule, Var
from workbench.rewrite import Pass
from workbench.session.flow import FlowValue
from workbench.session.lineage import Lineage
from workbench.session.naming import exact_name, find_value
from workbench.support import CompileError, Diagnostic

Kind = Literal["generated", "schedule", "library", "reference", "user"]


@dataclass(frozen=True, slots=True)
class Implementation:
    """One way to compute a value: `step` chooses it; `reason` says why it is not available."""

    name: str
    kind: Kind
    description: str
    current: bool
    available: bool
    reason: str
    step: Pass


def implementations_of(module: IRModule, value: FlowValue) -> tuple[Implementation, ...]:
    """The implementations of a value of the module; none for parameters and constants."""
    binding = binding_of(value)
    if binding is None:
        return ()
    return tuple(
        Implementation(
            found.name,
            found.kind,
            found.description,
            found.current,
            found.available,
            found.reason,
            implementation_pass(module, value, found.name),
        )
        for found in passes.implementations(module, value.ref.function, binding)
    )


def binding_of(value: FlowValue) -> Binding | None:
    """The binding of a value, None for parameters."""
    if value.expr is None or value.is_param:
        return None
    return Binding(Var(value.ref.id, value.name, value.type), value.expr)


def implementation_pass(
    module: IRModule, value: FlowValue, implementation: str | Callable[..., Any]
) -> Pass:
    """The pass that computes the value by that implementation, or by a function."""
    if not isinstance(implementation, str):
        return passes.ImplementByFunction(exact_name(module, value), implementation)
    return passes.Implement(exact_name(module, value), implementation)


def edit_pass(module: IRModule, path: Sequence[Lineage], name: str, text: str) -> Pass:
    """The pass that gives a tensor function (`name`, or what the value `name` calls) another text.

    Raises:
        CompileError: `session/nothing-to-edit`.
    """
    if name in module.tensor_functions:
        return passes.ReplaceFunction(name, text)
    if name in module.graph_functions:
        there = ", ".join(f"`{known}`" for known in module.tensor_functions)
        raise CompileError(
            Diagnostic(
                "session/nothing-to-edit",
                f"`{name}` is a graph function, and tensor functions can be edited",
                notes=(f"there are {there or 'none'}",),
                hint="graph functions are changed by passes, or by a script: `wb.parse(text)`",
            )
        )
    value = find_value(path, name)
    if isinstance(value.expr, CallTIR | CallTIRInplace):
        return passes.ReplaceFunction(value.expr.callee, text)
    raise CompileError(
        Diagnostic(
            "session/nothing-to-edit",
            f"`{name}` calls no tensor function",
            hint="apply `LegalizeOps` first",
        )
    )
