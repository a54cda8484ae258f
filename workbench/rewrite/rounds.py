"""Rounds: a rewrite that makes new places for itself, applied until none is left."""

from __future__ import annotations

from collections.abc import Callable

from workbench.ir import IRModule
from workbench.rewrite.derivation import Derivation, NodeRef
from workbench.rewrite.passes import PassResult
from workbench.support import Diagnostic


def in_rounds(module: IRModule, once: Callable[[IRModule], PassResult]) -> PassResult:
    """What `once` gives at last, with derivations from the first module to the last.

    The remarks are those of the last round, since what stays is said in each.
    """
    origins: dict[NodeRef, tuple[NodeRef, ...]] = {}
    found: dict[NodeRef, Derivation] = {}
    remarks: tuple[Diagnostic, ...] = ()
    current = module
    while True:
        result = once(current)
        remarks = result.remarks
        if result.module is current:
            break
        for step in result.derivations:
            sources = step.sources
            if len(sources) == 1:
                sources = origins.get(sources[0], sources)
            elif origins:
                sources = tuple(s for ref in sources for s in origins.get(ref, (ref,)))
            whole = sources is step.sources and len(step.results) == 1
            for ref in step.results:
                origins[ref] = sources
                made = step if whole else Derivation(step.rule, sources, (ref,), step.relation)
                found[ref] = made
        current = result.module
    there = [d for ref, d in found.items() if ref.function in current]
    return PassResult(current, tuple(there), remarks)
