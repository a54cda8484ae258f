"""Matching: where a pattern fits a graph function, and what came near."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import itemgetter

from workbench.analysis.calls import bindings_in
from workbench.analysis.patterns.checks import check_patterns
from workbench.analysis.patterns.fitting import Place
from workbench.analysis.patterns.language import (
    AnyOf,
    Anything,
    CallTo,
    ConstantValue,
    Item,
    Pattern,
    Several,
)
from workbench.analysis.patterns.matches import NEAR_MISS, Judge, Match, NearMiss
from workbench.analysis.patterns.search import search
from workbench.analysis.uses import arguments
from workbench.ir import Binding, CallOp, CallPacked, CallTIR, GraphExpr, IRModule, TupleItem
from workbench.support import NodeId
from workbench.support.kinds import checks_kinds


@checks_kinds
def find(
    pattern: Pattern,
    module: IRModule,
    functions: tuple[str, ...] | None = None,
    judge: Judge | None = None,
) -> Iterator[Match | NearMiss]:
    """Every place where the pattern fits, in program order, and near misses between them.

    Looks at the graph functions that are no fused groups, or at those that are named; their
    branches too, whose border no match crosses. At one place
    all alternatives and orders are tried, in the order in which they are written, until `judge`
    has nothing against the match. Matches at several places may overlap; whoever rewrites decides.

    Raises:
        CompileError: `pattern/unknown-operator`, `pattern/unknown-attribute`,
        `pattern/unknown-library-function`, `pattern/unknown-dtype`, `pattern/same-name`.
    """
    check_patterns((pattern,), module)
    beginnings = _Beginnings((pattern,))
    least = isinstance(pattern, Item)  # any field of a tuple is not near
    for place, binding, _ in _candidates(beginnings, module, functions):
        found = search(place, pattern, binding, judge)
        if isinstance(found, Match) or found.depth > least or found.code != NEAR_MISS:
            yield found


def find_apart(
    patterns: Sequence[Pattern],
    module: IRModule,
    functions: tuple[str, ...] | None = None,
    judges: Sequence[Judge] | None = None,
) -> Iterator[tuple[int, Match | NearMiss]]:
    """Matches of several patterns that share no value, each with the pattern's position.

    Those of earlier patterns come first, those of one pattern in program order. Then near misses
    at values that no match took, in program order: those where only the arguments of the innermost
    call, or what is below several calls, do not fit. Others are merely other code.

    One walk finds at which values each pattern can begin; what a match took is not looked at again.

    Raises:
        CompileError: as `find`.
    """
    check_patterns(patterns, module)
    numbers: list[list[int]] = [[] for _ in patterns]
    values: list[tuple[Place, Binding]] = []
    for place, binding, positions in _candidates(_Beginnings(patterns), module, functions):
        for position in positions:
            numbers[position].append(len(values))
        values.append((place, binding))
    missed: list[tuple[int, int, Place, NearMiss]] = []
    for position, pattern in enumerate(patterns):
        judge, least = None if judges is None else judges[position], min(2, _calls(pattern))
        for number, place, found in _attempts(pattern, values, numbers[position], judge):
            if isinstance(found, NearMiss):
                if found.depth >= least or found.code != NEAR_MISS:
                    missed.append((number, position, place, found))
            elif place.take(found):
                yield position, found
    missed.sort(key=itemgetter(0, 1))
    for _, position, place, miss in missed:
        if miss.root.var.id not in place.taken:
            yield position, miss


def _attempts(
    pattern: Pattern,
    values: Sequence[tuple[Place, Binding]],
    numbers: Sequence[int],
    judge: Judge | None,
) -> Iterator[tuple[int, Place, Match | NearMiss]]:
    """What the search finds at those values that are free, where more than one call can fit."""
    below = _starts_below(pattern)
    for number in numbers:
        place, binding = values[number]
        if binding.var.id in place.taken:
            continue
        if below is None or _reads(place, binding.value, below):
            yield number, place, search(place, pattern, binding, judge)


def _candidates(
    beginnings: _Beginnings, module: IRModule, functions: tuple[str, ...] | None
) -> Iterator[tuple[Place, Binding, Sequence[int]]]:
    """Values at which some of the patterns can stand, with the positions of those."""
    named = None if functions is None else frozenset(functions)
    for name, function in module.graph_functions.items():
        if functions is None and dict(function.attrs).get("Primitive"):
            continue
        if named is not None and name not in named:
            continue
        place: Place | None = None
        for binding in bindings_in(function.blocks):
            positions = beginnings.at(binding.value)
            if positions:
                place = place or Place(module, name, function)
                yield place, binding, positions


def match_at(
    pattern: Pattern, module: IRModule, function: str, value: NodeId, judge: Judge | None = None
) -> Match | NearMiss | None:
    """The match whose outermost value is `value`, or why there is none; None for no binding.

    Raises:
        CompileError: as `find`.
    """
    check_patterns((pattern,), module)
    place = Place(module, function, module.graph_functions[function])
    binding = place.bindings.get(value)
    return None if binding is None else search(place, pattern, binding, judge)


class _Beginnings:
    """Which patterns can stand at a value, by what it calls."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._named: dict[object, list[int]] = {}
        self._others: list[int] = []
        for position, pattern in enumerate(patterns):
            starts = _starts(pattern)
            if starts is None:
                self._others.append(position)
            for start in dict.fromkeys(starts or ()):
                self._named.setdefault(start, []).append(position)

    def at(self, value: GraphExpr) -> Sequence[int]:
        """Positions of patterns to try, in order."""
        named = self._named.get(_start(value), ())
        return sorted((*named, *self._others)) if self._others else named


def _reads(place: Place, value: GraphExpr, starts: frozenset[object]) -> bool:
    """Whether one of the arguments is a value that one of these computes."""
    for arg in arguments(value):
        read = place.computed(arg)
        if read is not None and _start(read) in starts:
            return True
    return False


def _start(value: GraphExpr) -> object:
    """What a pattern of a right side begins with: its operator or symbol, else its kind."""
    if isinstance(value, CallOp):
        return value.op
    return value.symbol if isinstance(value, CallPacked) else value.__class__


def _starts(pattern: Pattern) -> list[object] | None:
    """The operators, symbols and kinds of values that a pattern begins with; None for any."""
    match pattern:
        case CallTo(kind="tensor"):
            return [CallTIR]
        case CallTo(target=target):
            return [*target]
        case Item():
            return [TupleItem]
        case Several(outputs=outputs):
            return _starts(outputs[0])
        case AnyOf(choices=choices):
            found = [_starts(choice) for choice in choices]
            return None if None in found else [s for starts in found for s in starts or ()]
        case _:
            return None


def _starts_below(pattern: Pattern) -> frozenset[object] | None:
    """What one of the arguments must begin with, for more calls than one to fit; None for any."""
    if not isinstance(pattern, CallTo) or _calls(pattern) < 2:
        return None
    inner = [arg for arg in pattern.args or () if not isinstance(arg, Anything | ConstantValue)]
    found = [_starts(arg) for arg in inner]
    return None if None in found else frozenset(s for starts in found for s in starts or ())


def _calls(pattern: Pattern) -> int:
    """How many calls a pattern describes, one in the other."""
    if not isinstance(pattern, CallTo):
        return 0
    return 1 + sum(_calls(arg) for arg in pattern.args or ())
