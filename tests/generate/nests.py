"""Random loop programs as script: what schedules have to cope with, legal or not.

Element-wise nests, stencils, reductions with and without blocks, gathers, scatters, scans,
wavefronts, guarded, triangular, split and symbolic loops, chained over shared buffers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from tests.generate.choices import Choices, chance, pick
from workbench.analysis.arith import Facts
from workbench.ir import (
    BufferType,
    Dim,
    IntImm,
    IRModule,
    PrimExpr,
    TensorFunction,
    free_vars,
    substitute,
)
from workbench.script import parse
from workbench.support import NodeId

OPERATORS = ("+", "-", "*")


@dataclass(frozen=True, slots=True)
class Buffer:
    """A buffer of the program: its name and extents as script."""

    name: str
    shape: tuple[str, ...]
    index: bool = False
    """Holds numbers that are valid indices."""


@dataclass(frozen=True, slots=True)
class Program:
    """A tensor function `f`, its script, and values for its symbols."""

    script: str
    symbols: dict[str, int]
    affine: bool
    """Whether all extents are constant and all indices affine."""

    def parse(self) -> IRModule:
        """The module that holds the function."""
        return parse(self.script)

    def arguments(self, function: TensorFunction, seed: int) -> list[np.ndarray]:
        """Random arrays; indices lie inside every buffer."""
        rng = np.random.default_rng(seed)
        arrays: list[np.ndarray] = []
        for param in function.params:
            assert isinstance(param.type, BufferType)
            shape = tuple(self._extent(dim) for dim in param.type.shape)
            if param.type.dtype == "float32":
                arrays.append(rng.standard_normal(shape).astype(np.float32))
            else:
                high = 2 if param.name.startswith("idx") else 9
                arrays.append(rng.integers(0, high, shape).astype(param.type.dtype))
        return arrays

    def _extent(self, dim: Dim) -> int:
        if isinstance(dim, int):
            return dim
        known: dict[NodeId, PrimExpr] = {
            var.id: IntImm(self.symbols[var.name]) for var in free_vars(dim).values()
        }
        value = Facts().simplify(substitute(dim, known))
        assert isinstance(value, IntImm)
        return value.value


@dataclass
class Writer:
    """A program under construction."""

    choices: Choices
    dtype: str
    extents: tuple[str, str]
    params: list[Buffer] = field(default_factory=list[Buffer])
    outputs: list[Buffer] = field(default_factory=list[Buffer])
    temporaries: list[Buffer] = field(default_factory=list[Buffer])
    ready: list[Buffer] = field(default_factory=list[Buffer])
    lines: list[str] = field(default_factory=list[str])
    count: int = 0

    def put(self, depth: int, *lines: str) -> None:
        self.lines += ["    " * (depth + 1) + line for line in lines]

    def new(self, shape: tuple[str, ...], *, internal: bool | None = None) -> Buffer:
        """A buffer to write: an output, or one of the function's own."""
        self.count += 1
        inside = chance(self.choices, 2) if internal is None else internal
        made = Buffer(f"t{self.count}" if inside else f"out{self.count}", shape)
        (self.temporaries if inside else self.outputs).append(made)
        return made

    def source(self, dims: int) -> Buffer:
        """A buffer with values in it."""
        known = [b for b in self.ready if len(b.shape) == dims]
        if known:
            return pick(self.choices, known)
        self.count += 1
        made = Buffer(f"in{self.count}", self.extents[:dims])
        self.params.append(made)
        self.ready.append(made)
        return made

    def index(self) -> Buffer:
        """A vector of valid indices."""
        self.count += 1
        made = Buffer(f"idx{self.count}", (self.extents[0],), index=True)
        self.params.append(made)
        return made

    def number(self) -> str:
        return f"T.{self.dtype}({self.choices.integer(1, 3)})"

    def name(self, base: str) -> str:
        """A loop name; different nests share names now and then."""
        return base if chance(self.choices, 3) else f"{base}{self.count}"

    def combine(self, *parts: str) -> str:
        """The parts joined by random operators."""
        text = parts[0]
        for part in parts[1:]:
            choice = self.choices.integer(0, 4)
            if choice > len(OPERATORS) - 1:
                text = f"T.{pick(self.choices, ('min', 'max'))}({text}, {part})"
            else:
                text = f"({text} {OPERATORS[choice]} {part})"
        return text

    def script(self) -> str:
        buffers = [
            f'{b.name}: T.Buffer(({", ".join(b.shape)},), "{"int64" if b.index else self.dtype}")'
            for b in (*self.params, *self.outputs)
        ]
        head = ["@T.prim_func", f"def f({', '.join(buffers)}):"]
        if not self.extents[0].isdigit():
            head += ["    n = T.int64()", "    m = T.int64()"]
            head[1] = _quoted(head[1])
        head += [
            f'    {b.name} = T.alloc_buffer(({", ".join(b.shape)},), "{self.dtype}")'
            for b in self.temporaries
        ]
        return "\n".join([*head, *self.lines]) + "\n"


