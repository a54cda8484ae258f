"""Random blocks that are not plain: axes bound to more than a loop, views, declared regions.

Reduce axes that run backwards, in steps, beyond or not from their begin; stores that are not one
to one; predicates; blocks in blocks; opaque blocks; windows into buffers.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.generate.choices import chance, pick
from tests.generate.programs import Buffer, Writer


def odd_reduction(w: Writer) -> None:
    """A reduction whose axis does not take the values of its loop in order, once each."""
    n, m = w.extents
    i, k = w.name("i"), w.name("k")
    x, out = w.source(2), w.new((n,), internal=False if w.symbolic else None)
    many, extent, bound = pick(
        w.choices,
        (
            (m, m, f"{m} - 1 - {k}"),
            (f"{m} * 2", m, f"{k} // 2"),
            (m, f"{m} + 1", f"{k} + 1"),
            (m, m, f"T.max({k} - 1, 0)"),
            (f"{m} * 2", m, f"{k} % {m}"),
            (m, m, f"({k} + 1) % {m}"),
        ),
    )
    w.fill(out)
    order = [(i, n), (k, many)]
    if chance(w.choices, 3):
        order.reverse()
    w.loops(*order)
    w.put(2, f'with T.sblock("{out.name}"):', f"    vi = T.axis.spatial({n}, {i})")
    w.put(3, f"vk = T.axis.reduce({extent}, {bound})")
    w.put(3, "with T.init():", f"    {out.name}[vi] = {w.number()}")
    value = f"{x.name}[vi, T.min(vk, {m} - 1)]" if extent != m else f"{x.name}[vi, vk]"
    w.put(3, f"{out.name}[vi] = {w.update(f'{out.name}[vi]', value)}")
    w.ready.append(out)


def two_reductions(w: Writer) -> None:
    """A sum over two axes, into one element or into each of a row."""
    n, m = w.extents
    x, whole = w.source(2), chance(w.choices, 2)
    y = w.source(1)
    out = w.new(("1",) if whole else (n,), internal=False if w.symbolic else None)
    w.fill(out)
    i, k, q = w.name("i"), w.name("k"), w.name("q")
    nest = [(k, n), (q, m)] if whole else [(i, n), (k, n), (q, m)]
    w.loops(*nest)
    depth = len(nest)
    w.put(depth, f'with T.sblock("{out.name}"):')
    if not whole:
        w.put(depth + 1, f"vi = T.axis.spatial({n}, {i})")
    w.put(depth + 1, f'vk, vq = T.axis.remap("RR", [{k}, {q}])')
    own = f"{out.name}[{'0' if whole else 'vi'}]"
    w.put(depth + 1, "with T.init():", f"    {own} = {w.number()}")
    value = f"{x.name}[vk, vq]" if whole else w.times(f"{x.name}[vk, vq]", f"{y.name}[vi]")
    w.put(depth + 1, f"{own} = {w.update(own, value)}")


def not_one_to_one(w: Writer) -> None:
    """Several iterations that write one element."""
    x, (n, m) = w.source(2), w.extents
    out = w.new((n,))
    w.fill(out)
    i, j = w.name("i"), w.name("j")
    at = pick(w.choices, (i, f"{i} // 2", f"{i} % 2", f"T.min({i}, {j})", f"T.max({i} - 1, 0)"))
    if at == f"{i} % 2" and not (w.symbolic or int(n) > 1):
        at = i
    safe = f"T.min({at}, {n} - 1)" if "%" in at and w.symbolic else at
    w.loops((i, n), (j, m))
    value = f"{x.name}[{i}, {j}]"
    own, depth = f"{out.name}[{safe}]", 2
    if chance(w.choices, 2):
        w.put(2, f'with T.sblock("{out.name}"):', f"    vi = T.axis.spatial({n}, {safe})")
        own, depth = f"{out.name}[vi]", 3
    w.put(depth, f"{own} = {w.combine(value, own) if chance(w.choices, 2) else value}")
    w.ready.append(out)


def repeated_axis(w: Writer) -> None:
    """A spatial axis that takes each value twice."""
    x, out, n = w.source(1), w.new(w.extents[:1]), w.extents[0]
    i = w.name("i")
    bound = pick(w.choices, (f"{i} // 2", f"{i} % {n}"))
    w.loops((i, f"{n} * 2"))
    w.put(1, f'with T.sblock("{out.name}"):', f"    vi = T.axis.spatial({n}, {bound})")
    w.put(2, f"{out.name}[vi] = {w.combine(f'{x.name}[vi]', w.number())}")
    w.ready.append(out)


def predicated(w: Writer) -> None:
    """A block with a predicate on its axes or its loops."""
    x, out, (n, m) = w.source(2), w.new(w.extents), w.extents
    w.fill(out)
    i, j = w.name("i"), w.name("j")
    w.loops((i, n), (j, f"{m} + 1"))
    condition = pick(
        w.choices,
        (f"{j} < {m}", f"{j} < {m} and {i} <= {j}", f"{j} < {m} and ({i} + {j}) % 2 == 0"),
    )
    w.put(2, f'with T.sblock("{out.name}"):')
    w.put(3, f"vi = T.axis.spatial({n}, {i})", f"vj = T.axis.spatial({m}, {j})")
    w.put(3, f"T.where({condition})")
    w.put(3, f"{out.name}[vi, vj] = {w.combine(f'{x.name}[vi, vj]', w.number())}")
    w.ready.append(out)


def opaque(w: Writer) -> None:
    """A block that says what it reads and writes: a row, with loops inside."""
    x, out, (n, m) = w.source(2), w.new(w.extents), w.extents
    i, j = w.name("i"), w.name("j")
    kind = pick(w.choices, ("spatial", "spatial", "opaque", "scan"))
    w.loops((i, n))
    w.put(1, f'with T.sblock("{out.name}"):', f"    vi = T.axis.{kind}({n}, {i})")
    w.put(2, f"T.reads({x.name}[vi, 0:{m}])", f"T.writes({out.name}[vi, 0:{m}])")
    w.put(2, f"for {j} in range({m}):")
    value = w.combine(f"{x.name}[vi, {m} - 1 - {j}]", w.number())
    w.put(3, f"{out.name}[vi, {j}] = {value}")
    w.ready.append(out)


def nested(w: Writer) -> None:
    """A block in a block, now and then with memory of its own."""
    x, out, (n, m) = w.source(2), w.new(w.extents), w.extents
    i, j = w.name("i"), w.name("j")
    w.loops((i, n))
    w.put(1, f'with T.sblock("{out.name}_row"):', f"    vi = T.axis.spatial({n}, {i})")
    row, at = x.name, "vi, "
    if chance(w.choices, 2):
        own = w.fresh("r", (m,)).name
        w.put(2, f'{own} = T.sblock_alloc_buffer(({m},), "{w.dtype}")')
        w.loops(("p", m), depth=2)
        w.put(3, f'with T.sblock("{own}"):', f"    vp = T.axis.spatial({m}, p)")
        w.put(4, f"{own}[vp] = {w.combine(f'{x.name}[vi, vp]', w.number())}")
        row, at = own, ""
    w.loops((j, m), depth=2)
    w.put(3, f'with T.sblock("{out.name}"):', f"    vj = T.axis.spatial({m}, {j})")
    w.put(4, f"{out.name}[vi, vj] = {w.plus(f'{row}[{at}vj]', f'{row}[{at}{m} - 1 - vj]')}")
    w.ready.append(out)


def window(w: Writer) -> None:
    """Rows as buffers of their own, that share the elements of the matrix."""
    x, out, (n, m) = w.source(2), w.new(w.extents), w.extents
    i, j = w.name("i"), w.name("j")
    w.loops((i, n))
    w.put(1, f'with T.sblock("{out.name}"):', f"    vi = T.axis.spatial({n}, {i})")
    given = _row(w, x, m)
    taken = out.name, "vi, "
    if chance(w.choices, 2):
        taken = _row(w, out, m)
    w.loops((j, m), depth=2)
    depth, at = 3, j
    if chance(w.choices, 2):
        w.put(3, f'with T.sblock("{out.name}_e"):', f"    vj = T.axis.spatial({m}, {j})")
        depth, at = 4, "vj"
    value = w.combine(f"{given[0]}[{given[1]}{m} - 1 - {at}]", w.number())
    w.put(depth, f"{taken[0]}[{taken[1]}{at}] = {value}")
    w.ready.append(out)


def _row(w: Writer, of: Buffer, m: str) -> tuple[str, str]:
    """A view of row `vi`, of one dimension or of two: its name, and how its indices begin."""
    flat = chance(w.choices, 2)
    view = w.fresh("w", ()).name
    shape = f"({m},)" if flat else f"(1, {m})"
    w.put(2, f'{view} = T.match_buffer({of.name}[vi, 0:{m}], {shape}, "{w.dtype}")')
    return view, "" if flat else "0, "


def pairs_of_rows(w: Writer) -> None:
    """Windows that overlap: each row from itself and the next one, in place."""
    x, (n, m) = w.source(2), w.extents
    i, j = w.name("i"), w.name("j")
    view = w.fresh("w", ()).name
    w.loops((i, f"{n} - 1"))
    w.put(1, f'with T.sblock("{view}_block"):', f"    vi = T.axis.opaque({n}, {i})")
    w.put(2, f'{view} = T.match_buffer({x.name}[vi:vi + 2, 0:{m}], (2, {m}), "{w.dtype}")')
    w.loops((j, m), depth=2)
    first, second = pick(w.choices, ((0, 1), (1, 0), (0, 0)))
    value = w.combine(f"{view}[{second}, {j}]", w.number())
    w.put(3, f"{view}[{first}, {j}] = {value}")


STAGES: tuple[Callable[[Writer], None], ...] = (
    odd_reduction,
    odd_reduction,
    two_reductions,
    not_one_to_one,
    repeated_axis,
    predicated,
    opaque,
    nested,
    window,
    pairs_of_rows,
)
