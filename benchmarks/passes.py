"""How long passes take, over the number of bindings of a graph function.

Each pass that we ship on chains of 100, 1 000 and 10 000 bindings that give it work, with the
limits of 50 ms and 0.6 s. Tensor functions that a pass has to make or to look at are few, as in a
network with many equal layers; what making one takes is printed by itself.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks import pass_modules as given
from benchmarks.timing import conditions
from workbench import passes
from workbench.ir import IRModule
from workbench.rewrite import Pass
from workbench.session.catalogue import required_parameters

SIZES = (100, 1000, 10_000)
LIMITS = {100: 0.05, 1000: 0.05, 10_000: 0.6}
RUNS = 7
LONG = 2.0
"""Seconds after which a case is not repeated."""

Make = Callable[[int], IRModule]


@dataclass(frozen=True)
class Case:
    """A pass and what it is applied to, for a number of bindings."""

    applied: Pass
    make: Make
    about: str = ""

    @property
    def label(self) -> str:
        """The pass, and what is special about the case."""
        return type(self.applied).__name__ + (f" ({self.about})" if self.about else "")


def main() -> None:
    """Print the curve of each pass, with a mark where it is over its limit."""
    print(f"passes, {conditions()}")
    print(f"{'':44}" + "".join(f"{size:>12}" for size in SIZES))
    for case in cases():
        times = [measured(case, size) for size in SIZES]
        cells = [_cell(t, LIMITS[size]) for t, size in zip(times, SIZES, strict=True)]
        print(f"{case.label:44}" + "".join(cells))


def measured(case: Case, size: int) -> float:
    """Seconds of one application: the median of some, each to a module that nobody has seen.

    Processor time of this process: passes compute in one thread and wait for nothing.
    """
    samples: list[float] = []
    while len(samples) < RUNS and sum(samples) < LONG:
        module = case.make(size)
        gc.collect()
        start = time.process_time()
        case.applied(module)
        samples.append(time.process_time() - start)
    return statistics.median(samples)


def _cell(seconds: float, limit: float) -> str:
    return f"{1e3 * seconds:9.1f} ms" + ("!" if seconds > limit else " ")


def cases() -> list[Case]:
    """Every pass that we ship, on bindings that it has to do with.

    One that is not in the list gets the chain with tensor functions.
    """
    chosen = _of_graphs() + _across_layers() + _of_layouts_and_libraries()
    there = {type(case.applied) for case in chosen}
    others = [kind for kind in passes.BUILTIN_PASSES if kind not in there]
    chosen += [Case(k(), given.legalized) for k in others if not required_parameters(k)]
    return chosen + _of_functions_that_all_differ()


def _of_graphs() -> list[Case]:
    return [
        Case(passes.BindParameters({"w": np.zeros((8, 8), "float32")}), given.chain),
        Case(passes.BindSymbolicVariables({"n": 8}), given.symbolic),
        Case(passes.InlinePrivateFunctions(), given.calls),
        Case(passes.InlinePrivateFunctions(), given.nested_calls, "each calls the next"),
        Case(passes.LambdaLift(), given.branches),
        Case(passes.CanonicalizeBindings(), given.names),
        Case(passes.EliminateCommonSubexpressions(), given.repeated),
        Case(passes.FoldConstant(), given.constants),
        Case(passes.FoldBatchNormIntoConv(), given.normalised),
        Case(passes.CombineParallelMatmuls(), given.products),
        Case(passes.LiftTransformParams(), given.weights),
        Case(passes.EliminateDeadCode(), given.dead),
        Case(passes.PlanMemory(), given.legalized),
    ]


def _across_layers() -> list[Case]:
    return [
        Case(passes.LegalizeOps(), given.chain),
        Case(passes.FuseOps(), given.legalized),
        Case(passes.FuseOps(), given.crossed, "values read again further down"),
        Case(passes.FuseTensorFunctions(), given.fused),
        Case(passes.FuseTensorFunctions(), given.crossed_groups, "groups that differ"),
        Case(passes.Simplify(), given.legalized),
        Case(passes.ScheduleDefault(), given.legalized),
        Case(passes.RemoveUnusedParameters(), given.calls),
        Case(passes.Implement("lv2", "schedule"), given.legalized),
        Case(passes.ImplementByFunction("lv2", np.maximum), given.legalized),
    ]


def _of_layouts_and_libraries() -> list[Case]:
    into_blocks = (("relu", "x", given.INTO_BLOCKS), ("exp", "x", given.INTO_BLOCKS))
    return [
        Case(passes.ChooseLayouts(), given.convolutions),
        Case(passes.TransformLayouts(into_blocks), given.activations),
        Case(passes.MoveLayoutConversions(), given.blocked),
        Case(passes.CancelLayoutConversions(), given.undone),
        Case(passes.AnnotateForLibrary(("lv0",), "numpy"), given.chain),
        Case(passes.PartitionByAnnotation(), given.annotated, "equal ones"),
        Case(passes.PartitionByAnnotation(), given.annotated_apart, "all different"),
        Case(passes.PartitionForLibrary("numpy"), given.chain, "one operator"),
        Case(passes.PartitionForLibrary("numpy"), given.legalized, "by loops"),
        Case(passes.PartitionForLibrary("onednn"), given.biased, "ten patterns"),
        Case(passes.ChooseImplementations(), given.large, "to the library"),
        Case(passes.ChooseImplementations(), given.dispatched, "back from it"),
        Case(passes.DispatchToLibrary(), given.legalized),
    ]


def _of_functions_that_all_differ() -> list[Case]:
    """What each tensor function costs that is seen for the first time, besides the bindings."""
    kinds = (
        passes.FuseOps(),
        passes.Simplify(),
        passes.PlanMemory(),
        passes.DispatchToLibrary(),
        passes.ChooseImplementations(call=0.0, compiled_rate=1e-3),
    )
    return [Case(kind, given.layers_apart, "all functions differ") for kind in kinds]


if __name__ == "__main__":
    main()
