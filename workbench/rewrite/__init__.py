"""Rewriting: editor, passes, rules, derivations."""

from workbench.rewrite.derivation import Derivation, NodeRef, Relation
from workbench.rewrite.dimensions import with_dims
from workbench.rewrite.editor import ModuleEditor, all_bindings, expose
from workbench.rewrite.inline_call import (
    call_dimensions,
    ends_with_result,
    has_static_params,
    inline_call,
)
from workbench.rewrite.outline import FUSED, Outlined, is_fused, outline
from workbench.rewrite.passes import (
    Pass,
    PassResult,
    Property,
    Refusal,
    Rule,
    Site,
    note,
    register_pass,
    registered_passes,
    ship_passes,
)
from workbench.rewrite.pattern_rule import PatternRule
from workbench.rewrite.rounds import in_rounds

__all__ = [
    "FUSED",
    "Derivation",
    "ModuleEditor",
    "NodeRef",
    "Outlined",
    "Pass",
    "PassResult",
    "PatternRule",
    "Property",
    "Refusal",
    "Relation",
    "Rule",
    "Site",
    "all_bindings",
    "call_dimensions",
    "ends_with_result",
    "expose",
    "has_static_params",
    "in_rounds",
    "inline_call",
    "is_fused",
    "note",
    "outline",
    "register_pass",
    "registered_passes",
    "ship_passes",
    "with_dims",
]
