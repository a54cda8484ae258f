"""Random loop programs as script: what schedules have to cope with, legal or not.

Element-wise nests, stencils, reductions with and without blocks, scans, wavefronts, triangular,
split and flattened loops, chained over shared buffers; what does not follow a pattern is in
`irregular`, what blocks add in `block_nests`, reductions of several elements in `together`, loops
that leave out iterations in `trimmed`.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.generate import block_nests, irregular, together, trimmed
from tests.generate.choices import Choices, chance, pick
from tests.generate.programs import DTYPES, Program, Writer, inside, open_block

SMALL = (0, 1, 2, 3, 5)


def random_nests(choices: Choices, stages: int = 3) -> Program:
    """A program of one to `stages` nests over shared buffers."""
    symbolic = chance(choices, 4)
    sizes = {"n": choices.integer(2, 5), "m": choices.integer(2, 6)}
    if symbolic and chance(choices, 2):
        sizes = {"n": pick(choices, SMALL), "m": pick(choices, SMALL)}
    elif chance(choices, 12):
        sizes[pick(choices, ("n", "m"))] = 1
    extents = ("n", "m") if symbolic else (str(sizes["n"]), str(sizes["m"]))
    w = Writer(choices, pick(choices, DTYPES), extents)
    if symbolic:
        w.source(2)
    for _ in range(choices.integer(1, stages)):
        pick(choices, STAGES)(w)
    if not w.outputs:
        _copy_out(w)
    special = w.dtype.startswith("float") and chance(choices, 2)
    affine = not symbolic and w.affine and w.dtype != "bool"  # `or` skips what it need not read
    return Program(w.script(), sizes, affine, symbolic, special)


def _copy_out(w: Writer) -> None:
    written = [b for b in w.temporaries if not b.dtype]
    last = written[-1] if written else w.source(1)
    out = w.new(last.shape, internal=False)
    loops = [f"c{d}" for d in range(len(last.shape))]
    depth = w.loops(*zip(loops, last.shape, strict=True))
    place = ", ".join(loops)
    w.put(depth, f"{out.name}[{place}] = {last.name}[{place}]")


def elementwise(w: Writer) -> None:
    """`out[i, j] = f(x[i, j], y[i, j])`, its loops of several kinds."""
    x, y = w.source(2), w.source(2)
    out = w.new(w.extents)
    i, j = w.name("i"), w.name("j")
    kinds = ("range", "range", "range", "range", "T.parallel", "T.unroll")
    w.put(0, f"for {i} in {pick(w.choices, kinds)}({w.extents[0]}):")
    w.put(1, f"for {j} in {pick(w.choices, kinds)}({w.extents[1]}):")
    loops = [i, j]
    axes = open_block(w, 2, out.name, "SS", loops)
    a, b = axes
    value = w.combine(f"{x.name}[{a}, {b}]", f"{y.name}[{a}, {b}]", w.number())
    w.put(2 + inside(axes, loops), f"{out.name}[{a}, {b}] = {value}")
    w.ready.append(out)


def stencil(w: Writer) -> None:
    """`out[i, j] = x[i, j] + x[i, j - 1]` where there is one."""
    x, out = w.source(2), w.new(w.extents)
    i, j = w.name("i"), w.name("j")
    w.loops((i, w.extents[0]), (j, w.extents[1]))
    loops = [i, j]
    axes = open_block(w, 2, out.name, "SS", loops)
    a, b = axes
    before = f"{x.name}[{a}, T.max({b} - 1, 0)]"
    if chance(w.choices, 2):
        before = f"T.if_then_else({b} > 0, {x.name}[{a}, T.max({b} - 1, 0)], {w.number()})"
    value = w.plus(f"{x.name}[{a}, {b}]", before)
    w.put(2 + inside(axes, loops), f"{out.name}[{a}, {b}] = {value}")
    w.ready.append(out)


def in_place(w: Writer) -> None:
    """Each element updated from itself, or from a neighbour that is old or new."""
    given = chance(w.choices, 2)
    out = w.source(2) if given else w.new(w.extents)
    shift = w.choices.integer(-1, 1)
    n, m = w.extents
    i, j = w.name("i"), w.name("j")
    if not given:
        w.fill(out)
    w.loops((i, n))
    start = "1, " if shift == -1 else "0, "
    end = f"{m} - 1" if shift == 1 else m
    w.put(1, f"for {j} in range({start}{end}):")
    other = f"{out.name}[{i}, {j}{f' + {shift}' if shift else ''}]".replace("+ -", "- ")
    value = w.plus(f"{out.name}[{i}, {j}]", w.times(other, w.number()))
    w.put(2, f"{out.name}[{i}, {j}] = {value}")
    if not given:
        w.ready.append(out)


def row_reduction(w: Writer) -> None:
    """`out[i] = sum over j of x[i, j]`, as a block with init or as plain loops."""
    x, plain = w.source(2), chance(w.choices, 2)
    out = w.new(w.extents[:1], internal=False if w.symbolic and not plain else None)
    n, m = w.extents
    i, k = w.name("i"), w.name("k")
    if plain:
        w.put(0, f"for {i} in range({n}):", f"    {out.name}[{i}] = {w.number()}")
        w.put(1, f"for {k} in range({m}):")
        w.put(2, f"{out.name}[{i}] = {w.update(f'{out.name}[{i}]', f'{x.name}[{i}, {k}]')}")
    else:
        order = [(i, n), (k, m)]
        if chance(w.choices, 3):
            order.reverse()
        w.loops(*order)
        w.put(2, f'with T.sblock("{out.name}"):', f"    vi = T.axis.spatial({n}, {i})")
        w.put(3, f"vk = T.axis.reduce({m}, {k})")
        w.put(3, "with T.init():", f"    {out.name}[vi] = {w.number()}")
        w.put(3, f"{out.name}[vi] = {w.update(f'{out.name}[vi]', f'{x.name}[vi, vk]')}")
    w.ready.append(out)


def contraction(w: Writer) -> None:
    """`out[i, j] = sum over k of x[i, k] * y[j, k]`."""
    x, y = w.source(2), w.source(2)
    n, m = w.extents
    out = w.new((n, n), internal=False if w.symbolic else None)
    i, j, k = w.name("i"), w.name("j"), w.name("k")
    w.loops((i, n), (j, n), (k, m))
    w.put(3, f'with T.sblock("{out.name}"):')
    w.put(4, f'vi, vj, vk = T.axis.remap("SSR", [{i}, {j}, {k}])')
    w.put(4, "with T.init():", f"    {out.name}[vi, vj] = {w.number()}")
    product = w.times(f"{x.name}[vi, vk]", f"{y.name}[vj, vk]")
    w.put(4, f"{out.name}[vi, vj] = {w.plus(f'{out.name}[vi, vj]', product)}")


def scan(w: Writer) -> None:
    """Prefix sums."""
    x, out = w.source(1), w.new(w.extents[:1])
    i, n = w.name("i"), w.extents[0]
    if w.symbolic:
        w.put(0, f"if {n} > 0:", f"    {out.name}[0] = {x.name}[0]")
    else:
        w.put(0, f"{out.name}[0] = {x.name}[0]")
    w.put(0, f"for {i} in range(1, {n}):")
    w.put(1, f"{out.name}[{i}] = {w.plus(f'{out.name}[{i} - 1]', f'{x.name}[{i}]')}")
    w.ready.append(out)


def wavefront(w: Writer) -> None:
    """`out[i, j] = out[i - 1, j] + out[i, j - 1]`, or diagonal neighbours."""
    out, (n, m) = w.new(w.extents), w.extents
    w.fill(out)
    i, j = w.name("i"), w.name("j")
    w.put(0, f"for {i} in range(1, {n}):", f"    for {j} in range(1, {m}):")
    first, second = pick(w.choices, (("", " - 1"), (" - 1", ""), (" - 1", " - 1"))), (" - 1", "")
    left = f"{out.name}[{i}{first[0]}, {j}{first[1]}]"
    right = f"{out.name}[{i}{second[0]}, {j}{second[1]}]"
    w.put(2, f"{out.name}[{i}, {j}] = {w.combine(left, right)}")
    w.ready.append(out)


def guarded(w: Writer) -> None:
    """Different values on both sides of the diagonal."""
    x, out, (n, m) = w.source(2), w.new(w.extents), w.extents
    i, j = w.name("i"), w.name("j")
    w.loops((i, n), (j, m))
    w.put(2, f"if {j} <= {i}:")
    w.put(3, f"{out.name}[{i}, {j}] = {w.combine(f'{x.name}[{i}, {j}]', w.number())}")
    if chance(w.choices, 3):
        w.put(2, f"elif {j} > {i} + 1:", f"    {out.name}[{i}, {j}] = {x.name}[{i}, {j}]")
    w.put(2, "else:", f"    {out.name}[{i}, {j}] = {w.number()}")
    w.ready.append(out)


def triangular(w: Writer) -> None:
    """A loop whose extent depends on the one around it."""
    x, out, n = w.source(1), w.new(w.extents[:1]), w.extents[0]
    i, j = w.name("i"), w.name("j")
    w.put(0, f"for {i} in range({n}):", f"    {out.name}[{i}] = {w.number()}")
    w.put(1, f"for {j} in range({i} + 1):")
    w.put(2, f"{out.name}[{i}] = {w.plus(f'{out.name}[{i}]', f'{x.name}[{j}]')}")
    w.ready.append(out)


def packed(w: Writer) -> None:
    """A triangle as a vector, row after row, or a square with rows that may overlap."""
    w.affine = False
    x, n = w.source(1), w.extents[0]
    i, j = w.name("i"), w.name("j")
    flat = w.new((f"{n} * {n} + {n}",), internal=True)
    out = w.new((n,))
    w.fill(flat)
    inner, place = pick(
        w.choices,
        (
            (f"{i} + 1", f"{i} * ({i} + 1) // 2 + {j}"),
            (f"{i} + 1", f"{i} * ({i} + 1) // 2 + {i} - {j}"),
            (f"{i}", f"{i} * ({i} - 1) // 2 + {j}"),
            (f"{n} - {i}", f"{i} * (2 * {n} - {i} + 1) // 2 + {j}"),
            (f"{i} + 1", f"{i} * {i} // 2 + {j}"),
            (n, f"{i} * {i} + {j}"),
            (n, f"{i} * ({i} + 1) // 2 + {j}"),
        ),
    )
    w.put(0, f"for {i} in range({n}):", f"    for {j} in range({inner}):")
    w.put(2, f"{flat.name}[{place}] = {w.plus(f'{x.name}[{i}]', f'{x.name}[{j}]')}")
    place = place if inner == f"{i} + 1" else f"{i} * ({i} + 1) // 2"
    w.put(0, f"for {i} in range({n}):", f"    {out.name}[{i}] = {w.number()}")
    w.put(1, f"for {j} in range({i} + 1):")
    w.put(2, f"{out.name}[{i}] = {w.plus(f'{out.name}[{i}]', f'{flat.name}[{place}]')}")
    w.ready.append(out)


def split_nest(w: Writer) -> None:
    """A nest that looks split already, with a predicate."""
    x, out, n = w.source(1), w.new(w.extents[:1]), w.extents[0]
    o, i, factor = w.name("o"), w.name("i"), w.choices.integer(2, 3)
    w.put(0, f"for {o} in range(({n} + {factor - 1}) // {factor}):")
    w.put(1, f"for {i} in range({factor}):", f'    with T.sblock("{out.name}"):')
    w.put(3, f"vi = T.axis.spatial({n}, {o} * {factor} + {i})")
    w.put(3, f"T.where({o} * {factor} + {i} < {n})")
    w.put(3, f"{out.name}[vi] = {w.combine(f'{x.name}[vi]', w.number())}")
    w.ready.append(out)


def flattened(w: Writer) -> None:
    """A matrix written as a vector and read back by division and modulo."""
    x, (n, m) = w.source(2), w.extents
    flat, out = w.new((f"{n} * {m}",), internal=True), w.new(w.extents)
    i, k = w.name("i"), w.name("k")
    w.loops((i, n), ("j", m))
    w.put(2, f"{flat.name}[{i} * {m} + j] = {w.plus(f'{x.name}[{i}, j]', w.number())}")
    w.loops((k, f"{n} * {m}"))
    w.put(1, f"{out.name}[{k} // {m}, {k} % {m}] = {flat.name}[{k}]")
    w.ready.append(out)


def shifted(w: Writer) -> None:
    """A loop that starts above zero."""
    x, out, n = w.source(1), w.new(w.extents[:1]), w.extents[0]
    i, first = w.name("i"), w.choices.integer(1, 3)
    w.put(0, f"for {i} in T.serial({first}, {n} + {first}):")
    place = f"{i} - {first}"
    depth = 1
    if chance(w.choices, 2):
        w.put(1, f'with T.sblock("{out.name}"):', f"    vs = T.axis.spatial({n}, {place})")
        depth, place = 2, "vs"
    w.put(depth, f"{out.name}[{place}] = {w.combine(f'{x.name}[{place}]', w.number())}")
    w.ready.append(out)


def siblings(w: Writer) -> None:
    """Nests below one loop: the second reads what this or another iteration of the first wrote."""
    x, (n, m) = w.source(2), w.extents
    first, out = w.new(w.extents), w.new(w.extents)
    w.fill(first)
    i, j = w.name("i"), w.name("j")
    row = pick(w.choices, (i, f"T.max({i} - 1, 0)", f"T.min({i} + 1, {n} - 1)", f"{n} - 1 - {i}"))
    w.loops((i, n), (j, m))
    value = w.combine(f"{x.name}[{i}, {j}]", w.number())
    w.put(2, f"{first.name}[{i}, {j}] = {value}")
    w.loops(("q", m), depth=1)
    w.put(2, f"{out.name}[{i}, q] = {w.combine(f'{first.name}[{row}, q]', f'{x.name}[{i}, q]')}")
    w.ready += [first, out]


STAGES: tuple[Callable[[Writer], None], ...] = (
    elementwise,
    elementwise,
    stencil,
    in_place,
    row_reduction,
    row_reduction,
    contraction,
    scan,
    wavefront,
    guarded,
    triangular,
    packed,
    split_nest,
    flattened,
    shifted,
    siblings,
    *irregular.STAGES,
    *block_nests.STAGES,
    *together.STAGES,
    *trimmed.STAGES,
)