def _quoted(line: str) -> str:
    """Shapes of the header as strings, since symbols are bound in the body."""
    for shape in ("(n,)", "(n, m,)", "(n * m,)", "(m, n,)"):
        inner = ", ".join(f'"{part.strip()}"' for part in shape[1:-2].split(","))
        line = line.replace(shape, f"({inner},)")
    return line


def random_nests(choices: Choices, stages: int = 3) -> Program:
    """A program of one to `stages` nests over shared buffers."""
    sizes = {"n": choices.integer(2, 5), "m": choices.integer(2, 6)}
    symbolic = chance(choices, 4)
    extents = ("n", "m") if symbolic else (str(sizes["n"]), str(sizes["m"]))
    w = Writer(choices, pick(choices, ("int32", "int32", "float32")), extents)
    if symbolic:
        w.source(2)
    for _ in range(choices.integer(1, stages)):
        pick(choices, STAGES)(w)
    if not w.outputs:
        _copy_out(w)
    return Program(w.script(), sizes, not symbolic and not any(p.index for p in w.params))


def _copy_out(w: Writer) -> None:
    last = w.temporaries[-1] if w.temporaries else w.source(1)
    out = w.new(last.shape, internal=False)
    loops = [f"c{d}" for d in range(len(last.shape))]
    for depth, (loop, extent) in enumerate(zip(loops, last.shape, strict=True)):
        w.put(depth, f"for {loop} in range({extent}):")
    place = ", ".join(loops)
    w.put(len(loops), f"{out.name}[{place}] = {last.name}[{place}]")


def _block(w: Writer, depth: int, name: str, axes: str, loops: list[str]) -> list[str]:
    """A block header, or nothing; gives the names of the axes inside."""
    if chance(w.choices, 3):
        return loops
    inside = [f"v{loop}" for loop in loops]
    w.put(depth, f'with T.sblock("{name}"):')
    bound = f"{', '.join(inside)}{',' if len(inside) == 1 else ''}"
    w.put(depth + 1, f'{bound} = T.axis.remap("{axes}", [{", ".join(loops)}])')
    return inside


def _inside(axes: list[str], loops: list[str]) -> int:
    return 1 if axes is not loops else 0


def elementwise(w: Writer) -> None:
    """`out[i, j] = f(x[i, j], y[i, j])`, transposed now and then."""
    x, y = w.source(2), w.source(2)
    out = w.new(w.extents)
    i, j = w.name("i"), w.name("j")
    w.put(0, f"for {i} in range({w.extents[0]}):", f"    for {j} in range({w.extents[1]}):")
    loops = [i, j]
    axes = _block(w, 2, out.name, "SS", loops)
    a, b = axes
    value = w.combine(f"{x.name}[{a}, {b}]", f"{y.name}[{a}, {b}]", w.number())
    w.put(2 + _inside(axes, loops), f"{out.name}[{a}, {b}] = {value}")
    w.ready.append(out)


