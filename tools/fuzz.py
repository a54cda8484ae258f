"""Run many random schedules against the reference interpreter, on all cores.

`python tools/fuzz.py 100000` prints the answers by primitive; the exit status is 1 where a schedule
changed what a program computes. `--first` is the seed to begin with: a failure names its seed.
"""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

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


def main() -> int:
    """Run all chunks; gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, help="how many schedules")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    chosen = parser.parse_args()
    total, wrong = Report(), list[str]()
    firsts = range(chosen.first, chosen.first + chosen.count, CHUNK)
    with ProcessPoolExecutor(max_workers=len(os.sched_getaffinity(0))) as pool:
        for report, faults in pool.map(run, firsts):
            total.merge(report)
            wrong += faults
    sys.stdout.write(total.table() + "\n")
    for message, script in list(total.unproved.items())[:MOST_SHOWN]:
        sys.stdout.write(f"\nunproved: {message}\n{script}\n")
    for text in wrong[:MOST_SHOWN]:
        sys.stdout.write(f"\n{text}\n")
    sys.stdout.write(f"{len(wrong)} wrong\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
