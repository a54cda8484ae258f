"""Whole models against onnxruntime at the same number of threads."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime

import workbench as wb
from benchmarks.timing import conditions, interleaved
from workbench.frontend import demo
from workbench.ir import IRModule

_ort: Any = onnxruntime
"""onnxruntime has no types."""


def main() -> None:
    """Print one table per thread count: median times and the ratio to onnxruntime."""
    print(f"models, float32, {conditions()}")
    for threads in (1, 2):
        for name, module, peer, arrays in _models(threads):
            start = time.perf_counter()
            optimized = wb.optimize(module)
            executable = wb.build(optimized, num_threads=threads)
            built = time.perf_counter() - start
            found = interleaved(
                {"workbench": lambda e=executable, a=arrays: e(*a), "onnxruntime": peer}
            )
            error = np.abs(np.asarray(executable(*arrays)) - np.asarray(peer())).max()
            ratio = found["workbench"].median / found["onnxruntime"].median
            print(f"{name}, {threads} thread(s): {ratio:.2f} x onnxruntime, max error {error:.1e}")
            for label, timing in found.items():
                print(f"  {label:12} {timing}")
            print(f"  first result after {built:.2f} s: optimize and build")


def _models(
    threads: int,
) -> list[tuple[str, IRModule, Callable[[], object], tuple[np.ndarray, ...]]]:
    rng = np.random.default_rng(0)
    files = rng.integers(0, 256, size=(1, 2048)).astype("int32")
    image = rng.normal(size=(1, 3, 224, 224)).astype("float32")
    squeezenet = demo.squeezenet(seed=0)
    return [
        (
            "magika",
            wb.load(demo.magika_path()),
            _peer(str(demo.magika_path()), threads, files),
            (files,),
        ),
        (
            "squeezenet",
            wb.load(squeezenet),
            _peer(squeezenet.SerializeToString(), threads, image),
            (image,),
        ),
    ]


def _peer(model: str | bytes, threads: int, *arrays: np.ndarray) -> Callable[[], object]:
    options = _ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = _ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names: list[str] = [item.name for item in session.get_inputs()]
    feed = dict(zip(names, arrays, strict=True))
    return lambda: session.run(None, feed)[0]


if __name__ == "__main__":
    main()
