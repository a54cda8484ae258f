"""Matrix products while they are written: dimensions, buffers and accesses, as script."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.generate.choices import Choices


@dataclass(frozen=True, slots=True)
class Kind:
    """A shipped intrinsic: a tile of `rows` and `columns`, and `count` products at a time."""

    intrinsic: str
    rows: int
    columns: int
    count: int
    left: str
    right: str
    total: str
    packed: bool = False


@dataclass(frozen=True, slots=True)
class Dim:
    """A dimension of the product: `outer` times `inner`, two loops already or one."""

    name: str
    outer: str
    inner: int
    split: bool

    @property
    def extent(self) -> str:
        return f"{self.outer} * {self.inner}" if not self.outer.isdigit() else str(self.size)

    @property
    def size(self) -> int:
        return int(self.outer) * self.inner

    @property
    def loops(self) -> tuple[tuple[str, str], ...]:
        if not self.split:
            return ((self.name, self.extent),)
        return ((f"{self.name}_0", self.outer), (f"{self.name}_1", str(self.inner)))

    @property
    def value(self) -> str:
        if not self.split:
            return self.name
        return f"{self.name}_0 * {self.inner} + {self.name}_1"


@dataclass(slots=True)
class Product:
    """A program under construction: its accesses and dtypes, as script."""

    choices: Choices
    kind: Kind
    dims: dict[str, Dim]
    buffers: dict[str, tuple[list[str], str]]
    """Shape and dtype by name."""
    at: dict[str, list[str]]
    """How `A`, `B` and `C` are read and written: the buffer's name, then indices."""
    value: str = "{c} + {a} * {b}"
    blocked: bool = True
    initial: bool = True
    predicate: str = ""
    symbols: dict[str, int] = field(default_factory=dict[str, int])
    nest: list[str] = field(default_factory=list[str])
    """The loops, from outside, once they are written."""
    views: dict[str, tuple[str, int]] = field(default_factory=dict[str, tuple[str, int]])
    """Names that are regions of another buffer: its name, and where they begin in it."""
    behind: dict[str, tuple[list[str], str]] = field(
        default_factory=dict[str, tuple[list[str], str]]
    )

    def axis(self, dim: str) -> str:
        """How an index of a dimension is written in the body."""
        return f"v{dim}" if self.blocked else f"({self.dims[dim].value})"


def shapes_of(kind: Kind, dims: dict[str, Dim]) -> dict[str, tuple[list[str], str]]:
    i, j, k = (dims[name].extent for name in "ijk")
    if kind.packed:
        left = [i, f"{k} * {kind.count}"]
        right = [dims["j"].outer, k, str(kind.columns), str(kind.count)]
        return {"A": (left, kind.left), "B": (right, kind.right), "C": ([i, j], kind.total)}
    right = [j, k] if kind.count else [k, j]
    return {"A": ([i, k], kind.left), "B": (right, kind.right), "C": ([i, j], kind.total)}


def place_accesses(product: Product) -> None:
    kind = product.kind
    i, j, k = (product.axis(name) for name in "ijk")
    if kind.packed:
        q = product.axis("q")
        product.at["A"] = ["A", i, f"{k} * {kind.count} + {q}"]
        tile = [f"{j} // {kind.columns}", k, f"{j} % {kind.columns}", q]
        product.at["B"] = ["B", *tile]
    elif kind.count:
        product.at["A"], product.at["B"] = ["A", i, k], ["B", j, k]
    else:
        product.at["A"], product.at["B"] = ["A", i, k], ["B", k, j]
    product.at["C"] = ["C", i, j]
