"""The command line: `workbench lab [MODEL]` and `workbench run MODEL`."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from workbench.notebook.api import load
from workbench.passes import optimize
from workbench.runtime import build
from workbench.session.extents import Extents, fitting
from workbench.session.inputs import Inputs, entry_function, seeded_inputs
from workbench.support import CompileError

RUNS = 21


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; gives the exit status, 1 where the model is at fault."""
    options = _parser().parse_args(arguments)
    try:
        return options.command(options)
    except CompileError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="workbench", description=__doc__)
    commands = parser.add_subparsers(required=True)
    lab = commands.add_parser(
        "lab", help="open JupyterLab, on a notebook for MODEL if one is given"
    )
    lab.add_argument("model", nargs="?", type=Path, help="an ONNX file, a script or a saved module")
    lab.set_defaults(command=_lab)
    run = commands.add_parser(
        "run", help="optimize MODEL, run it on seeded inputs, print the times"
    )
    run.add_argument("model", type=Path, help="an ONNX file, a script or a saved module")
    run.add_argument(
        "--threads", type=int, default=None, help="number of threads (default: all cores)"
    )
    run.add_argument(
        "--plain", action="store_true", help="build the module as it is, without passes"
    )
    run.add_argument(
        "--extent",
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        type=_extent,
        help="the extent of a symbolic dimension (default: distinct odd ones)",
    )
    run.set_defaults(command=_run)
    return parser


def _extent(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    if not name or not number.isdecimal():
        message = f"expected a dimension and its extent, such as n=16, found {text}"
        raise argparse.ArgumentTypeError(message)
    return name, int(number)


def _lab(options: argparse.Namespace) -> int:
    folder = Path(tempfile.mkdtemp(prefix="workbench-"))
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder}"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    if options.model is not None:
        notebook = folder / "workbench.ipynb"
        path = str(options.model.resolve())
        notebook.write_text(_notebook(f"import workbench as wb\n\ns = wb.open({path!r})\ns"))
        command.append(f"--LabApp.default_url=/lab/tree/{notebook.name}")
    return subprocess.call(command)


def _notebook(code: str) -> str:
    """A notebook of one cell, as the file format has it."""
    cell: dict[str, object] = {
        "cell_type": "code",
        "execution_count": None,
        "id": "model",
        "metadata": {},
        "outputs": [],
        "source": code,
    }
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def _run(options: argparse.Namespace) -> int:
    start = time.perf_counter()
    module = load(options.model)
    entry = entry_function(module)
    executable = build(module if options.plain else optimize(module), num_threads=options.threads)

    def run(extents: Extents) -> Inputs:
        inputs = seeded_inputs(module, entry, extents=extents)
        executable(*inputs.arrays, function=entry)
        return inputs

    given = dict(options.extent)
    found = fitting(module.graph_functions[entry].params, given, run)
    inputs = run(given) if found is None else found[1]
    first = time.perf_counter() - start
    samples: list[float] = []
    for _ in range(RUNS):
        start = time.perf_counter()
        executable(*inputs.arrays, function=entry)
        samples.append(time.perf_counter() - start)
    low, median, high = np.quantile(samples, (0.25, 0.5, 0.75)) * 1e3
    sys.stdout.write(
        f"inputs         {inputs.source}\n"
        f"first result   {first:.2f} s\n"
        f"median of {RUNS}   {median:.3f} ms  [{low:.3f} .. {high:.3f}]\n"
    )
    return 0
