"""Dependence analysis of tensor functions."""

from workbench.analysis.dependence.answers import (
    Answer,
    AnswerKind,
    applies,
    illegal,
    inapplicable,
    unproved,
)
from workbench.ir import TensorFunction


class Dependences:
    """The dependences of a tensor function."""


def dependences(function: TensorFunction) -> Dependences:
    """The dependences of a tensor function."""
    raise NotImplementedError(function)


__all__ = [
    "Answer",
    "AnswerKind",
    "Dependences",
    "applies",
    "dependences",
    "illegal",
    "inapplicable",
    "unproved",
]
