"""Dependence analysis: the four answers that schedule primitives and the verifier ask for."""

from workbench.analysis.dependence.answers import (
    Answer,
    AnswerKind,
    applies,
    illegal,
    inapplicable,
    unproved,
)
from workbench.analysis.dependence.carried import Carried
from workbench.analysis.dependence.dependences import Dependences, dependences
from workbench.analysis.dependence.moves import Time
from workbench.analysis.dependence.regions import Region, Regions, regions
from workbench.analysis.dependence.statements import Access, Statement

__all__ = [
    "Access",
    "Answer",
    "AnswerKind",
    "Carried",
    "Dependences",
    "Region",
    "Regions",
    "Statement",
    "Time",
    "applies",
    "dependences",
    "illegal",
    "inapplicable",
    "regions",
    "unproved",
]
