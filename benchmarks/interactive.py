"""What a person waits for.

Import, a pass with its picture, a cold build, a rebuild after a swap.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time

import workbench as wb
from benchmarks.timing import conditions, summary
from workbench.frontend import demo
from workbench.ir import IRModule
from workbench.passes import Implement
from workbench.view.views import SessionViews

CHILD = """
import time, sys
import workbench as wb
from workbench.frontend import demo
module = wb.optimize(wb.load(demo.squeezenet(seed=0)))
start = time.perf_counter()
executable = wb.build(module)
print(time.perf_counter() - start)
"""


def main() -> None:
    """Print each latency with its limit."""
    print(f"interactive, {conditions()}")
    _imports()
    for name, module in (
        ("magika", wb.load(demo.magika_path())),
        ("squeezenet", wb.load(demo.squeezenet(seed=0))),
    ):
        _passes(name, module)
    _builds()


def _imports() -> None:
    code = "import time; s = time.perf_counter(); import workbench; print(time.perf_counter() - s)"
    found = [float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(9)]
    print(f"import workbench           {summary(found)}  (limit 500 ms)")


def _passes(name: str, module: IRModule) -> None:
    """From the call of a pass until the picture and the history of its step are there as data."""
    pipeline = wb.default_pipeline()
    samples: list[list[float]] = [[] for _ in pipeline]
    for _ in range(5):
        session = wb.open(module)
        views = SessionViews(session)
        views.module(session.head.index)
        for step, found in zip(pipeline, samples, strict=True):
            start = time.perf_counter()
            applied = session.apply(step)
            views.module(applied.index)
            views.history()
            found.append(time.perf_counter() - start)
            session.wait()
    for step, found in zip(pipeline, samples, strict=True):
        print(f"{name:10} {step.name:22} {summary(found)}  (limit 100 ms)")


def _builds() -> None:
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "WORKBENCH_CACHE_DIR": folder}
        for label in ("cold", "warm"):
            text = subprocess.check_output([sys.executable, "-c", CHILD], env=environment)
            print(
                f"{label} build of squeezenet   {float(text) * 1e3:9.1f} ms  (limit 5000 ms cold)"
            )
    module = wb.optimize(wb.load(demo.squeezenet(seed=0)))
    wb.build(module)
    convolutions = [b.var.name for b in module["main"].bindings if "conv2d" in str(b.value)]
    samples: list[float] = []
    for value in convolutions[:5]:
        swapped = Implement(value, "schedule 8x8")(module).module
        start = time.perf_counter()
        wb.build(swapped)
        samples.append(time.perf_counter() - start)
    print(f"rebuild after one swap     {summary(samples)}  (limit 300 ms)")


if __name__ == "__main__":
    main()
