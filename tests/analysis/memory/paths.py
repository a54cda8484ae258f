"""Plans path by path: which value each byte has, and who reads one that is gone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from workbench.analysis.memory import MemoryPlan
from workbench.analysis.memory.values import Join, Path, Step, Values

SOME_PATHS = np.random.default_rng(0).integers(0, 2, (150, 60)).tolist()
Place = tuple[int, int, int]
"""Storage, first byte, behind the last byte."""


@dataclass
class Machine:
    """Runs the steps of one path and knows which value each byte of the plan has."""

    found: Values
    places: Mapping[int, Place]
    holds: dict[int, Place] = field(default_factory=dict[int, Place])

    def run(self, arms: Mapping[int, int]) -> Iterator[str]:
        for number, step in enumerate(self.found.steps):
            if any(arms[branch] != arm for branch, arm in step.arms):
                continue
            for operand in step.operands:
                yield from self.read(operand, step)
            joins = (
                join for join in self.found.joins.values() if number in (join.then, join.otherwise)
            )
            join = next(joins, None)
            if join is None:
                for output in step.outputs:
                    self.write(output)
            else:
                yield from self.join(step, join)
        for number, value in enumerate(self.found.values):
            if value.returned and number in self.places:
                yield from self.read(number, None)

    def read(self, operand: int | None, step: Step | None) -> Iterator[str]:
        if operand is None or operand not in self.places:
            return
        if self.holds.get(operand) != self.places[operand]:
            name = self.found.values[operand].name
            yield f"{name} is gone when {step and step.name} reads it"

    def join(self, step: Step, join: Join) -> Iterator[str]:
        """Copies in order, each of which reads what is there then."""
        for operand, value in zip(step.operands, join.values, strict=True):
            yield from self.read(operand, step)
            if operand is not None and self.places.get(operand) == self.places.get(value):
                if value in self.places:
                    self.holds[value] = self.places[value]
            else:
                self.write(value)

    def write(self, value: int) -> None:
        if value not in self.places:
            return
        storage, start, stop = self.places[value]
        for other, (place, low, high) in list(self.holds.items()):
            if place == storage and low < stop and start < high:
                del self.holds[other]
        self.holds[value] = storage, start, stop


def stale_reads(found: Values, spots: Mapping[tuple[Path, int], Place]) -> list[str]:
    places = {
        number: spots[value.path, value.output]
        for number, value in enumerate(found.values)
        if value.owner == "planned"
    }
    branches = sorted({branch for step in found.steps for branch, _ in step.arms})
    paths = list(product((0, 1), repeat=len(branches))) if len(branches) < 8 else SOME_PATHS
    return [
        fault
        for arms in paths
        for fault in Machine(found, places).run(dict(zip(branches, arms, strict=False)))
    ]


def spots_of(plan: MemoryPlan) -> dict[tuple[Path, int], Place]:
    return {(v.path, v.output): (v.storage, v.offset, v.offset + v.size.count) for v in plan.values}