def stencil(w: Writer) -> None:
    """`out[i, j] = x[i, j] + x[i, j - 1]` where there is one."""
    x, out = w.source(2), w.new(w.extents)
    i, j = w.name("i"), w.name("j")
    w.put(0, f"for {i} in range({w.extents[0]}):", f"    for {j} in range({w.extents[1]}):")
    loops = [i, j]
    axes = _block(w, 2, out.name, "SS", loops)
    a, b = axes
    before = f"{x.name}[{a}, T.max({b} - 1, 0)]"
    if chance(w.choices, 2):
        before = f"T.if_then_else({b} > 0, {x.name}[{a}, T.max({b} - 1, 0)], {w.number()})"
    w.put(2 + _inside(axes, loops), f"{out.name}[{a}, {b}] = {x.name}[{a}, {b}] + {before}")
    w.ready.append(out)


def in_place(w: Writer) -> None:
    """Each element updated from itself, or from a neighbour that is old or new."""
    out = w.new(w.extents)
    shift = w.choices.integer(-1, 1)
    n, m = w.extents
    i, j = w.name("i"), w.name("j")
    w.put(0, f"for p in range({n}):", f"    for q in range({m}):")
    w.put(2, f"{out.name}[p, q] = {w.number()}")
    w.put(0, f"for {i} in range({n}):")
    start = "1, " if shift == -1 else "0, "
    end = f"{m} - 1" if shift == 1 else m
    w.put(1, f"for {j} in range({start}{end}):")
    other = f"{out.name}[{i}, {j}{f' + {shift}' if shift else ''}]".replace("+ -", "- ")
    w.put(2, f"{out.name}[{i}, {j}] = {out.name}[{i}, {j}] + {other} * {w.number()}")
    w.ready.append(out)


def row_reduction(w: Writer) -> None:
    """`out[i] = sum over j of x[i, j]`, as a block with init or as plain loops."""
    x, out = w.source(2), w.new(w.extents[:1])
    n, m = w.extents
    i, k = w.name("i"), w.name("k")
    op = pick(w.choices, ("+", "max", "min"))
    if chance(w.choices, 2):
        w.put(0, f"for {i} in range({n}):", f"    {out.name}[{i}] = {w.number()}")
        w.put(1, f"for {k} in range({m}):")
        w.put(2, f"{out.name}[{i}] = {_update(op, f'{out.name}[{i}]', f'{x.name}[{i}, {k}]')}")
    else:
        order = [(i, n), (k, m)]
        if chance(w.choices, 3):
            order.reverse()
        for depth, (loop, extent) in enumerate(order):
            w.put(depth, f"for {loop} in range({extent}):")
        w.put(2, f'with T.sblock("{out.name}"):', f"    vi = T.axis.spatial({n}, {i})")
        w.put(3, f"vk = T.axis.reduce({m}, {k})")
        w.put(3, "with T.init():", f"    {out.name}[vi] = {w.number()}")
        w.put(3, f"{out.name}[vi] = {_update(op, f'{out.name}[vi]', f'{x.name}[vi, vk]')}")
    w.ready.append(out)


def _update(op: str, own: str, value: str) -> str:
    return f"{own} + {value}" if op == "+" else f"T.{op}({own}, {value})"


def contraction(w: Writer) -> None:
    """`out[i, j] = sum over k of x[i, k] * y[j, k]`."""
    x, y = w.source(2), w.source(2)
    n, m = w.extents
    out = w.new((n, n))
    i, j, k = w.name("i"), w.name("j"), w.name("k")
    w.put(0, f"for {i} in range({n}):", f"    for {j} in range({n}):")
    w.put(2, f"for {k} in range({m}):", f'    with T.sblock("{out.name}"):')
    w.put(4, f'vi, vj, vk = T.axis.remap("SSR", [{i}, {j}, {k}])')
    w.put(4, "with T.init():", f"    {out.name}[vi, vj] = {w.number()}")
    product = f"{x.name}[vi, vk] * {y.name}[vj, vk]"
    w.put(4, f"{out.name}[vi, vj] = {out.name}[vi, vj] + {product}")


