"""Run all benchmarks."""

from benchmarks import (
    bench_dependence,
    fusion,
    interactive,
    layouts,
    models,
    passes,
    schedules,
    tensorize,
)

if __name__ == "__main__":
    models.main()
    interactive.main()
    schedules.main()
    passes.main()
    fusion.main()
    layouts.main()
    tensorize.main()
    bench_dependence.main()
