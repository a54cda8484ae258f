"""Rewriting: editor, passes, rules, derivations."""

from workbench.rewrite.derivation import Derivation, NodeRef, Relation
from workbench.rewrite.editor import ModuleEditor, all_bindings
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
)

__all__ = [
    "Derivation",
    "ModuleEditor",
    "NodeRef",
    "Pass",
    "PassResult",
    "Property",
    "Refusal",
    "Relation",
    "Rule",
    "Site",
    "all_bindings",
    "note",
    "register_pass",
    "registered_passes",
]
