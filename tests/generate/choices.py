"""Where a generator takes its decisions from: a seed, or hypothesis, which can shrink them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

import numpy as np
from hypothesis import strategies as st

T = TypeVar("T")


class Choices(Protocol):
    """A source of decisions."""

    def integer(self, low: int, high: int) -> int:
        """A number from `low` to `high`, both included; shrinks to `low`."""
        ...


class Seeded:
    """Decisions that a seed fixes."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def integer(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))


class Drawn:
    """Decisions that hypothesis draws."""

    def __init__(self, data: st.DataObject) -> None:
        self.data = data

    def integer(self, low: int, high: int) -> int:
        return self.data.draw(st.integers(low, high))


def pick(choices: Choices, items: Sequence[T]) -> T:
    """One of `items`; shrinks to the first."""
    return items[choices.integer(0, len(items) - 1)]


def chance(choices: Choices, one_in: int) -> bool:
    """True once in so many times; shrinks to False."""
    return choices.integer(0, one_in - 1) == one_in - 1
