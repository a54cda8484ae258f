"""Reductions that update several elements at once: the best value, where it was, and sums.

Ties are won by the first, the last, or by an index; NaN is ignored, sticks, or makes the search
begin again. All forms in which people write it: branches, choices, scalars in between.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.generate.choices import chance, pick
from tests.generate.programs import Writer


def best_and_where(w: Writer) -> None:
    """The largest or smallest of each row with its index, and now and then a sum."""
    n, m = w.extents
    x = w.source(2)
    best = w.new((n,), internal=False)
    where = w.fresh("where", (n,), "int64")
    w.outputs.append(where)
    i, k = w.name("i"), w.name("k")
    order = [(i, n), (k, m)]
    if chance(w.choices, 3):
        order.reverse()
    w.loops(*order)
    w.put(2, f'with T.sblock("{best.name}"):', f"    vi = T.axis.spatial({n}, {i})")
    w.put(3, f"vk = T.axis.reduce({m}, {k})")
    value, index = f"{x.name}[vi, vk]", pick(w.choices, ("vk", "vk", f"{m} - vk", "vk % 2"))
    own, at = f"{best.name}[vi]", f"{where.name}[vi]"
    w.put(3, "with T.init():", f"    {own} = {w.number()}")
    w.put(4, f"{at} = T.int64({pick(w.choices, (-1, 0, 1))})")
    summed = w.new((n,), internal=False) if chance(w.choices, 4) else None
    if summed is not None:
        w.put(4, f"{summed.name}[vi] = {w.number()}")
        w.put(3, f"{summed.name}[vi] = {w.plus(f'{summed.name}[vi]', value)}")
    _update(w, (own, at), (value, index))


def _update(w: Writer, own: tuple[str, str], new: tuple[str, str]) -> None:
    """The better of two pairs, in one of its forms."""
    keep = chance(w.choices, 2)
    op = pick(w.choices, (">", ">=", "<", "<="))
    condition = f"{own[0]} {op} {new[0]}" if keep else f"{new[0]} {op} {own[0]}"
    if chance(w.choices, 3):
        strict = op.rstrip("=")
        tie = pick(w.choices, ("<", ">", "<=", ">="))
        a, b = (own, new) if keep else (new, own)
        condition = f"{a[0]} {strict} {b[0]} or ({a[0]} == {b[0]} and {a[1]} {tie} {b[1]})"
    if chance(w.choices, 6):
        condition = f"not ({condition})"
    form = w.choices.integer(0, 3)
    if form == 0:
        _branch(w, condition, own, new, keep=keep)
        return
    choices = [
        f"T.{'Select' if form == 1 else 'if_then_else'}({condition}, "
        f"{', '.join((a, b) if keep else (b, a))})"
        for a, b in zip(own, new, strict=True)
    ]
    if form == 3 and "== " not in condition:
        w.put(3, f"{own[1]} = {choices[1]}", f"{own[0]} = {choices[0]}")
        return
    names = w.fresh("s", ()).name, w.fresh("s", ()).name
    dtypes = w.dtype, "int64"
    for name, dtype, choice in zip(names, dtypes, choices, strict=True):
        w.put(3, f"{name}: T.{dtype} = {choice}")
    w.put(3, *(f"{a} = {name}" for a, name in zip(own, names, strict=True)))


def _branch(
    w: Writer, condition: str, own: tuple[str, str], new: tuple[str, str], *, keep: bool
) -> None:
    """A branch that stores where the new pair is better; guarded now and then."""
    w.affine = False
    test = f"not ({condition})" if keep else condition
    if chance(w.choices, 4):
        test = f"vk != 1 and ({test})"
    w.put(3, f"if {test}:", *(f"    {a} = {b}" for a, b in zip(own, new, strict=True)))


def chosen(w: Writer) -> None:
    """A minimum or maximum written as a choice, without an index."""
    n, m = w.extents
    x = w.source(2)
    out = w.new((n,), internal=False)
    i, k = w.name("i"), w.name("k")
    w.loops((i, n), (k, m))
    w.put(2, f'with T.sblock("{out.name}"):', f"    vi = T.axis.spatial({n}, {i})")
    w.put(3, f"vk = T.axis.reduce({m}, {k})")
    w.put(3, "with T.init():", f"    {out.name}[vi] = {w.number()}")
    own, value = f"{out.name}[vi]", f"{x.name}[vi, vk]"
    op = pick(w.choices, (">", ">=", "<", "<="))
    sides = (own, value) if chance(w.choices, 2) else (value, own)
    w.put(3, f"{own} = T.if_then_else({own} {op} {value}, {sides[0]}, {sides[1]})")
    w.ready.append(out)


STAGES: tuple[Callable[[Writer], None], ...] = (best_and_where, best_and_where, chosen)
