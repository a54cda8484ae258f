"""Loops that leave out some iterations: where dimensions are small, their extents are negative."""

from __future__ import annotations

from collections.abc import Callable

from tests.generate.choices import chance, pick
from tests.generate.programs import Writer, inside, open_block

KINDS = ("range", "range", "range", "T.parallel", "T.unroll", "T.vectorized")


def trimmed(w: Writer) -> None:
    """`out[i, j] = x[i + c, j]` for the elements that have one, in loops of several kinds."""
    x, out, (n, m) = w.source(2), w.new(w.extents), w.extents
    if out in w.temporaries or chance(w.choices, 2):
        w.fill(out)
    i, j = w.name("i"), w.name("j")
    rows, columns = _less(w, n), _less(w, m)
    kinds = [pick(w.choices, KINDS) for _ in range(2)]
    w.put(0, f"for {i} in {kinds[0]}({n} - {rows}):")
    w.put(1, f"for {j} in {kinds[1]}({m} - {columns}):")
    place = f"{i} + {rows}, {j}" if chance(w.choices, 2) else f"{i}, {j} + {columns}"
    w.put(2, f"{out.name}[{i}, {j}] = {w.combine(f'{x.name}[{place}]', w.number())}")
    w.ready.append(out)


def trimmed_rows(w: Writer) -> None:
    """Memory of a trimmed extent, filled and read by loops or blocks over it."""
    x, out, n = w.source(1), w.new(w.extents[:1], internal=False), w.extents[0]
    less = _less(w, n)
    extent = f"{n} - {less}"
    inner = w.new((extent,), internal=True)
    w.fill(out)
    for to, value in ((inner, f"{x.name}[{{}} + {less}]"), (out, f"{inner.name}[{{}}]")):
        loops = [w.name("r")]
        w.loops((loops[0], extent))
        axes = loops
        if to is inner:
            axes = open_block(w, 1, to.name, "S", loops)
        at = axes[0]
        text = w.combine(value.format(at), w.number())
        w.put(1 + inside(axes, loops), f"{to.name}[{at}] = {text}")
    w.ready.append(out)


def trimmed_sum(w: Writer) -> None:
    """`out[i] = sum of x[i, j]` over the columns but some; where none is left, what was there."""
    x, out, (n, m) = w.source(2), w.new(w.extents[:1]), w.extents
    i, k = w.name("i"), w.name("k")
    less = _less(w, m)
    w.fill(out)
    nest = [(i, n), (k, f"{m} - {less}")]
    if chance(w.choices, 2):
        nest.reverse()
    w.loops(*nest)
    w.put(2, f"{out.name}[{i}] = {w.update(f'{out.name}[{i}]', f'{x.name}[{i}, {k} + {less}]')}")
    w.ready.append(out)


def _less(w: Writer, extent: str) -> int:
    """How many iterations to leave out: as many as there are at most, where that is known."""
    most = 4 if w.symbolic else int(extent)
    return min(most, w.choices.integer(0, 4))


STAGES: tuple[Callable[[Writer], None], ...] = (trimmed, trimmed_rows, trimmed_sum)
