"""Index maps: where an element of one layout lies in another, and back.

A map is a value: variables and one expression for each dimension of the new layout, read from a
Python function or from text such as `lambda i, j: (i // 16, j, i % 16)`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeAlias, cast

from typing_extensions import override

from workbench.analysis.arith import Facts, loop_interval
from workbench.analysis.conjunctions import conjunction
from workbench.analysis.digits import NoDigitsError, layout_digits
from workbench.analysis.index_text import index_text, read_lambda
from workbench.analysis.ranges import Interval
from workbench.analysis.unimodular import inverse_affine, tells_apart
from workbench.ir import (
    INDEX,
    Binary,
    BinaryOp,
    BufferType,
    Dim,
    IntImm,
    PrimExpr,
    ScalarType,
    Shape,
    Var,
    as_dim,
    as_expr,
    binary,
    free_vars,
    substitute,
)
from workbench.ir.tracing import traced
from workbench.support import CompileError, Diagnostic, NodeId
from workbench.support.found import found

MapLike: TypeAlias = "IndexMap | str | Callable[..., object]"


@dataclass(frozen=True, slots=True)
class InverseMap:
    """`values` give the old index of the element at `variables` of a box of extents `shape`.

    Where `inside` is not None, only elements for which it holds come from the old box; the rest
    is padding.
    """

    variables: tuple[Var, ...]
    values: tuple[PrimExpr, ...]
    shape: Shape
    inside: PrimExpr | None

    def at(self, indices: Sequence[PrimExpr]) -> tuple[tuple[PrimExpr, ...], PrimExpr | None]:
        """The old index, and the condition that it is one, for `indices` of the new layout."""
        known = {v.id: e for v, e in zip(self.variables, indices, strict=True)}
        inside = None if self.inside is None else substitute(self.inside, known)
        return tuple(substitute(value, known) for value in self.values), inside


@dataclass(frozen=True, slots=True)
class IndexMap:
    """The element at `initial` lies at `final` of the new layout.

    Reference: `tvm.tir.IndexMap`.
    """

    initial: tuple[Var, ...]
    final: tuple[PrimExpr, ...]
    _hash: int | None = field(default=None, init=False, compare=False, repr=False)

    @override
    def __hash__(self) -> int:
        """Computed once: maps are keys of memos."""
        if self._hash is None:
            object.__setattr__(self, "_hash", hash((self.initial, self.final)))
        assert self._hash is not None
        return self._hash

    @staticmethod
    def of(source: MapLike, rank: int | None = None) -> IndexMap:
        """A map from a function of the indices, from the text of one, or a map itself.

        `rank` is the number of dimensions for functions of `*indices`.

        Raises:
            CompileError: `index-map/not-a-map`, `expr/truth`, `expr/function-raised`.
        """
        if isinstance(source, IndexMap):
            made = source
        elif isinstance(source, str):
            names, build = read_lambda(source)
            initial = index_variables(names)
            made = IndexMap(initial, build(initial))
        else:
            made = _from_function(source, rank)
        if rank is not None and len(made.initial) != rank:
            message = f"`{made.text}` takes `{len(made.initial)}` indices, expected `{rank}`"
            raise CompileError(Diagnostic("index-map/not-a-map", message))
        return made

    @property
    def text(self) -> str:
        """The map as the Python text from which `of` makes it again."""
        names = ", ".join(var.name for var in self.initial)
        values = ", ".join(index_text(value) for value in self.final)
        comma = "," if len(self.final) == 1 else ""
        return f"lambda {names}: ({values}{comma})" if names else f"lambda: ({values}{comma})"

    @override
    def __str__(self) -> str:
        return self.text

    def apply(self, indices: Sequence[PrimExpr]) -> tuple[PrimExpr, ...]:
        """Where the element at `indices` lies."""
        known = {v.id: e for v, e in zip(self.initial, indices, strict=True)}
        return tuple(substitute(value, known) for value in self.final)

    def map_shape(self, shape: Shape) -> Shape:
        """The extents of the new layout of a buffer of extents `shape`, padding included.

        Raises:
            CompileError: `index-map/not-invertible`.
        """
        return self.inverse(shape).shape

    def inverse(self, shape: Shape) -> InverseMap:
        """The way back for a box of extents `shape`.

        Maps that split indices into digits and put digits together, and affine maps whose matrix
        has an integer inverse; each element of the box has a place of its own. Reference:
        `tvm.tir.IndexMap.non_surjective_inverse`.

        Raises:
            CompileError: `index-map/not-invertible`.
        """
        return _inverse(self, shape)

    def tells_apart(self, shape: Shape) -> bool:
        """Whether it is proved that different elements of a box have different places.

        Places may be negative or far apart.
        """
        if tells_apart(self.initial, self.final):
            return True
        try:
            self.inverse(shape)
        except CompileError:
            return False
        return True

    def refused(self, why: str) -> CompileError:
        """The error that says why the map is no layout."""
        return CompileError(
            Diagnostic(
                "index-map/not-invertible",
                f"`{self.text}` gives no layout: {why}",
                hint="take indices apart by `//` and `%` and put them together so that each "
                "element keeps a place of its own",
            )
        )


@lru_cache(maxsize=1024)
def _inverse(layout: IndexMap, shape: Shape) -> InverseMap:
    try:
        found = layout_digits(layout.initial, layout.final, shape)
    except NoDigitsError as error:
        found = inverse_affine(layout.initial, layout.final, shape)
        if found is None:
            raise layout.refused(str(error)) from None
    variables = index_variables([f"d{n}" for n in range(len(layout.final))], len(layout.initial))
    back = found(variables)
    facts = Facts()
    for var, extent in zip(variables, back.extents, strict=True):
        facts = facts.with_range(var, loop_interval(IntImm(0), as_expr(extent)))
    values = tuple(facts.simplify(value) for value in back.values)
    bounds = _bounds(values, shape)
    needed = [c for c in (*back.conditions, *bounds) if facts.proves(c) is not True]
    extents = tuple(_count(extent, shape) for extent in back.extents)
    return InverseMap(variables, values, extents, conjunction(*needed))


def index_variables(names: Sequence[str], first: int = 0) -> tuple[Var, ...]:
    """Index variables that meet no variable of a function: their ids are negative."""
    return tuple(
        Var(NodeId(-1 - first - n), name, ScalarType(INDEX)) for n, name in enumerate(names)
    )


def _bounds(values: tuple[PrimExpr, ...], shape: Shape) -> list[PrimExpr]:
    found: list[PrimExpr] = []
    for value, extent in zip(values, shape, strict=True):
        found += (value >= 0, value < as_expr(extent))
    return found


def _count(extent: Dim, shape: Shape) -> Dim:
    """The number of elements, also of an empty box whose skewed extents would be negative."""
    if isinstance(extent, int):
        return max(extent, 0)
    facts = Facts()
    for symbol in free_vars(BufferType(shape)).values():
        facts = facts.with_range(symbol, Interval(0, None))
    size = Facts().simplify(extent)
    return as_dim(size if facts.proves(size >= 0) else binary(BinaryOp.MAX, size, 0))


def _from_function(function: Callable[..., object], rank: int | None) -> IndexMap:
    names = _parameter_names(function, rank)
    initial = index_variables(names)
    made = traced(function, initial, "an index map")
    items = cast(Sequence[object], made if isinstance(made, tuple | list) else (made,))
    final: list[PrimExpr] = []
    for item in items:
        if isinstance(item, int) and not isinstance(item, bool):
            final.append(IntImm(item))
        elif isinstance(item, Var | IntImm | Binary):
            final.append(item)
        else:
            message = f"an index map gives indices, found {found(item)}"
            raise CompileError(Diagnostic("index-map/not-a-map", message))
    made = IndexMap(initial, tuple(final))
    return IndexMap.of(made.text)


def _parameter_names(function: Callable[..., object], rank: int | None) -> list[str]:
    names: list[str] = []
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        message = f"expected an index map, as a function or as text, found {found(function)}"
        raise CompileError(Diagnostic("index-map/not-a-map", message)) from None
    for param in parameters:
        if param.kind is inspect.Parameter.VAR_POSITIONAL:
            if rank is None:
                message = "an index map of `*indices` needs the number of dimensions"
                raise CompileError(Diagnostic("index-map/not-a-map", message))
            names += [f"i{n}" for n in range(len(names), rank)]
        elif param.kind is not inspect.Parameter.VAR_KEYWORD:
            names.append(param.name)
    return names
