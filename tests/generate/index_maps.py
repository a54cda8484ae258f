"""Random index maps: indices taken apart, put together, moved, skewed and turned around."""

from __future__ import annotations

from tests.generate.choices import Choices, chance, pick


def random_index_map(choices: Choices, rank: int) -> str:
    """The text of a map of so many indices, often one that keeps all elements apart."""
    names = [f"i{n}" for n in range(rank)]
    parts = list(names)
    for _ in range(choices.integer(0, 3) if parts else 0):
        pick(choices, (_apart, _together, _moved, _skewed))(choices, parts)
    if parts and chance(choices, 6):
        parts[0] = f"{choices.integer(3, 12)} - ({parts[0]})"
    comma = "," if len(parts) == 1 else ""
    return f"lambda {', '.join(names)}: ({', '.join(parts)}{comma})".replace("lambda :", "lambda:")


def _apart(choices: Choices, parts: list[str]) -> None:
    position, factor = choices.integer(0, len(parts) - 1), choices.integer(1, 4)
    part = parts[position]
    parts[position] = f"({part}) // {factor}"
    parts.append(f"({part}) % {factor}")


def _together(choices: Choices, parts: list[str]) -> None:
    if len(parts) > 1:
        high = parts.pop(choices.integer(0, len(parts) - 1))
        low = parts.pop(choices.integer(0, len(parts) - 1))
        whole = f"({high}) * {choices.integer(2, 12)} + ({low})"
        parts.insert(choices.integer(0, len(parts)), whole)


def _moved(choices: Choices, parts: list[str]) -> None:
    part = parts.pop(choices.integer(0, len(parts) - 1))
    parts.insert(choices.integer(0, len(parts)), part)


def _skewed(choices: Choices, parts: list[str]) -> None:
    first, second = choices.integer(0, len(parts) - 1), choices.integer(0, len(parts) - 1)
    if first != second:
        parts[first] = f"({parts[first]}) + ({parts[second]}) * {choices.integer(1, 2)}"
