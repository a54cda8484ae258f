"""Run all benchmarks."""

from benchmarks import interactive, models, schedules, tensorize

if __name__ == "__main__":
    models.main()
    interactive.main()
    schedules.main()
    tensorize.main()
