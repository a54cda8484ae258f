"""How long schedules take to think: dependences, primitives, what applies at a loop.

The curve over the number of loops of a convolution and of blocks of a function. Times are those of
the processor: all of it runs in one thread.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from itertools import islice

from benchmarks.timing import conditions
from workbench import te
from workbench.analysis.dependence import dependences
from workbench.ir import IRModule, TensorFunction, Var
from workbench.schedule import PRIMITIVES, Primitive, Schedule
from workbench.schedule.scope import Scope
from workbench.script import parse
from workbench.support import CompileError
from workbench.view.offers import place_offers

RUNS = 7
ROUNDS = 31
OFFERS = 2


def main() -> None:
    """Print each time with its limit."""
    print(f"schedules, {conditions()}")
    for loops in (7, 9, 11, 13, 15):
        _convolution(loops)
    for blocks in (10, 30, 100):
        _blocks(blocks)
        _blocks(blocks, reductions=True)
        _blocks(blocks, reductions=True, symbolic=True)


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


def chain(blocks: int, *, reductions: bool = False, symbolic: bool = False) -> IRModule:
    """A function of `blocks` stages, one after the other.

    All of them are elementwise, or every other one is a product with one and the same matrix.
    """
    rows, columns = ("n", "m") if symbolic else (64, 64)
    buffers = ["X", *(f"b{n}" for n in range(blocks - 1)), "Y"]
    shape = f"{(rows, columns)}, 'float32'"
    lines = [
        "@T.prim_func",
        f"def f(X: T.Buffer({shape}), W: T.Buffer({(columns, columns)}, 'float32'), "
        f"Y: T.Buffer({shape})):",
        *(f"    {name} = T.int64()" for name in ("n", "m") if symbolic),
    ]
    extents = f"{rows}, {columns}"
    lines += [f"    {b} = T.alloc_buffer(({extents}), 'float32')" for b in buffers[1:-1]]
    for number in range(blocks):
        stage = _product if reductions and number % 2 == 0 else _plus_one
        lines += stage(f"stage{number}", extents, buffers[number], buffers[number + 1])
    return parse("\n".join(lines))


def _plus_one(name: str, extents: str, source: str, target: str) -> list[str]:
    return [
        f"    for i, j in T.grid({extents}):",
        f"        with T.sblock('{name}'):",
        '            vi, vj = T.axis.remap("SS", [i, j])',
        f"            {target}[vi, vj] = {source}[vi, vj] + T.float32(1)",
    ]


def _product(name: str, extents: str, source: str, target: str) -> list[str]:
    return [
        f"    for i, j, k in T.grid({extents}, {extents.split()[-1]}):",
        f"        with T.sblock('{name}'):",
        '            vi, vj, vk = T.axis.remap("SSR", [i, j, k])',
        "            with T.init():",
        f"                {target}[vi, vj] = T.float32(0)",
        f"            {target}[vi, vj] = {target}[vi, vj] + {source}[vi, vk] * W[vk, vj]",
    ]


def _fresh(function: TensorFunction) -> TensorFunction:
    """An equal function that no cache knows."""
    return replace(function, next_id=function.next_id + 1)


def _median(work: Callable[[], object]) -> float:
    return _middle([_time(work) for _ in range(RUNS)])


def _time(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


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


def _blocks(blocks: int, *, reductions: bool = False, symbolic: bool = False) -> None:
    """All primitives at two blocks in the middle and the loops around them, taken as users do."""
    module = chain(blocks, reductions=reductions, symbolic=symbolic)
    scope = Scope.of(module, "f")
    offers = dict.fromkeys(
        offer
        for block in scope.blocks[blocks // 2 : blocks // 2 + 2]
        for place in (block, *scope.loops_around(block.id))
        for kind in PRIMITIVES
        for offer in islice(kind.offers(scope, place), OFFERS)
    )
    times = {offer: _median(lambda o=offer: _try(o, module)) for offer in offers}
    slowest = max(times, key=lambda offer: times[offer])
    loop = scope.loops_around(scope.blocks[blocks // 2].id)[0]
    first, again = list[float](), list[float]()
    for _ in range(RUNS):
        new = chain(blocks, reductions=reductions, symbolic=symbolic)
        for taken in (first, again):
            taken.append(_time(lambda m=new: place_offers(m, f"f/{loop.var.id}", "s")))
    kind = (
        f"{'symbolic' if symbolic else 'static'}, {'reductions' if reductions else 'elementwise'}"
    )
    print(
        f"function of {blocks:3} blocks, {kind:22} slowest of {len(times):3} steps "
        f"{times[slowest]:6.2f} ms ({slowest.name}; limit 30)   what applies at a loop "
        f"{_middle(first):6.2f} ms the first time, {_middle(again):6.2f} ms again (50)"
    )


def _try(offer: Primitive, module: IRModule) -> None:
    """Check and rewrite, in a function that is as new as a step before leaves it."""
    fresh = module.with_function("f", _fresh(module.tensor_functions["f"]))
    with suppress(CompileError):
        Schedule(fresh, "f").apply(offer)


if __name__ == "__main__":
    main()
