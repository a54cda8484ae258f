"""Random programs of which parts are what an intrinsic describes, or nearly: matrix products.

Tiles of float32 in registers, dot products of bytes and of brain floats; whole or tiled already,
with and without blocks, initial values and guards, on views. Near misses have another dtype,
extent, stride or way to accumulate, or read what they write. With a program come the steps that
lead to the intrinsic, each of which a schedule may leave out.
"""

from __future__ import annotations

from dataclasses import replace

from tests.generate.choices import Choices, chance, pick
from tests.generate.near_misses import MISSES, VARIATIONS, extent_of
from tests.generate.product import Dim, Kind, Product, place_accesses, shapes_of
from tests.generate.programs import Program

KINDS = (
    Kind("fma_4x16_f32", 4, 16, 0, "float32", "float32", "float32"),
    Kind("fma_4x16_f32", 4, 16, 0, "float32", "float32", "float32"),
    Kind("fma_8x8_f32", 8, 8, 0, "float32", "float32", "float32"),
    Kind("fma_8x8_f32", 8, 8, 0, "float32", "float32", "float32"),
    Kind("fma_6x16_f32", 6, 16, 0, "float32", "float32", "float32"),
    Kind("dot_8x4_vnni", 0, 8, 4, "uint8", "int8", "int32"),
    Kind("dot_8x4_vnni", 0, 8, 4, "uint8", "int8", "int32"),
    Kind("dot_16x4_vnni", 0, 16, 4, "uint8", "int8", "int32"),
    Kind("dot_4x16x4_vnni", 4, 16, 4, "uint8", "int8", "int32", packed=True),
    Kind("dot_8x2_bf16", 0, 8, 2, "bfloat16", "bfloat16", "float32"),
    Kind("dot_8x2_bf16", 0, 8, 2, "bfloat16", "bfloat16", "float32"),
    Kind("dot_16x2_bf16", 0, 16, 2, "bfloat16", "bfloat16", "float32"),
    Kind("dot_4x16x2_bf16", 4, 16, 2, "bfloat16", "bfloat16", "float32", packed=True),
)


def random_contractions(choices: Choices) -> Program:
    """A program of one contraction, and perhaps a stage before or after it."""
    product = _product(choices)
    if chance(choices, 3):
        pick(choices, MISSES)(product)
    for vary in VARIATIONS:
        if chance(choices, 6):
            vary(product)
    special = product.kind.total == "float32" and chance(choices, 4)
    return Program(
        _script(product),
        product.symbols,
        affine=False,
        symbolic=bool(product.symbols),
        special=special,
        steps=_steps(product),
    )


def _product(choices: Choices) -> Product:
    kind = pick(choices, KINDS)
    symbols: dict[str, int] = {}
    rows = _dim(choices, "i", kind.rows or choices.integer(1, 3), 2 if kind.rows else 1)
    columns = _dim(choices, "j", kind.columns, 2 if kind.rows * kind.columns < 64 else 1)
    dims = {"i": rows, "j": columns, "k": Dim("k", str(choices.integer(1, 3)), 1, split=False)}
    if kind.packed:
        dims["q"] = Dim("q", "1", kind.count, split=False)
    elif kind.count:
        dims["k"] = _dim(choices, "k", kind.count, 2)
    if chance(choices, 4):
        _symbolic(choices, kind, dims, symbols)
    shapes = shapes_of(kind, dims)
    blocked = not chance(choices, 4)
    product = Product(
        choices,
        kind,
        dims,
        {name: (shape, dtype) for name, (shape, dtype) in shapes.items()},
        {},
        blocked=blocked,
        initial=blocked and not chance(choices, 4),
        symbols=symbols,
    )
    place_accesses(product)
    return product


def _dim(choices: Choices, name: str, inner: int, most: int) -> Dim:
    outer = choices.integer(1, most)
    return Dim(name, str(outer), inner, split=chance(choices, 2))


