"""Run many random schedules, and sequences of passes, against the interpreter, on all cores.

`python tools/fuzz.py 100000 --modules 20000` prints the answers by primitive for the schedules,
then how often each pass changed a module; the exit status is 1 where one changed what a program
computes. A failure is printed when it is found and names its seed, from which `--first` and a
count of 1 show it again. Of six chunks of schedules three do everything, one moves blocks of any
nest, one those of long chains, one makes contractions intrinsics.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.generate.contractions import random_contractions  # noqa: E402
from tests.generate.nests import random_nests  # noqa: E402
from tests.generate.sequences import WrongSequenceError, fuzz_passes  # noqa: E402
from tests.generate.stages import random_stages  # noqa: E402
from tests.schedule.fuzzing import (  # noqa: E402
    MOVING,
    TENSORIZING,
    Report,
    WrongScheduleError,
    fuzz,
)
from workbench.schedule import PRIMITIVES  # noqa: E402

CHUNK = 100
MIX = (
    *[(random_nests, PRIMITIVES)] * 3,
    (random_nests, MOVING),
    (random_stages, MOVING),
    (random_contractions, TENSORIZING),
)
"""What programs, and what is done to them, by chunk."""
MOST_SHOWN = 5
T = TypeVar("T")


@dataclass(frozen=True)
class Found(Generic[T]):
    """What a chunk of seeds gave, and the texts of what went wrong."""

    total: T
    wrong: tuple[str, ...]


def run(seeds: range) -> Found[Report]:
    """Random schedules of one chunk of seeds."""
    total, wrong = Report(), list[str]()
    generate, kinds = MIX[seeds.start // CHUNK % len(MIX)]
    for seed in seeds:
        try:
            total.merge(fuzz(seed, generate, kinds))
        except WrongScheduleError as error:
            wrong.append(str(error))
    return Found(total, tuple(wrong))


def run_passes(seeds: range) -> Found[Counter[str]]:
    """Random modules of one chunk of seeds: how often each pass changed one."""
    total, wrong = Counter[str](), list[str]()
    for seed in seeds:
        try:
            total += fuzz_passes(seed)
        except WrongSequenceError as error:
            wrong.append(str(error))
    return Found(total, tuple(wrong))


def main() -> int:
    """Run all chunks; gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, help="how many schedules")
    parser.add_argument("--modules", type=int, default=0, help="how many sequences of passes")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    chosen = parser.parse_args()
    with ProcessPoolExecutor(max_workers=len(os.sched_getaffinity(0))) as pool:
        wrong = schedules(pool, chunks(chosen.first, chosen.count))
        wrong += sequences(pool, chunks(chosen.first, chosen.modules))
    sys.stdout.write(f"{wrong} wrong\n")
    return 1 if wrong else 0


def chunks(first: int, count: int) -> list[range]:
    """The seeds, cut where a multiple of the chunk begins."""
    end, found = first + count, list[range]()
    while first < end:
        found.append(range(first, min(first - first % CHUNK + CHUNK, end)))
        first = found[-1].stop
    return found


def schedules(pool: ProcessPoolExecutor, seeds: Sequence[range]) -> int:
    """Random schedules; prints the answers, gives how many went wrong."""
    total, wrong = Report(), 0
    for found in watched(pool, run, seeds):
        total.merge(found.total)
        wrong += len(found.wrong)
    if seeds:
        sys.stdout.write(total.table() + "\n")
    for message, script in list(total.unproved.items())[:MOST_SHOWN]:
        sys.stdout.write(f"\nunproved: {message}\n{script}\n")
    return wrong


def sequences(pool: ProcessPoolExecutor, seeds: Sequence[range]) -> int:
    """Random sequences of passes; prints what each did, gives how many went wrong."""
    total, wrong = Counter[str](), 0
    for found in watched(pool, run_passes, seeds):
        total += found.total
        wrong += len(found.wrong)
    for name, count in total.most_common():
        sys.stdout.write(f"{name:60}{count:8}\n")
    return wrong


def watched(
    pool: ProcessPoolExecutor, work: Callable[[range], Found[T]], seeds: Sequence[range]
) -> list[Found[T]]:
    """All chunks; faults are printed at once, how far it is to a terminal."""
    found = list[Found[T]]()
    for number, one in enumerate(pool.map(work, seeds), 1):
        found.append(one)
        for text in one.wrong:
            sys.stdout.write(f"\n{text}\n")
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{number} of {len(seeds)} chunks")
        sys.stdout.flush()
    return found


if __name__ == "__main__":
    raise SystemExit(main())
