"""Run all benchmarks."""

from benchmarks import bench_dependence, interactive, models, schedules, tensorize

if __name__ == "__main__":
    models.main()
    interactive.main()
    schedules.main()
    passes.main()
    tensorize.main()
    bench_dependence.main()
