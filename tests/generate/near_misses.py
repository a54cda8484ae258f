"""Products that are not what an intrinsic describes, and others that still are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tests.generate.choices import chance, pick
from tests.generate.product import Dim, Product, place_accesses, shapes_of


def _other_dtype(p: Product) -> None:
    """A dtype that the intrinsic does not have."""
    name = pick(p.choices, ("A", "B", "C"))
    shape, dtype = p.buffers[name]
    others = {"uint8": "int8", "int8": "uint8", "int32": "int64", "bfloat16": "float32"}
    p.buffers[name] = shape, others.get(dtype, "float64")


def _other_extent(p: Product) -> None:
    """A tile of another size."""
    name = pick(p.choices, list(p.dims))
    if name == "k" and not p.kind.count:
        name = "j"
    old = p.dims[name]
    inner = max(1, old.inner + pick(p.choices, (-1, 1)))
    p.dims[name] = replace(old, inner=inner)
    count = p.dims["q"].inner if p.kind.packed else p.kind.count
    kind = replace(p.kind, columns=p.dims["j"].inner, count=count)
    for buffer, (shape, _) in shapes_of(kind, p.dims).items():
        p.buffers[buffer] = shape, p.buffers[buffer][1]
    if p.kind.packed:
        p.kind = kind
    place_accesses(p)


def _other_stride(p: Product) -> None:
    """Every second element, or a dimension along which it is not contiguous."""
    name = pick(p.choices, ("A", "B", "C"))
    shape, dtype = p.buffers[name]
    at = p.at[name]
    if chance(p.choices, 2):
        p.buffers[name] = [*shape[:-1], f"({shape[-1]}) * 2"], dtype
        p.at[name] = [*at[:-1], f"({at[-1]}) * 2"]
    else:
        p.buffers[name] = [*shape[:-2], shape[-1], shape[-2]], dtype
        p.at[name] = [*at[:-2], at[-1], at[-2]]


def _other_sum(p: Product) -> None:
    """Another way to accumulate."""
    p.value = pick(
        p.choices,
        (
            "{c} - {a} * {b}",
            "T.max({c}, {a} * {b})",
            "{c} + {a} + {b}",
            "{a} * {b}",
            "{c} + {a} * {b} + {a} * {b}",
            "{c} * {a} + {b}",
            "({c} + {a}) * {b}",
        ),
    )
    if p.value == "{a} * {b}":
        p.initial = False


def _reads_what_it_writes(p: Product) -> None:
    """One buffer is written and read: the same elements, a neighbour's, or those of another plane.

    Planes that are known to be apart are no miss.
    """
    name = pick(p.choices, [n for n in "AB" if p.buffers[n][1] == p.buffers["C"][1]] or ["C"])
    if name == "C":
        shape, dtype = p.buffers["C"]
        p.buffers["C"] = [f"{shape[0]} + 1", *shape[1:]], dtype
        p.at["C"] = ["C", f"{p.at['C'][1]} + 1", *p.at["C"][2:]]
        p.value = f"{{c}} + {{a}} * {{b}} + C[{p.at['C'][1]} - 1, {p.at['C'][2]}]"
        return
    (own, dtype), (other, _) = p.buffers["C"], p.buffers.pop(name)
    if p.symbols:
        shape = [f"{x} + {y}" if x != y else x for x, y in zip(own, other, strict=True)]
    else:
        shape = [str(max(int(x), int(y))) for x, y in zip(own, other, strict=True)]
    p.buffers["C"] = ["2", *shape], dtype
    read, written = pick(p.choices, (("0", "1"), ("1", "0"), ("0", "0"), ("1", "1")))
    p.at[name] = ["C", read, *p.at[name][1:]]
    p.at["C"] = ["C", written, *p.at["C"][1:]]


def _guarded(p: Product) -> None:
    """A part of the tile is left out, or whole tiles."""
    dim = p.dims[pick(p.choices, ("i", "j"))]
    less = pick(p.choices, (1, dim.inner))
    p.predicate = f"{dim.value} < {dim.extent} - {less}"
    if not p.blocked and chance(p.choices, 2):
        p.predicate = f"{p.dims['k'].value} <= {p.dims['i'].value}"


def _gathered(p: Product) -> None:
    """Rows of one operand by an index that memory holds."""
    p.buffers["idx"] = [p.dims["i"].extent], "int64"
    at = p.at["A"]
    p.at["A"] = [at[0], f"idx[{at[1]}]", *at[2:]]


def _moved_by_what_it_writes(p: Product) -> None:
    """Where an operand lies is read from the buffer that is written, or from another one."""
    source = "C" if p.kind.total == "int32" and not chance(p.choices, 3) else "N"
    if source == "N":
        p.buffers["N"] = ["1", "1"], "int32"
    name = pick(p.choices, ("A", "B"))
    shape, dtype = p.buffers[name]
    p.buffers[name] = ["2", *shape], dtype
    place = f"T.min(T.max(T.Cast('int64', {source}[0, 0]), 0), 1)"
    p.at[name] = [name, place, *p.at[name][1:]]


MISSES: tuple[Callable[[Product], None], ...] = (
    _other_dtype,
    _other_extent,
    _other_stride,
    _other_sum,
    _reads_what_it_writes,
    _reads_what_it_writes,
    _guarded,
    _gathered,
    _moved_by_what_it_writes,
)


def _swapped(p: Product) -> None:
    """Factors and addends the other way around."""
    p.value = p.value.replace("{a} * {b}", "{b} * {a}")
    if chance(p.choices, 2):
        p.value = p.value.replace("{c} + {b} * {a}", "{b} * {a} + {c}")


def _of_a_plane(p: Product) -> None:
    """One operand is a plane of a buffer of more dimensions."""
    name = pick(p.choices, ("A", "B"))
    if name not in p.buffers or p.at[name][0] != name:
        return
    shape, dtype = p.buffers[name]
    p.buffers[name] = ["2", *shape], dtype
    p.at[name] = [p.at[name][0], pick(p.choices, ("0", "1")), *p.at[name][1:]]


def _further_on(p: Product) -> None:
    """One operand begins further on in its buffer."""
    name = pick(p.choices, ("A", "B"))
    if name not in p.buffers or p.at[name][0] != name:
        return
    shape, dtype = p.buffers[name]
    p.buffers[name] = [*shape[:-1], f"{shape[-1]} + 2"], dtype
    p.at[name] = [*p.at[name][:-1], f"{p.at[name][-1]} + 2"]


def _per_batch(p: Product) -> None:
    """Another loop around, over all operands or over some."""
    p.dims = {"t": Dim("t", "2", 1, split=False), **p.dims}
    for name in ("A", "B", "C"):
        plain = name in p.buffers and p.at[name][0] == name
        alone = sum(at[0] == name for at in p.at.values()) == 1
        if plain and alone and (name == "C" or chance(p.choices, 2)):
            shape, dtype = p.buffers[name]
            if any(
                f"{name}[" in text for text in (p.value, *(i for at in p.at.values() for i in at))
            ):
                continue
            p.buffers[name] = ["2", *shape], dtype
            p.at[name] = [name, p.axis("t"), *p.at[name][1:]]


def _seen_through_views(p: Product) -> None:
    """Operands are regions of larger buffers, or of one buffer, apart or not."""
    if p.symbols:
        return
    shape, dtype = p.buffers["C"]
    others = [name for name in "AB" if name in p.buffers and p.buffers[name][1] == dtype]
    name = pick(p.choices, others or ["C"])
    own = p.buffers[name][0]
    if name == "C" or len(own) != len(shape):
        p.views, p.behind = {"C": ("X", 1)}, {"X": ([f"{shape[0]} + 2", *shape[1:]], dtype)}
        return
    first, rows = extent_of(own[0]), extent_of(shape[0])
    begin = max(0, first - p.choices.integer(0, 2))
    rest = [str(max(extent_of(x), extent_of(y))) for x, y in zip(own[1:], shape[1:], strict=True)]
    p.views = {name: ("X", 0), "C": ("X", begin)}
    p.behind = {"X": ([str(max(first, begin + rows)), *rest], dtype)}


def extent_of(extent: str) -> int:
    """The number that an extent without symbols is."""
    return int(eval(extent, {}))


VARIATIONS: tuple[Callable[[Product], None], ...] = (
    _swapped,
    _of_a_plane,
    _further_on,
    _per_batch,
    _seen_through_views,
)