def _symbolic(choices: Choices, kind: Kind, dims: dict[str, Dim], symbols: dict[str, int]) -> None:
    """The length of the sum, or how many tiles there are, as a symbol."""
    name = pick(choices, ("k", "k", "i") if kind.rows else ("i", "k"))
    symbols["n"] = choices.integer(0, 3)
    dims[name] = replace(dims[name], outer="n")


# --- the script --------------------------------------------------------------------------------


def _script(p: Product) -> str:
    shape, total = p.buffers["C"]
    plain = not p.views
    before, after = plain and chance(p.choices, 5), plain and chance(p.choices, 5)
    made = [name for name in ("A", "B") if name in p.buffers and before][:1]
    own = [*(["C"] if after else []), *made]
    lines: list[str] = []
    for name in made:
        dtype = p.buffers[name][1]
        lines += _copy(p, f"{name}_in", name, f'T.max({{x}}, T.Cast("{dtype}", 2))')
    if not p.initial and (after or chance(p.choices, 2)):
        lines += _each("z", shape, f'C[{{at}}] = T.Cast("{total}", 1)')
    lines += _nest(p)
    if after:
        lines += _copy(p, "C", "D", "{x} + {x}")
    given = {n: kind for n, kind in p.buffers.items() if n not in own and n not in p.views}
    given |= p.behind | {f"{name}_in": p.buffers[name] for name in made}
    if after:
        given["D"] = p.buffers["C"]
    typed = ", ".join(f"{name}: {_typed(p, *kind)}" for name, kind in given.items())
    head = ["@T.prim_func", f"def f({typed}):"]
    head += [f"    {symbol} = T.int64()" for symbol in p.symbols]
    for name in own:
        dims, dtype = p.buffers[name]
        head.append(f'    {name} = T.alloc_buffer(({", ".join(dims)},), "{dtype}")')
    return "\n".join([*head, *("    " + line for line in _inside_views(p, lines))]) + "\n"


def _inside_views(p: Product, lines: list[str]) -> list[str]:
    """The statements in a block that gives regions of buffers names, where there are some."""
    if not p.views:
        return lines
    head = ["for w in range(1):", '    with T.sblock("views"):', "        vw = T.axis.opaque(1, w)"]
    for name, (source, begin) in p.views.items():
        shape, dtype = p.buffers[name]
        sizes = [extent_of(extent) for extent in shape]
        starts = [begin] + [0] * (len(sizes) - 1)
        region = ", ".join(f"{x}:{x + e}" for x, e in zip(starts, sizes, strict=True))
        dims = ", ".join(str(e) for e in sizes)
        head.append(f'        {name} = T.match_buffer({source}[{region}], ({dims},), "{dtype}")')
    return [*head, *("        " + line for line in lines)]


def _typed(p: Product, shape: list[str], dtype: str) -> str:
    dims = [f'"{e}"' for e in shape] if p.symbols else shape
    return f'T.Buffer(({", ".join(dims)},), "{dtype}")'


def _each(base: str, shape: list[str], store: str) -> list[str]:
    """A statement for every element of a shape."""
    names = [f"{base}{n}" for n in range(len(shape))]
    lines = _loops(list(zip(names, shape, strict=True)))
    return [*lines, "    " * len(shape) + store.format(at=", ".join(names))]


def _loops(nest: list[tuple[str, str]]) -> list[str]:
    """The heads of loops, one inside the other."""
    return [f"{'    ' * n}for {name} in range({e}):" for n, (name, e) in enumerate(nest)]


def _copy(p: Product, source: str, target: str, value: str) -> list[str]:
    """A stage of its own, element by element, in a block."""
    shape = p.buffers["C" if target == "D" else target][0]
    names = [f"{target.lower()}{n}" for n in range(len(shape))]
    axes = ", ".join(f"v{name}" for name in names)
    depth = len(shape)
    lines = _loops(list(zip(names, shape, strict=True)))
    lines.append("    " * depth + f'with T.sblock("{target}_copy"):')
    kinds, loops = "S" * depth, ", ".join(names)
    lines.append("    " * (depth + 1) + f'{axes} = T.axis.remap("{kinds}", [{loops}])')
    store = f"{target}[{axes}] = {value.format(x=f'{source}[{axes}]')}"
    return [*lines, "    " * (depth + 1) + store]


