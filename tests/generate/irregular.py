"""Random nests whose course depends on memory: gathers, scatters, `while`, flags, scalars.

Flags are numbers 0 or 1 that guard statements and say how often loops run; some are written by
the program itself, between or inside the loops that read them.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.generate.choices import chance, pick
from tests.generate.programs import Writer, inside, open_block


def gather(w: Writer) -> None:
    """`out[i] = x[idx[i]]`."""
    x, index, out = w.source(1), w.index(), w.new(w.extents[:1])
    i = w.name("i")
    w.put(0, f"for {i} in range({w.extents[0]}):")
    loops = [i]
    axes = open_block(w, 1, out.name, "S", loops)
    value = w.combine(f"{x.name}[{index.name}[{axes[0]}]]", w.number())
    w.put(1 + inside(axes, loops), f"{out.name}[{axes[0]}] = {value}")
    w.ready.append(out)


def scatter(w: Writer) -> None:
    """`out[idx[i]] = x[i]`, or added to it."""
    x, index, out = w.source(1), w.index(), w.new(w.extents[:1])
    i, n = w.name("i"), w.extents[0]
    w.fill(out)
    place = f"{out.name}[{index.name}[{i}]]"
    value = f"{x.name}[{i}]"
    added = w.plus(place, value) if chance(w.choices, 2) else value
    w.put(0, f"for {i} in range({n}):", f"    {place} = {added}")
    w.ready.append(out)


def scalars(w: Writer) -> None:
    """A scalar in the body of a loop: memory, or a value that is bound once."""
    x, out, n = w.source(1), w.new(w.extents[:1]), w.extents[0]
    i = w.name("i")
    kind = f"T.let[T.{w.dtype}]" if chance(w.choices, 2) else f"T.{w.dtype}"
    value = w.combine(f"{x.name}[{i}]", w.number())
    w.put(0, f"for {i} in range({n}):")
    w.put(1, f"s: {kind} = {value}", f"{out.name}[{i}] = {w.times('s', 's')}")
    w.ready.append(out)


def swapped(w: Writer) -> None:
    """A value that is bound before what it was read from is overwritten."""
    x, out, n = w.source(1), w.new(w.extents[:1]), w.extents[0]
    i = w.name("i")
    other = pick(w.choices, (i, f"{n} - 1 - {i}"))
    w.fill(out)
    w.put(0, f"for {i} in range({n}):")
    w.put(1, f"s: T.let[T.{w.dtype}] = {x.name}[{i}]")
    w.put(1, f"{x.name}[{i}] = {w.combine(f'{out.name}[{other}]', w.number())}")
    w.put(1, f"{out.name}[{other}] = s")
    w.ready.append(out)


def bound_index(w: Writer) -> None:
    """An index that is bound to a name."""
    x, out, (n, m) = w.source(2), w.new(w.extents), w.extents
    i, j = w.name("i"), w.name("j")
    turned = pick(w.choices, (f"{m} - 1 - {j}", f"({j} + 1) % {m}", f"T.max({j} - 1, 0)"))
    w.loops((i, n), (j, m))
    w.put(2, f"p: T.let[T.int64] = {turned}")
    w.put(2, f"{out.name}[{i}, {j}] = {w.combine(f'{x.name}[{i}, p]', f'{x.name}[{i}, {j}]')}")
    w.ready.append(out)


def counted(w: Writer) -> None:
    """A `while` loop that a counter ends; alone, or once for each row."""
    w.affine = False
    step = w.choices.integer(1, 2)
    if chance(w.choices, 2):
        _counted_rows(w, step)
        return
    x, out, count, n = w.source(1), w.new(w.extents[:1]), w.counter(), w.extents[0]
    w.fill(out)
    at = f"{count.name}[()]"
    w.put(0, f"{at} = T.int64(0)", f"while {at} < {n}:")
    depth, place = 1, at
    if chance(w.choices, 2):
        w.put(1, f'with T.sblock("{out.name}"):', f"    vi = T.axis.spatial({n}, {at})")
        depth, place = 2, "vi"
    before = f"{out.name}[T.max({place} - 1, 0)]"
    w.put(depth, f"{out.name}[{place}] = {w.combine(f'{x.name}[{place}]', before)}")
    w.put(1, f"{at} = {at} + T.int64({step})")
    w.ready.append(out)


def _counted_rows(w: Writer, step: int) -> None:
    x, out, (n, m) = w.source(2), w.new(w.extents), w.extents
    count = w.counter() if chance(w.choices, 2) else w.fresh("c", (), "int64")
    inner = count not in w.temporaries
    w.fill(out)
    i, at = w.name("i"), f"{count.name}[()]"
    w.loops((i, n))
    if inner:
        w.put(1, f'{count.name} = T.alloc_buffer((), "int64")')
    w.put(1, f"{at} = T.int64(0)", f"while {at} < {m}:")
    w.put(2, f"{out.name}[{i}, {at}] = {w.combine(f'{x.name}[{i}, {at}]', w.number())}")
    w.put(2, f"{at} = {at} + T.int64({step})")
    w.ready.append(out)


def repeated(w: Writer) -> None:
    """Loops inside a `while`: rounds over a buffer that each round changes."""
    w.affine = False
    x, out, count, n = w.source(1), w.new(w.extents[:1]), w.counter(), w.extents[0]
    w.fill(out)
    i, at = w.name("i"), f"{count.name}[()]"
    w.put(0, f"{at} = T.int64(0)", f"while {at} < {w.choices.integer(1, 3)}:")
    w.loops((i, n), depth=1)
    loops = [i]
    axes = open_block(w, 2, out.name, "S", loops)
    (a,) = axes
    value = w.combine(f"{out.name}[{a}]", f"{x.name}[{a}]")
    w.put(2 + inside(axes, loops), f"{out.name}[{a}] = {value}")
    w.put(1, f"{at} = {at} + T.int64(1)")
    w.ready.append(out)


def flagged(w: Writer) -> None:
    """Statements that a flag guards, as a branch or as the predicate of a block."""
    x, flag, out = w.source(2), w.flags(), w.new(w.extents)
    n, m = w.extents
    w.fill(out)
    i, j = w.name("i"), w.name("j")
    w.loops((i, n), (j, m))
    condition = f"{flag.name}[{i}] > 0"
    if chance(w.choices, 2):
        condition = f"{flag.name}[T.min({j}, {n} - 1)] > {flag.name}[{i}]"
    place, depth = f"{i}, {j}", 3
    if chance(w.choices, 2):
        w.put(2, f"if {condition}:")
        if chance(w.choices, 2):
            w.put(3, f'with T.sblock("{out.name}"):')
            w.put(4, f'vi, vj = T.axis.remap("SS", [{i}, {j}])')
            place, depth = "vi, vj", 4
    else:
        w.put(2, f'with T.sblock("{out.name}"):')
        w.put(3, f'vi, vj = T.axis.remap("SS", [{i}, {j}])', f"T.where({condition})")
        place = "vi, vj"
    w.put(depth, f"{out.name}[{place}] = {w.combine(f'{x.name}[{place}]', w.number())}")
    if chance(w.choices, 3):
        _turn(w, depth, flag.name, i)
    _turned(w, flag.name)
    w.ready.append(out)


def ragged(w: Writer) -> None:
    """A loop that runs as often as memory says, for a sum or a copy."""
    x, flag, (n, m) = w.source(2), w.flags(), w.extents
    i, j = w.name("i"), w.name("j")
    times = f"T.min({flag.name}[{i}] + {w.choices.integer(0, 1)}, {m})"
    if chance(w.choices, 2):
        out = w.new(w.extents[:1])
        w.put(0, f"for {i} in range({n}):", f"    {out.name}[{i}] = {w.number()}")
        w.put(1, f"for {j} in range({times}):")
        w.put(2, f"{out.name}[{i}] = {w.update(f'{out.name}[{i}]', f'{x.name}[{i}, {j}]')}")
    else:
        out = w.new(w.extents)
        w.fill(out)
        w.loops((i, n), (j, times))
        loops = [i, j]
        axes = loops
        if chance(w.choices, 2):
            axes = ["vi", "vj"]
            w.put(2, f'with T.sblock("{out.name}"):')
            w.put(3, f"vi = T.axis.spatial({n}, {i})", f"vj = T.axis.spatial({m}, {j})")
        place = ", ".join(axes)
        w.put(2 + inside(axes, loops), f"{out.name}[{place}] = {x.name}[{place}]")
        if chance(w.choices, 3):
            _turn(w, 2, flag.name, i)
    _turned(w, flag.name)
    w.ready.append(out)


def _turned(w: Writer, flag: str) -> None:
    """The flags turned around afterwards, once in a while."""
    if chance(w.choices, 3):
        w.put(0, f"for r in range({w.extents[0]}):")
        _turn(w, 1, flag, "r")


def _turn(w: Writer, depth: int, flag: str, at: str) -> None:
    w.put(depth, f"{flag}[{at}] = T.int64(1) - {flag}[{at}]")


def row_memory(w: Writer) -> None:
    """A buffer of its own for each row."""
    x, out, (n, m) = w.source(2), w.new(w.extents), w.extents
    own = w.fresh("r", (m,))
    i, j = w.name("i"), w.name("j")
    w.loops((i, n))
    w.put(1, f'{own.name} = T.alloc_buffer(({m},), "{w.dtype}")')
    w.loops((j, m), depth=1)
    w.put(2, f"{own.name}[{j}] = {w.combine(f'{x.name}[{i}, {j}]', w.number())}")
    w.loops(("q", m), depth=1)
    w.put(2, f"{out.name}[{i}, q] = {w.plus(f'{own.name}[{m} - 1 - q]', f'{own.name}[q]')}")
    w.ready.append(out)


STAGES: tuple[Callable[[Writer], None], ...] = (
    gather,
    scatter,
    scalars,
    swapped,
    bound_index,
    counted,
    repeated,
    flagged,
    ragged,
    row_memory,
)
