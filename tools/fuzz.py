"""Run many random schedules, and sequences of passes, against the interpreter, on all cores.

`python tools/fuzz.py 100000 --modules 20000` prints the answers by primitive for the schedules,
then how often each pass changed a module; the exit status is 1 where one changed what a program
computes. `--first` is the seed to begin with: a failure names its seed.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.generate.sequences import WrongSequenceError, fuzz_passes  # noqa: E402
from tests.schedule.fuzzing import Report, WrongScheduleError, fuzz  # noqa: E402

CHUNK = 100
MOST_SHOWN = 5


def run(first: int) -> tuple[Report, list[str]]:
    """One chunk of seeds: the report and what went wrong."""
    total, wrong = Report(), list[str]()
    for seed in range(first, first + CHUNK):
        try:
            total.merge(fuzz(seed))
        except WrongScheduleError as error:
            wrong.append(str(error))
    return total, wrong


def run_passes(first: int) -> tuple[Counter[str], list[str]]:
    """One chunk of seeds of modules: how often each pass changed one, and what went wrong."""
    total, wrong = Counter[str](), list[str]()
    for seed in range(first, first + CHUNK):
        try:
            total += fuzz_passes(seed)
        except WrongSequenceError as error:
            wrong.append(str(error))
    return total, wrong


def main() -> int:
    """Run all chunks; gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, help="how many schedules")
    parser.add_argument("--modules", type=int, default=0, help="how many sequences of passes")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    chosen = parser.parse_args()
    with ProcessPoolExecutor(max_workers=len(os.sched_getaffinity(0))) as pool:
        wrong = schedules(pool, range(chosen.first, chosen.first + chosen.count, CHUNK))
        wrong += sequences(pool, range(chosen.first, chosen.first + chosen.modules, CHUNK))
    for text in wrong[:MOST_SHOWN]:
        sys.stdout.write(f"\n{text}\n")
    sys.stdout.write(f"{len(wrong)} wrong\n")
    return 1 if wrong else 0


def schedules(pool: ProcessPoolExecutor, firsts: range) -> list[str]:
    """Random schedules; prints the answers, gives what went wrong."""
    total, wrong = Report(), list[str]()
    for report, faults in pool.map(run, firsts):
        total.merge(report)
        wrong += faults
    sys.stdout.write(total.table() + "\n")
    for message, script in list(total.unproved.items())[:MOST_SHOWN]:
        sys.stdout.write(f"\nunproved: {message}\n{script}\n")
    return wrong


def sequences(pool: ProcessPoolExecutor, firsts: range) -> list[str]:
    """Random sequences of passes; prints how often each changed a module, gives what went wrong."""
    total, wrong = Counter[str](), list[str]()
    for counts, faults in pool.map(run_passes, firsts):
        total += counts
        wrong += faults
    for name, count in total.most_common():
        sys.stdout.write(f"{name:60}{count:8}\n")
    return wrong


if __name__ == "__main__":
    raise SystemExit(main())
