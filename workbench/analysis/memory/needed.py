"""Whether somebody needs a value after a step, or it is not ours to write over."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.analysis.memory.values import Step, Values, exclusive


def why_needed(found: Values, operand: int, now: int) -> str:
    """Why step `now` may write over no part of a value that it reads; empty where it may."""
    value = found.values[operand]
    match value.owner:
        case "parameter":
            return "its memory is the caller's"
        case "constant":
            return "it is a constant"
        case "python":
            return "its memory is Python's"
        case "planned":
            pass
    if value.returned:
        return "the function returns it"
    reader = next(later_readers(found, operand, now), None)
    return "" if reader is None else f"`{found.steps[reader].name}` reads it later"


def later_readers(found: Values, operand: int, now: int) -> Iterator[int]:
    """Steps that read a value after step `now` where that ran, the last first."""
    here = found.steps[now]
    for reader in reversed(found.values[operand].readers):
        if reader <= now:
            return
        if not here.arms or not exclusive(here, found.steps[reader]):
            yield reader


def why_copied(found: Values, step: Step, output: int) -> str:
    """Why a result that a call writes over an argument is written over a copy of it.

    Empty where there is no copy. The result is one with an argument in `step.inplace`.
    """
    operand = step.operands[step.inplace[output]]
    assert operand is not None
    if step.operands.count(operand) > 1:
        return "the call takes it twice"
    return why_needed(found, operand, found.values[step.outputs[output]].first)


def copies(found: Values) -> Iterator[tuple[Step, int, str]]:
    """The results of `call_tir_inplace` that are written over copies: step, output, reason."""
    for step in found.steps:
        for output, index in enumerate(step.inplace):
            if index >= 0 and (why := why_copied(found, step, output)):
                yield step, output, why
