"""What the verifiers share: faults of one function, its ids, its nesting."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from workbench.ir.expr import Var
from workbench.ir.traverse import children
from workbench.support.diagnostics import Diagnostic, Severity
from workbench.support.ids import NodeId
from workbench.support.spans import Span

MAX_DEPTH = 120
"""Nodes nested deeper than this are refused: recursion over them would end in a stack overflow."""


@dataclass(slots=True)
class Faults:
    """The faults of one function, in program order."""

    function: str
    next_id: int
    found: list[Diagnostic] = field(default_factory=list[Diagnostic])
    taken: dict[NodeId, str] = field(default_factory=dict[NodeId, str])

    def add(
        self,
        code: str,
        message: str,
        node: NodeId | None = None,
        span: Span | None = None,
        *,
        notes: tuple[str, ...] = (),
        hint: str = "",
        severity: Severity = Severity.ERROR,
    ) -> None:
        """Record a fault."""
        self.found.append(
            Diagnostic(
                code,
                message,
                severity,
                node=node,
                function=self.function,
                span=span,
                notes=notes,
                hint=hint,
            )
        )

    def take(self, id_: NodeId, name: str, span: Span | None = None) -> None:
        """Note a definition: its id must be free and below `next_id`."""
        if id_ in self.taken:
            self.add(
                "ir/duplicate-id",
                f"`{name}` has id {id_}, which `{self.taken[id_]}` has already",
                id_,
                span,
            )
        if not 0 <= id_ < self.next_id:
            self.add(
                "ir/id-out-of-range",
                f"`{name}` has id {id_}, ids of this function are below {self.next_id}",
                id_,
                span,
            )
        self.taken.setdefault(id_, name)

    def undefined(self, var: Var, at: NodeId | None, span: Span | None) -> None:
        """Record a use without a definition that is in scope."""
        why = "is used outside its scope" if var.id in self.taken else "is not defined"
        self.add("ir/undefined", f"`{var.name}` {why}", at, span)


def too_deep(root: object) -> bool:
    """Whether nodes are nested deeper than `MAX_DEPTH`; does not recurse."""
    stack: list[tuple[Any, int]] = [(root, 0)]
    types: set[int] = set()
    while stack:
        node, depth = stack.pop()
        if depth > MAX_DEPTH:
            return True
        if type(node) is Var:
            if id(node.type) in types:
                continue
            types.add(id(node.type))
        stack.extend((child, depth + 1) for child in children(node))
    return False
