"""Run all benchmarks."""

from benchmarks import interactive, models, schedules

if __name__ == "__main__":
    models.main()
    interactive.main()
    schedules.main()
