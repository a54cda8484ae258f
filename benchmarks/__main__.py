"""Run all benchmarks."""

from benchmarks import bench_dependence, fusion, interactive, models, passes, schedules, tensorize

if __name__ == "__main__":
    models.main()
    interactive.main()
    schedules.main()
    passes.main()
    fusion.main()
    tensorize.main()
    bench_dependence.main()
