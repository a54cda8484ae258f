"""Programs of random loop nests: their script while it is written, and arguments to run them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

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

DTYPES = ("int32", "int32", "int32", "float32", "float32", "int8", "uint8", "int64", "bool")
SPECIAL = (0.0, -0.0, np.nan, np.inf, -np.inf)
INFIX = {"bool": (" and ", " or ", " != ")}


@dataclass(frozen=True, slots=True)
class Buffer:
    """A buffer of the program: its name and extents as script."""

    name: str
    shape: tuple[str, ...]
    dtype: str = ""
    """That of the program where empty."""


@dataclass(frozen=True, slots=True)
class Program:
    """A tensor function `f`, its script, and values for its symbols."""

    script: str
    symbols: dict[str, int]
    affine: bool
    """Whether all extents are constant and all indices affine."""
    symbolic: bool = False
    """Whether the symbols may have other values, 0 among them."""
    special: bool = False
    """Whether its floats are to be zeros of both signs, NaN and infinities now and then."""
    steps: tuple[str, ...] = ()
    """Steps of a schedule `sch` that lead somewhere, in order."""

    def parse(self) -> IRModule:
        """The module that holds the function."""
        return parse(self.script)

    def arguments(self, function: TensorFunction, seed: int) -> list[NDArray[Any]]:
        """Random arrays; indices lie inside every buffer, flags are 0 or 1."""
        rng = np.random.default_rng(seed)
        arrays: list[NDArray[Any]] = []
        for param in function.params:
            assert isinstance(param.type, BufferType)
            shape = tuple(self._extent(dim) for dim in param.type.shape)
            dtype = param.type.dtype
            if param.name.startswith("flag"):
                arrays.append(rng.integers(0, 2, shape).astype(dtype))
            elif param.name.startswith("idx"):
                high = max(1, min(2, *shape, *self.symbols.values()))
                arrays.append(rng.integers(0, high, shape).astype(dtype))
            else:
                arrays.append(_values(rng, shape, dtype, special=self.special))
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


def _values(
    rng: np.random.Generator, shape: tuple[int, ...], dtype: str, *, special: bool
) -> NDArray[Any]:
    if "float" in dtype:
        found = rng.standard_normal(shape).astype(dtype)
        if special:
            odd = rng.random(shape) < 0.3
            found[odd] = rng.choice(np.array(SPECIAL, dtype), int(odd.sum()))
        return found
    if dtype == "bool":
        return rng.random(shape) < 0.5
    if dtype in {"int8", "uint8"}:
        limits = np.iinfo(dtype)
        return rng.integers(limits.min, limits.max, shape, endpoint=True).astype(dtype)
    return rng.integers(0, 9, shape).astype(dtype)


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
    affine: bool = True

    @property
    def symbolic(self) -> bool:
        """Whether the extents are symbols, which may be 0 or 1 when the program runs."""
        return not self.extents[0].isdigit()

    def put(self, depth: int, *lines: str) -> None:
        """Statements, `depth` levels inside the function."""
        self.lines += ["    " * (depth + 1) + line for line in lines]

    def loops(self, *nest: tuple[str, str], depth: int = 0) -> int:
        """Loops by name and extent, one inside the other; the depth of their body."""
        for more, (name, extent) in enumerate(nest):
            self.put(depth + more, f"for {name} in range({extent}):")
        return depth + len(nest)

    def fresh(self, base: str, shape: tuple[str, ...], dtype: str = "") -> Buffer:
        """A buffer with a name that nothing else has."""
        self.count += 1
        return Buffer(f"{base}{self.count}", shape, dtype)

    def new(self, shape: tuple[str, ...], *, internal: bool | None = None) -> Buffer:
        """A buffer to write: an output, or one of the function's own."""
        inside = chance(self.choices, 2) if internal is None else internal
        made = self.fresh("t" if inside else "out", shape)
        (self.temporaries if inside else self.outputs).append(made)
        return made

    def source(self, dims: int) -> Buffer:
        """A buffer with values in it."""
        known = [b for b in self.ready if b.shape == self.extents[:dims]]
        if known and not chance(self.choices, 6):
            return pick(self.choices, known)
        made = self.fresh("in", self.extents[:dims])
        self.params.append(made)
        self.ready.append(made)
        return made

    def index(self) -> Buffer:
        """A vector of valid indices."""
        self.affine = False
        made = self.fresh("idx", self.extents[:1], "int64")
        self.params.append(made)
        return made

    def flags(self) -> Buffer:
        """A vector of zeros and ones, the same one again now and then."""
        self.affine = False
        known = [b for b in self.params if b.name.startswith("flag")]
        if known and chance(self.choices, 2):
            return known[0]
        made = self.fresh("flag", self.extents[:1], "int64")
        self.params.append(made)
        return made

    def counter(self) -> Buffer:
        """An integer of the function's own."""
        made = self.fresh("c", (), "int64")
        self.temporaries.append(made)
        return made

    def literal(self, value: int) -> str:
        """A number of the program's dtype."""
        return f"T.bool({bool(value % 2)})" if self.dtype == "bool" else f"T.{self.dtype}({value})"

    def number(self) -> str:
        """A small number."""
        return self.literal(self.choices.integer(1, 3))

    def name(self, base: str) -> str:
        """A loop name; different nests share names now and then."""
        return base if chance(self.choices, 3) else f"{base}{self.count}"

    def plus(self, a: str, b: str) -> str:
        """A sum, or what is like it for truth values."""
        return f"{a} or {b}" if self.dtype == "bool" else f"{a} + {b}"

    def times(self, a: str, b: str) -> str:
        """A product, or what is like it for truth values."""
        return f"({a} and {b})" if self.dtype == "bool" else f"{a} * {b}"

    def combine(self, *parts: str) -> str:
        """The parts joined by random operators."""
        infix = INFIX.get(self.dtype, (" + ", " - ", " * "))
        text = parts[0]
        for part in parts[1:]:
            choice = self.choices.integer(0, 4)
            if choice > len(infix) - 1:
                text = f"T.{pick(self.choices, ('min', 'max'))}({text}, {part})"
            else:
                text = f"({text}{infix[choice]}{part})"
        return text

    def update(self, own: str, value: str) -> str:
        """One step of a reduction of a random kind."""
        op = pick(self.choices, ("+", "+", "max", "min"))
        return self.plus(own, value) if op == "+" else f"T.{op}({own}, {value})"

    def fill(self, out: Buffer) -> None:
        """Write every element, in loops of their own; an output may keep what it was given."""
        if out in self.outputs and chance(self.choices, 3):
            return
        names = tuple(f"z{d}" for d in range(len(out.shape)))
        depth = self.loops(*zip(names, out.shape, strict=True))
        self.put(depth, f"{out.name}[{', '.join(names)}] = {self.number()}")

    def script(self) -> str:
        """The whole function."""
        params = [f"{b.name}: {self._typed(b)}" for b in (*self.params, *self.outputs)]
        head = ["@T.prim_func", f"def f({', '.join(params)}):"]
        if self.symbolic:
            head += ["    n = T.int64()", "    m = T.int64()"]
        head += [
            f'    {b.name} = T.alloc_buffer(({_tuple(b.shape)}), "{b.dtype or self.dtype}")'
            for b in self.temporaries
        ]
        return "\n".join([*head, *self.lines]) + "\n"

    def _typed(self, buffer: Buffer) -> str:
        """Shapes of the header are strings where symbols are bound in the body."""
        shape = tuple(f'"{e}"' for e in buffer.shape) if self.symbolic else buffer.shape
        return f'T.Buffer(({_tuple(shape)}), "{buffer.dtype or self.dtype}")'


def _tuple(items: tuple[str, ...]) -> str:
    return "".join(f"{item}, " for item in items).rstrip()


def open_block(w: Writer, depth: int, name: str, axes: str, loops: list[str]) -> list[str]:
    """A block header, or nothing; gives the names of the axes inside."""
    if chance(w.choices, 3):
        return loops
    inside = [f"v{loop}" for loop in loops]
    w.put(depth, f'with T.sblock("{name}"):')
    bound = f"{', '.join(inside)}{',' if len(inside) == 1 else ''}"
    w.put(depth + 1, f'{bound} = T.axis.remap("{axes}", [{", ".join(loops)}])')
    return inside


def inside(axes: list[str], loops: list[str]) -> int:
    """How much deeper the body is because of the block that `open_block` wrote or did not."""
    return 1 if axes is not loops else 0
