"""Refusals: how a plan that cannot be made says why."""

from __future__ import annotations

from workbench.analysis.dependence import Answer


class RefusedError(Exception):
    """A plan ends with an answer that refuses."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.message)
        self.answer = answer
