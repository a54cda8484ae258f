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
from workbench.passes import Implement
from workbench.view import module_view

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


def _passes(name: str, module: object) -> None:
    for step in wb.default_pipeline():
        samples: list[float] = []
        for _ in range(5):
            session = wb.open(module)
            for earlier in wb.default_pipeline():
                if earlier == step:
                    break
                session.apply(earlier)
            start = time.perf_counter()
            applied = session.apply(step)
            module_view(session, applied.index)
            samples.append(time.perf_counter() - start)
            session.close()
        print(f"{name:10} {step.name:22} {summary(samples)}  (limit 100 ms)")


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
