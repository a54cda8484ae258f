"""How long schedules take to think: dependences, primitives, what applies at a loop.

The curve over the number of loops of a convolution and of blocks of a function.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace

from benchmarks.timing import conditions
from workbench import te
from workbench.analysis.dependence import dependences
from workbench.ir import IRModule, PrimExpr, TensorFunction, Var
from workbench.schedule import PRIMITIVES, Primitive, Schedule
from workbench.schedule.scope import Scope
from workbench.view.offers import place_offers

RUNS = 7
ROUNDS = 31


def main() -> None:
    """Print each time with its limit."""
    print(f"schedules, {conditions()}")
    for loops in (7, 9, 11, 13, 15):
        _convolution(loops)
    for blocks in (10, 30, 100):
        _blocks(blocks)


def convolution(loops: int) -> Schedule:
    """A convolution, its loops split until there are `loops` of them."""
    data = te.placeholder((1, 64, 58, 58), "float32", "data")
    weight = te.placeholder((64, 64, 3, 3), "float32", "weight")
    c, ky, kx = (te.reduce_axis(e, n) for e, n in ((64, "c"), (3, "ky"), (3, "kx")))

    def element(n: Var, f: Var, y: Var, x: Var) -> te.Reduction:
        product = data[n, c, y + ky, x + kx] * weight[f, c, ky, kx]
        return te.sum(product, axis=(c, ky, kx))

    out = te.compute(
        (1, 64, 56, 56),
        element,
        "conv",
    )
    schedule = Schedule(te.create_tensor_function([data, weight], [out]))
    names = [loop.name for loop in schedule.get_loops("conv")]
    splits = [names[1], names[2], names[3], names[4], f"{names[1]}_1", f"{names[2]}_1",
              f"{names[3]}_1", f"{names[4]}_1"]  # fmt: skip
    for name in splits[: loops - 7]:
        schedule.split(name, factors=[None, 4 if name in names else 2])
    return schedule


def chain(blocks: int) -> IRModule:
    """A function of `blocks` elementwise stages, one after the other."""
    value = first = te.placeholder((64, 64), "float32", "x")
    for number in range(blocks):
        value = _plus_one(value, f"stage{number}")
    return IRModule((("f", te.create_tensor_function([first], [value])),))


def _plus_one(source: te.Tensor, name: str) -> te.Tensor:
    def element(i: Var, j: Var) -> PrimExpr:
        return source[i, j] + 1.0

    return te.compute((64, 64), element, name)


def _fresh(function: TensorFunction) -> TensorFunction:
    """An equal function that no cache knows."""
    return replace(function, next_id=function.next_id + 1)


def _median(work: Callable[[], object]) -> float:
    return _middle([_time(work) for _ in range(RUNS)])


def _time(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _middle(seconds: list[float]) -> float:
    """The median in milliseconds."""
    return statistics.median(seconds) * 1e3


def _convolution(loops: int) -> None:
    schedule = convolution(loops)
    function = schedule.tensor_function
    ids = [loop.id for loop in schedule.get_loops("conv")]
    inner = [*ids[:1], *reversed(ids[1:])]

    # The outermost loop asks about every pair of accesses: what holds for a pair is kept then.
    deltas, parallel, reorder = list[float](), list[float](), list[float]()
    for _ in range(ROUNDS):
        fresh = _fresh(function)
        deltas.append(_time(lambda f=fresh: dependences(f).independent(ids[0])))
        known = dependences(fresh)
        parallel.append(_time(lambda k=known: [k.independent(loop) for loop in ids]))
        reorder.append(_time(lambda k=known: k.reorderable(ids, inner)))
    print(
        f"convolution with {loops:2} loops     deltas {_middle(deltas):7.2f} ms (limit 5)   "
        f"parallel over all loops {_middle(parallel):6.2f} ms (1)   "
        f"reorder {_middle(reorder):6.2f} ms (5)"
    )


def _blocks(blocks: int) -> None:
    module = chain(blocks)
    label = Scope.of(module, "f").blocks[blocks // 2].name
    place = (
        f"f/{Scope.of(module, 'f').loops_around(Scope.of(module, 'f').block(label).id)[0].var.id}"
    )
    slowest = ("", 0.0)
    for kind in PRIMITIVES:
        scope = Scope.of(module, "f")
        for node in (scope.block(label), scope.loops_around(scope.block(label).id)[0]):
            offer = next(iter(kind.offers(scope, node)), None)
            if offer is not None:
                fresh = module.with_function("f", _fresh(module.tensor_functions["f"]))
                taken = _median(lambda o=offer, m=fresh: _try(o, m))
                slowest = max(slowest, (kind.name, taken), key=lambda item: item[1])
    listed = _median(lambda: place_offers(module, place, "s"))
    print(
        f"function of {blocks:3} blocks        slowest primitive {slowest[1]:7.2f} ms "
        f"({slowest[0]}; limit 30)   what applies at a loop {listed:7.2f} ms (50)"
    )


def _try(offer: Primitive, module: IRModule) -> None:
    scope = Scope.of(module, "f")
    if offer.check(scope).applies:
        offer.rewrite(scope)


if __name__ == "__main__":
    main()
