"""What applies here, and why the rest does not."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping

import msgspec

from workbench.ir import IRModule, module_digest
from workbench.passes import BindSymbolicVariables
from workbench.rewrite import Pass, Refusal, Rule, Site
from workbench.session.catalogue import (
    is_builtin,
    known_passes,
    pass_code,
    required_parameters,
    run_pass,
)
from workbench.session.extents import told
from workbench.session.flow import FlowValue
from workbench.session.naming import exact_name
from workbench.support import CompileError
from workbench.view.protocol import ActionView, NumberView

MOST_WORDS = 160


def module_actions(module: IRModule, variable: str) -> list[ActionView]:
    """All passes that need no parameters, tried on the whole module."""
    return [
        _whole(module, kind, variable) for kind in known_passes() if not required_parameters(kind)
    ]


def specialising(
    module: IRModule,
    extents: Mapping[str, int],
    numbers: Mapping[str, int] | None,
    variable: str,
) -> list[ActionView]:
    """The module for known extents, where some are symbolic.

    `extents` are those of the inputs of checks, `numbers` what somebody chose instead: a dimension
    that is not among them stays symbolic.
    """
    if not extents:
        return []
    wanted = extents if numbers is None else numbers
    fields = [NumberView(name=name, value=wanted.get(name)) for name in extents]
    found = ActionView(
        name=BindSymbolicVariables.__name__,
        applies=False,
        reason="give at least one dimension a number",
        doc=_doc(BindSymbolicVariables),
        numbers=fields,
    )
    if not wanted:
        return [found]
    try:
        chosen = BindSymbolicVariables(wanted)
        run_pass(chosen, module)
    except CompileError as error:
        return [msgspec.structs.replace(found, reason=_short(error.diagnostics[0].message))]
    code = f"{variable}.apply({pass_code(chosen)})"
    reason = f"specialise for {told(wanted)}"
    return [msgspec.structs.replace(found, applies=True, reason=reason, code=code)]


def value_actions(module: IRModule, value: FlowValue, variable: str) -> list[ActionView]:
    """Rules at one value; other passes on the whole module."""
    found: list[ActionView] = []
    exact = exact_name(module, value)
    for kind in known_passes():
        if required_parameters(kind):
            continue
        if issubclass(kind, Rule) and value.expr is not None:
            found.append(_at(module, kind, value, exact, variable))
        else:
            found.append(_whole(module, kind, variable))
    return found


def pass_at(kind: type[Pass], module: IRModule, value: FlowValue | None) -> Pass:
    """The pass at one value where it can be restricted, else everywhere."""
    if value is None or not issubclass(kind, Rule):
        return kind()
    return kind(only=(exact_name(module, value),))


def _whole(module: IRModule, kind: type[Pass], variable: str) -> ActionView:
    return msgspec.structs.replace(_whole_answer(module, kind, variable), doc=_doc(kind))


def _whole_answer(module: IRModule, kind: type[Pass], variable: str) -> ActionView:
    name = kind.__name__
    try:
        chosen = kind()
        notes = _notes_of_sites(module, chosen)
        code = f"{variable}.apply({pass_code(chosen)})"
        if not is_builtin(kind):
            return ActionView(name=name, applies=True, reason="a pass of yours", code=code)
        result = run_pass(chosen, module)
    except CompileError as error:
        return _refused(name, error, "module")
    changed = module_digest(result.module) != module_digest(module)
    if not changed:
        reason = result.remarks[0].message if result.remarks else chosen.absent
        return ActionView(name=name, applies=False, reason=_short(reason), code=code)
    only = notes[0] if len(notes) == 1 else ""
    reason = _short(only) or _amount(len(notes) or len(result.derivations))
    return ActionView(name=name, applies=True, reason=reason, sites=len(notes), code=code)


def _notes_of_sites(module: IRModule, chosen: Pass) -> list[str]:
    """What a rule says of each of its sites."""
    if not isinstance(chosen, Rule):
        return []
    return [found.note for found in chosen.sites(module) if isinstance(found, Site)]


def _at(
    module: IRModule, kind: type[Rule], value: FlowValue, exact: str, variable: str
) -> ActionView:
    answer = _answer_at(module, kind, value, exact, variable)
    return msgspec.structs.replace(answer, doc=_doc(kind))


def _answer_at(
    module: IRModule, kind: type[Rule], value: FlowValue, exact: str, variable: str
) -> ActionView:
    name = kind.__name__
    here = value.ref
    try:
        chosen = kind()
        restricted = dataclasses.replace(chosen, only=(exact,))
        code = f"{variable}.apply({pass_code(restricted)})"
        refusal, elsewhere = "", False
        for found in chosen.sites(module):
            if isinstance(found, Site):
                elsewhere = True
                if here in found.refs:
                    reason = found.note or _amount(len(found.nodes))
                    return ActionView(
                        name=name,
                        applies=True,
                        reason=reason,
                        sites=1,
                        code=code,
                        scope="selection",
                    )
            elif not refusal and _is_here(found, value):
                refusal = found.diagnostic.message
    except CompileError as error:
        return _refused(name, error, "selection")
    absent = "applies to other values, not to this one" if elsewhere else chosen.absent
    reason = _short(refusal or absent)
    return ActionView(name=name, applies=False, reason=reason, code=code, scope="selection")


def _is_here(refusal: Refusal, value: FlowValue) -> bool:
    diagnostic = refusal.diagnostic
    return diagnostic.node == value.ref.id and diagnostic.function in {None, value.ref.function}


def _refused(name: str, error: CompileError, scope: str) -> ActionView:
    reason = _short(error.diagnostics[0].message)
    return ActionView(
        name=name,
        applies=False,
        reason=reason,
        scope="selection" if scope == "selection" else "module",
    )


def _doc(kind: type[Pass]) -> str:
    """The first sentence of what is written about the pass."""
    text = inspect.getdoc(kind) or ""
    return (
        "" if text.startswith(f"{kind.__name__}(") else text.partition("\n\n")[0].replace("\n", " ")
    )


def _amount(count: int) -> str:
    return "1 value" if count == 1 else f"{count} values" if count else "applies"


def _short(text: str) -> str:
    return text if len(text) <= MOST_WORDS else text[: MOST_WORDS - 1] + "…"
