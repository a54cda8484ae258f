"""Proofs that a polynomial of indices is nowhere negative."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from workbench.analysis.intervals import Ends
from workbench.analysis.polynomial import Poly, polynomial
from workbench.analysis.ranges import Interval, Ranges
from workbench.ir.expr import Binary, BinaryOp, IntImm, PrimExpr, Var
from workbench.support.ids import NodeId

_STEPS = 12
"""Symbolic bounds that a proof puts in, one after the other."""


class Inequalities(Ranges):
    """Ranges of variables, and polynomials of them that are `>= 0`."""

    __slots__ = ("inequalities",)

    def __init__(
        self,
        ranges: Mapping[NodeId, Interval] | None = None,
        inequalities: tuple[Poly, ...] = (),
    ) -> None:
        super().__init__(ranges if ranges is not None else {})
        self.inequalities = inequalities

    def nonnegative(self, poly: Poly) -> bool:
        """Whether `poly >= 0` is proved.

        By bounds, by symbolic bounds of its variables, and by a multiple of one known inequality.
        """
        return self._proved(poly, ())

    def proved_bounds(self, poly: Poly) -> Ends:
        """Lowest and highest value, None where unbounded.

        By interval arithmetic, and by a multiple of one known inequality.
        """
        high = self._least(poly.scale(-1))
        return self._least(poly), None if high is None else -high

    def _least(self, poly: Poly) -> int | None:
        """The greatest proved lower bound."""
        useful = [g for g in self.inequalities if not set(poly.atoms()).isdisjoint(g.atoms())]
        weaker = (poly.plus(g, -k) for g in useful for k in _multiples(poly, g))
        found = [self.poly_bounds(p)[0] for p in (poly, *weaker)]
        return max((low for low in found if low is not None), default=None)

    def _proved(self, poly: Poly, asked: tuple[Poly, ...]) -> bool:
        """Whether `poly >= 0`, where the proofs that `asked` are not negative need this one."""
        if self._nonnegative(poly, _STEPS, asked):
            return True
        atoms = set(poly.atoms())
        useful = [g for g in self.inequalities if not atoms.isdisjoint(g.atoms())]
        return any(
            self._nonnegative(poly.plus(g, -k), _STEPS, asked)
            for g in useful
            for k in _multiples(poly, g)
        )

    def _nonnegative(self, poly: Poly, steps: int, asked: tuple[Poly, ...]) -> bool:
        low, _ = self.poly_bounds(poly)
        if low is not None and low >= 0:
            return True
        met = _digits_met(poly)
        if met is not None and self._nonnegative(met, steps, asked):
            return True
        if steps == 0:
            return False
        for atom in dict.fromkeys(poly.atoms()):
            weaker = list(self._weaken(poly, atom, asked))
            if weaker:
                return any(self._nonnegative(p, steps - 1, asked) for p in weaker)
        return False

    def _weaken(self, poly: Poly, atom: PrimExpr, asked: tuple[Poly, ...]) -> Iterable[Poly]:
        """Polynomials that are nowhere greater, with `atom` replaced by a symbolic bound of it."""
        factor = poly.coefficient(atom)
        low, high = self.poly_bounds(factor)
        rest = poly.without(atom)
        if len(rest.terms) + len(factor.terms) != len(poly.terms):
            return
        if low is not None and low >= 0:
            for bound, scale in self._symbolic(atom, 0, asked):
                if (reduced := factor.divided(scale)) is not None:
                    yield rest + reduced * bound
        elif high is not None and high <= 0:
            for bound, scale in self._symbolic(atom, 1, asked):
                if (reduced := factor.divided(scale)) is not None:
                    yield rest + reduced * bound

    def _symbolic(
        self, atom: PrimExpr, side: int, asked: tuple[Poly, ...]
    ) -> Iterable[tuple[Poly, int]]:
        """Bounds `(p, s)` with `s * atom >= p` (side 0) or `s * atom <= p` (side 1)."""
        match atom:
            case Var(id=ident) if ident in self.ranges:
                end = self.ranges[ident].hi if side else self.ranges[ident].lo
                if end is not None and not isinstance(end, int):
                    yield polynomial(end), 1
            case Binary(op=BinaryOp.MIN, a=a, b=b) if side == 1:
                yield polynomial(a), 1
                yield polynomial(b), 1
            case Binary(op=BinaryOp.MAX, a=a, b=b) if side == 0:
                yield polynomial(a), 1
                yield polynomial(b), 1
            case Binary(op=BinaryOp.FLOORDIV, a=a, b=IntImm(value=c)) if c > 0:
                yield polynomial(a) if side else polynomial(a).shift(1 - c), c
            case Binary(op=BinaryOp.FLOORMOD, b=b) if side == 1 and not isinstance(b, IntImm):
                largest = polynomial(b).shift(-1)
                # `x % b < b` only where `b > 0`, which must not rest on `x % b < b` again.
                if largest not in asked and self._proved(largest, (*asked, largest)):
                    yield largest, 1
            case _:
                return


def _digits_met(poly: Poly) -> Poly | None:
    """The same with `x - x // c * c` for each `x % c` whose quotient is there too, None without."""
    found = None
    for key, factor in poly.terms.items():
        match key:
            case (Binary(op=BinaryOp.FLOORMOD, a=a, b=IntImm(value=c) as b) as rest,) if c > 0:
                quotient = Poly.atom(Binary(BinaryOp.FLOORDIV, a, b))
                if not poly.terms.keys().isdisjoint(quotient.terms):
                    whole = polynomial(a) - quotient.scale(c)
                    start = poly if found is None else found
                    found = start + (whole - Poly.atom(rest)).scale(factor)
            case _:
                pass
    return found


def _multiples(poly: Poly, known: Poly) -> dict[int, None]:
    """Factors with which `known` takes an atom out of `poly`, and 1."""
    found = {1: None}
    for key, factor in known.terms.items():
        times, rest = divmod(poly.terms.get(key, 0), factor)
        if key and times > 0 and rest == 0:
            found[times] = None
    return found
