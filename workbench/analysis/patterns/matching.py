"""Matching: where a pattern fits a graph function, and what came near."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from workbench.analysis.patterns.checks import check_patterns
from workbench.analysis.patterns.fitting import Place
from workbench.analysis.patterns.language import AnyOf, CallTo, Item, Pattern, Several
from workbench.analysis.patterns.matches import NEAR_MISS, Judge, Match, NearMiss
from workbench.analysis.patterns.search import search
from workbench.ir import CallOp, CallPacked, CallTIR, GraphExpr, IRModule, TupleItem
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

    Looks at the graph functions that are no fused groups, or at those that are named. At one place
    all alternatives and orders are tried, in the order in which they are written, until `judge`
    has nothing against the match. Matches at several places may overlap; whoever rewrites decides.

    Raises:
        CompileError: `pattern/unknown-operator`, `pattern/unknown-attribute`,
        `pattern/unknown-library-function`, `pattern/unknown-dtype`, `pattern/same-name`.
    """
    judges = None if judge is None else (judge,)
    for _, found in find_several((pattern,), module, functions, judges):
        yield found


def find_several(
    patterns: Sequence[Pattern],
    module: IRModule,
    functions: tuple[str, ...] | None = None,
    judges: Sequence[Judge] | None = None,
) -> Iterator[tuple[int, Match | NearMiss]]:
    """What `find` gives for each of several patterns, with the pattern's position.

    In program order, for one value in the order of the patterns. Tries at a value only the
    patterns that can begin with one.
    """
    check_patterns(patterns, module)
    beginnings = _Beginnings(patterns)
    named = None if functions is None else frozenset(functions)
    for name, function in module.graph_functions.items():
        if functions is None and dict(function.attrs).get("Primitive"):
            continue
        if named is not None and name not in named:
            continue
        place = Place(module, name, function)
        for binding in function.bindings:
            for position in beginnings.at(binding.value):
                judge = None if judges is None else judges[position]
                found = search(place, patterns[position], binding, judge)
                least = isinstance(patterns[position], Item)  # any field of a tuple is not near
                if isinstance(found, Match) or found.depth > least or found.code != NEAR_MISS:
                    yield position, found


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
        match value:
            case CallOp(op=name) | CallPacked(symbol=name):
                named = self._named.get(name, ())
            case _:
                named = self._named.get(value.__class__, ())
        return sorted((*named, *self._others)) if self._others else named


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