def _nest(p: Product) -> list[str]:
    """The loops of the contraction in a random order, outer parts around inner ones."""
    loops = [loop for dim in p.dims.values() for loop in dim.loops]
    outer = [loop for loop in loops if loop[0].endswith("_0") or loop[0] == "t"]
    inner = [loop for loop in loops if loop not in outer]
    for part in (outer, inner):
        if part and chance(p.choices, 3):
            part.insert(0, part.pop(p.choices.integer(0, len(part) - 1)))
    p.nest = [name for name, _ in (*outer, *inner)]
    lines = _loops([*outer, *inner])
    depth = len(lines)
    if p.blocked:
        lines.append("    " * depth + 'with T.sblock("C"):')
        depth += 1
        for dim in p.dims.values():
            axis = "reduce" if dim.name in "kq" else "spatial"
            lines.append("    " * depth + f"v{dim.name} = T.axis.{axis}({dim.extent}, {dim.value})")
        if p.predicate:
            lines.append("    " * depth + f"T.where({p.predicate})")
    elif p.predicate:
        lines.append("    " * depth + f"if {p.predicate}:")
        depth += 1
    return [*lines, *("    " * depth + line for line in _body(p))]


def _body(p: Product) -> list[str]:
    total = p.buffers["C"][1]
    a, b, c = (f"{at[0]}[{', '.join(at[1:])}]" for at in (p.at["A"], p.at["B"], p.at["C"]))
    dtypes = [p.buffers[p.at[name][0]][1] for name in "AB"]
    x, y = (
        text if dtype == total else f'T.Cast("{total}", {text})'
        for text, dtype in zip((a, b), dtypes, strict=True)
    )
    first = ["with T.init():", f'    {c} = T.Cast("{total}", {p.choices.integer(0, 2)})']
    return [*(first if p.initial else []), f"{c} = {p.value.format(a=x, b=y, c=c)}"]


# --- the schedule ------------------------------------------------------------------------------


def _steps(p: Product) -> tuple[str, ...]:
    """What leads to the intrinsic: loops are split, tiles reordered inwards, then tensorized."""
    steps: list[str] = []
    outer, inner = list[str](), list[str]()
    for name, dim in p.dims.items():
        tiled = _tile(p.kind, name)
        if dim.split:
            outer.append(f"{name}_0")
            inner.append(f"{name}_1")
        elif tiled == 0:
            outer.append(name)
        elif tiled is None or dim.outer == "1":
            inner.append(name)
        else:
            steps.append(f"sch.split('{name}', [None, {tiled}])")
            outer.append(f"{name}_0")
            inner.append(f"{name}_1")
    if not p.kind.rows and p.dims["i"].split:
        outer.append(inner.pop(inner.index("i_1")))
    if p.initial and any(p.dims[name].outer == "n" for name in ("i", "k")):
        steps.insert(0, f"sch.decompose_reduction('C', '{p.nest[0]}')")
    order = ", ".join(repr(name) for name in (*outer, *inner))
    steps.append(f"sch.reorder({order})")
    if chance(p.choices, 4):
        steps.append(f"sch.blockize('{inner[0]}')")
        steps.append(f"sch.tensorize('C_o', '{p.kind.intrinsic}')")
    steps.append(f"sch.tensorize('{inner[0]}', '{p.kind.intrinsic}')")
    return tuple(steps)


def _tile(kind: Kind, name: str) -> int | None:
    """How long a tile is in a dimension: 0 for a loop outside of it, None for all of the loop."""
    match name:
        case "t":
            return 0
        case "i":
            return kind.rows
        case "j":
            return kind.columns
        case "k":
            return None if kind.packed or not kind.count else kind.count
        case _:
            return None
