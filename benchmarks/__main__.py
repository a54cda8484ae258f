"""Run all benchmarks."""

from benchmarks import interactive, models

if __name__ == "__main__":
    models.main()
    interactive.main()
