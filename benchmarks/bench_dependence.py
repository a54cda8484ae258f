"""How long dependence analysis thinks: questions about one loop nest, and how that grows.

A convolution with more and more loops (each split again), and functions of more and more blocks.
Times are of the processor, so that a busy machine does not count twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks.timing import conditions, summary
from workbench.analysis.dependence import Dependences, dependences
from workbench.analysis.dependence.races import races
from workbench.ir import For, TensorFunction, walk
from workbench.script import parse
from workbench.support import NodeId

ROUNDS = 7
SPLITS = 5
AXES = ("n 2", "o 64", "y 56", "x 56", "c 64", "p 3", "q 3")


def main() -> None:
    """Print both curves."""
    print(f"dependence analysis, {conditions()}")
    for splits in range(SPLITS):
        _convolution(convolution(splits), 7 + 2 * splits)
    for count in (1, 10, 100, 400):
        _stages(stages(count), count)


def convolution(splits: int) -> TensorFunction:
    """A convolution whose first axes are split into three loops each."""
    loops: list[str] = []
    values: list[str] = []
    for position, axis in enumerate(AXES):
        name, extent = axis.split()
        if 1 <= position <= splits:
            loops += [f"{name}0 {int(extent) // 8}", f"{name}1 4", f"{name}2 2"]
            values.append(f"{name}0 * 8 + {name}1 * 2 + {name}2")
        else:
            loops.append(axis)
            values.append(name)
    names = ", ".join(loop.split()[0] for loop in loops)
    extents = ", ".join(loop.split()[1] for loop in loops)
    kinds = ("spatial",) * 4 + ("reduce",) * 3
    axes = "\n".join(
        f"            v{axis[0]} = T.axis.{kind}({axis.split()[1]}, {value})"
        for axis, kind, value in zip(AXES, kinds, values, strict=True)
    )
    return _function(f"""
    def f(A: T.Buffer((2, 64, 58, 58), "float32"), W: T.Buffer((64, 64, 3, 3), "float32"),
          C: T.Buffer((2, 64, 56, 56), "float32")):
        for {names} in T.grid({extents}):
            with T.block("conv"):
{axes.replace("            ", "                ")}
                with T.init():
                    C[vn, vo, vy, vx] = T.float32(0)
                C[vn, vo, vy, vx] = (
                    C[vn, vo, vy, vx] + A[vn, vc, vy + vp, vx + vq] * W[vo, vc, vp, vq]
                )
""")


def stages(count: int) -> TensorFunction:
    """A chain of maps over one buffer after the other."""
    names = [f"t{n}" for n in range(count)]
    buffers = "\n".join(f'        {name} = T.alloc_buffer((64, 64), "float32")' for name in names)
    nests = "\n".join(
        f"""        for i{n}, j{n} in T.grid(64, 64):
            with T.block("{name}"):
                v, w = T.axis.remap("SS", [i{n}, j{n}])
                {name}[v, w] = {"A" if n == 0 else names[n - 1]}[v, w] + T.float32(1)"""
        for n, name in enumerate(names)
    )
    return _function(f"""
    def f(A: T.Buffer((64, 64), "float32")):
{buffers}
{nests}
""")


def _function(text: str) -> TensorFunction:
    found = parse(f"@I.ir_module\nclass Module:\n    @T.prim_func{text}")["f"]
    assert isinstance(found, TensorFunction)
    return found


def _loops(function: TensorFunction) -> list[NodeId]:
    return [node.var.id for node in walk(function.body) if isinstance(node, For)]


def _convolution(function: TensorFunction, count: int) -> None:
    ids = _loops(function)
    assert len(ids) == count
    rows = (
        ("statements and accesses", lambda _: None),
        ("all loops independent?", lambda deps: [deps.independent(loop) for loop in ids]),
        ("loops reversed?", lambda deps: deps.reorderable(ids, ids[::-1])),
        ("asked again", lambda deps: [deps.independent(loop) for loop in ids]),
    )
    _report(f"convolution, {count:2} loops", function, rows)


def _stages(function: TensorFunction, count: int) -> None:
    ids = _loops(function)
    rows = (
        ("statements and accesses", lambda _: None),
        ("one loop independent?", lambda deps: deps.independent(ids[-1])),
        ("a nest reversed?", lambda deps: deps.reorderable(ids[-2:], ids[-2:][::-1])),
        ("any race?", lambda _: races(function)),
    )
    _report(f"{count:3} blocks", function, rows)


def _report(
    name: str,
    function: TensorFunction,
    rows: tuple[tuple[str, Callable[[Dependences], object]], ...],
) -> None:
    """Times of questions asked one after the other of a function seen for the first time."""
    samples: list[list[float]] = [[] for _ in rows]
    for _ in range(ROUNDS):
        start = time.process_time()
        deps = Dependences(function)
        for (_, ask), found in zip(rows, samples, strict=True):
            ask(deps)
            found.append(time.process_time() - start)
            start = time.process_time()
    for (what, _), found in zip(rows, samples, strict=True):
        print(f"{name:22} {what:24} {summary(found)}")
    assert dependences(function).statements


if __name__ == "__main__":
    main()