def gather(w: Writer) -> None:
    """`out[i] = x[idx[i]]`."""
    x, index, out = w.source(1), w.index(), w.new(w.extents[:1])
    i = w.name("i")
    w.put(0, f"for {i} in range({w.extents[0]}):")
    loops = [i]
    axes = _block(w, 1, out.name, "S", loops)
    value = w.combine(f"{x.name}[{index.name}[{axes[0]}]]", w.number())
    w.put(1 + _inside(axes, loops), f"{out.name}[{axes[0]}] = {value}")
    w.ready.append(out)


def scatter(w: Writer) -> None:
    """`out[idx[i]] = x[i]`, or added to it."""
    x, index, out = w.source(1), w.index(), w.new(w.extents[:1])
    i, n = w.name("i"), w.extents[0]
    w.put(0, f"for z in range({n}):", f"    {out.name}[z] = {w.number()}")
    place = f"{out.name}[{index.name}[{i}]]"
    value = f"{x.name}[{i}]"
    added = f"{place} + {value}" if chance(w.choices, 2) else value
    w.put(0, f"for {i} in range({n}):", f"    {place} = {added}")
    w.ready.append(out)


def scan(w: Writer) -> None:
    """Prefix sums."""
    x, out = w.source(1), w.new(w.extents[:1])
    i, n = w.name("i"), w.extents[0]
    w.put(0, f"{out.name}[0] = {x.name}[0]")
    w.put(0, f"for {i} in range(1, {n}):")
    w.put(1, f"{out.name}[{i}] = {out.name}[{i} - 1] + {x.name}[{i}]")
    w.ready.append(out)


def wavefront(w: Writer) -> None:
    """`out[i, j] = out[i - 1, j] + out[i, j - 1]`, or diagonal neighbours."""
    out, (n, m) = w.new(w.extents), w.extents
    w.put(0, f"for p in range({n}):", f"    for q in range({m}):")
    w.put(2, f"{out.name}[p, q] = {w.number()}")
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
    w.put(0, f"for {i} in range({n}):", f"    for {j} in range({m}):")
    w.put(2, f"if {j} <= {i}:", f"    {out.name}[{i}, {j}] = {x.name}[{i}, {j}] + {w.number()}")
    w.put(2, "else:", f"    {out.name}[{i}, {j}] = {w.number()}")
    w.ready.append(out)


def triangular(w: Writer) -> None:
    """A loop whose extent depends on the one around it."""
    x, out, n = w.source(1), w.new(w.extents[:1]), w.extents[0]
    i, j = w.name("i"), w.name("j")
    w.put(0, f"for {i} in range({n}):", f"    {out.name}[{i}] = {w.number()}")
    w.put(1, f"for {j} in range({i} + 1):")
    w.put(2, f"{out.name}[{i}] = {out.name}[{i}] + {x.name}[{j}]")
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
    w.put(0, f"for {i} in range({n}):", f"    for j in range({m}):")
    w.put(2, f"{flat.name}[{i} * {m} + j] = {x.name}[{i}, j] + {w.number()}")
    w.put(0, f"for {k} in range({n} * {m}):")
    w.put(1, f"{out.name}[{k} // {m}, {k} % {m}] = {flat.name}[{k}]")
    w.ready.append(out)


def scalars(w: Writer) -> None:
    """A scalar bound in the body."""
    x, out, n = w.source(1), w.new(w.extents[:1]), w.extents[0]
    i = w.name("i")
    w.put(0, f"for {i} in range({n}):")
    w.put(1, f"s: T.{w.dtype} = {x.name}[{i}] + {w.number()}", f"{out.name}[{i}] = s * s")
    w.ready.append(out)


STAGES: tuple[Callable[[Writer], None], ...] = (
    elementwise,
    elementwise,
    stencil,
    in_place,
    row_reduction,
    row_reduction,
    contraction,
    gather,
    scatter,
    scan,
    wavefront,
    guarded,
    triangular,
    split_nest,
    flattened,
    scalars,
)
