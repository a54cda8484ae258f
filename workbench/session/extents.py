"""How large symbolic dimensions are in the inputs of checks, where nobody says.

Dimensions that are equal hide that they were exchanged, and even ones hide a lost tail: they are
distinct and odd where the program runs with that, and what comes nearest where it does not.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from itertools import cycle
from typing import TypeAlias, TypeVar

from workbench.interpret import evaluate
from workbench.ir import BufferType, ScalarType, TensorType, Var, walk
from workbench.runtime import Cancelled as NativeCancelled
from workbench.support import CompileError, NodeId

Extents: TypeAlias = Mapping[str, int]
"""Extents of symbolic dimensions by name."""
Work: TypeAlias = Callable[[Extents], float]
"""How much a run takes, in microseconds of a usual processor: counted, never measured, so that
what is checked does not depend on how busy the machine is."""
T = TypeVar("T")

ODD = (3, 5, 7, 11, 13, 17, 19, 23)
"""Distinct odd extents; more than eight dimensions begin again."""
ROUNDS = (
    ((37, 41, 43, 47, 53, 59, 61, 67), 32),
    ((17, 19, 29, 31, 37, 41, 43, 47), 16),
)
"""What becomes of them, and what is added to even ones, where more than one round of vectors and
tiles is wanted: the first that is cheap enough."""
UNITS = (1, 4, 16)
"""Smallest extents where dimensions must be divisible; the others are its multiples."""
SAME = (3, 4, 2, 1, 16)
"""Extents of all dimensions, where they have to be equal."""
MOST_ELEMENTS = 1 << 20
"""Elements of all arguments that are always allowed, and those of twos times `GROWTH`."""
GROWTH = 2
FEW_ELEMENTS = 1 << 20
"""Elements of all arguments of the larger extents."""
CHEAP = 1e6
"""Work that a run with the larger extents may take, as `Work` counts it: about a second."""
PATIENCE = 5e5
"""Work for looking for distinct extents once some were found that run."""
MOST_WORK = 5e6
"""Work after which no further extents are tried: what does not run is something else."""


def symbols_of(params: Iterable[Var]) -> dict[NodeId, str]:
    """Names of the symbolic dimensions of parameters by id, in the order in which they stand."""
    return {node.id: node.name for p in params for node in walk(p.type) if isinstance(node, Var)}


def distinct(names: Iterable[str], given: Extents | None = None) -> dict[str, int]:
    """The extents of `given`, distinct odd ones for the other names."""
    known = dict(given or {})
    free = [extent for extent in ODD if extent not in known.values()] or list(ODD)
    missing = [name for name in dict.fromkeys(names) if name not in known]
    return known | dict(zip(missing, cycle(free), strict=False))


def told(extents: Extents) -> str:
    """`n = 3, m = 5`."""
    return ", ".join(f"{name} = {extent}" for name, extent in extents.items())


def largest(extents: Extents) -> int:
    """The largest of the extents, one where there are none."""
    return max(extents.values(), default=1)


def elements(params: Sequence[Var], extents: Extents) -> int:
    """How many elements the arguments have that these extents give."""
    symbols = {id_: extents[name] for id_, name in symbols_of(params).items()}
    total = 0
    for param in params:
        kind = param.type
        shape = kind.shape if isinstance(kind, TensorType | BufferType) else None
        count = 0 if shape is None or isinstance(kind, ScalarType) else 1
        for dim in shape or ():
            count *= dim if isinstance(dim, int) else max(0, int(evaluate(dim, symbols)))
        total += count
    return total


def runs(
    params: Sequence[Var], given: Extents, run: Callable[[Extents], T], work: Work | None = None
) -> list[tuple[Extents, T]]:
    """Extents with which a program runs, and what `run` gives for them; none where none do.

    A second time with larger ones, where that is cheap. `given` are those that somebody chose,
    `work` counts what a run takes: the elements of its arguments if nobody knows better.
    """
    count = work or _elements_of(params)
    found = fitting(params, given, run, count)
    if found is None:
        return []
    grown = (_larger(found[0], given, odd, more) for odd, more in ROUNDS)
    others = next((g for g in grown if _is_cheap(params, g, count)), found[0])
    if others == found[0]:
        return [found]
    second = _tried(others, run)
    return [found] if second is None else [found, (others, second[0])]


def _is_cheap(params: Sequence[Var], extents: Extents, work: Work) -> bool:
    return elements(params, extents) <= FEW_ELEMENTS and work(extents) <= CHEAP


def _elements_of(params: Sequence[Var]) -> Work:
    return lambda extents: float(elements(params, extents))


def fitting(
    params: Sequence[Var], given: Extents, run: Callable[[Extents], T], work: Work | None = None
) -> tuple[Extents, T] | None:
    """The first extents that run, and what `run` gives for them.

    Tried are distinct odd ones, distinct multiples of larger and larger units, equal ones; from
    there on, dimensions are told apart one by one as far as that runs.
    """
    count = work or _elements_of(params)
    names = [n for n in dict.fromkeys(symbols_of(params).values()) if n not in given]
    small = elements(params, {**given, **dict.fromkeys(names, 2)})
    most = max(MOST_ELEMENTS, GROWTH * small)
    guesses: list[Extents] = []
    for guess in _guesses(names, given):
        if guess not in guesses and elements(params, guess) <= most:
            guesses.append(guess)
    left = MOST_WORK
    for number, guess in enumerate(guesses):
        if left < 0:
            return None
        left -= count(guess)
        result = _tried(guess, run)
        if result is not None:
            found = guess, result[0]
            return found if number == 0 else _refined(names, *found, run, count)
    return None


def _larger(extents: Extents, given: Extents, odd: Sequence[int], more: int) -> dict[str, int]:
    """Other extents for the same: equal ones stay equal, odd ones odd, multiples multiples."""

    def grown(extent: int) -> int:
        if extent in ODD:
            return odd[ODD.index(extent)]
        return extent + more if extent % 2 == 0 else extent

    return {n: e if n in given else grown(e) for n, e in extents.items()}


def _guesses(names: Sequence[str], given: Extents) -> Iterator[dict[str, int]]:
    yield distinct(names, given)
    for unit in UNITS:
        multiples = (unit * factor for factor in range(2 if unit == 1 else 1, len(names) + 2))
        yield {**given, **dict(zip(names, multiples, strict=False))}
    for extent in SAME:
        yield {**given, **dict.fromkeys(names, extent)}


def _refined(
    names: Sequence[str], start: Extents, result: T, run: Callable[[Extents], T], work: Work
) -> tuple[Extents, T]:
    """The same with dimensions told apart one by one, as far as the program runs with it."""
    left = PATIENCE
    found, known = dict(start), result
    for name in names:
        taken = {extent for other, extent in found.items() if other != name}
        for extent in _better(found[name], taken):
            if left < 0:
                return found, known
            other = {**found, name: extent}
            left -= work(other)
            better = _tried(other, run)
            if better is not None:
                found[name], known = extent, better[0]
                break
    return found, known


def _better(extent: int, taken: Container[int]) -> list[int]:
    """What would tell more than `extent`: an odd one, or another one."""
    odd = [other for other in ODD if other not in taken][:1]
    even = [4 * other for other in ODD if 4 * other not in taken][:1]
    if extent in taken:
        return odd + even
    return odd if extent % 2 == 0 else []


def _tried(extents: Extents, run: Callable[[Extents], T]) -> tuple[T] | None:
    try:
        return (run(extents),)
    except NativeCancelled:
        raise
    except CompileError:
        return None
