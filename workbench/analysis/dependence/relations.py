"""Relations between instances with parts that exist only: unions, projections, subsets.

`sets` decides whether one conjunction has a point, which is all that pairs of instances need.
Here are the questions with "there is an instance that": they take isl's sets as such.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from workbench.analysis.dependence.facts import (
    Choice,
    Fact,
    Form,
    Part,
    contained,
    difference,
    impossible,
    named,
)
from workbench.analysis.dependence.linear import AnyOf, Conjunction, Linear, Row
from workbench.analysis.dependence.sets import TooLargeError
from workbench.analysis.dependence.terms import Term, TermKind, Terms
from workbench.analysis.dependence.unknowns import unknown

MAX_OPERATIONS = 2_000_000
_LOCK = threading.Lock()


@cache
def _isl() -> tuple[Any, Any]:
    library = importlib.import_module("islpy")
    return library, library.Context()


@dataclass(frozen=True, slots=True)
class Side:
    """One instance: the terms of its version, a prefix for its variables, its constraints.

    `instance` has forms that tell it from others, in both of two versions that are compared; None
    where there are none.
    """

    terms: Terms
    prefix: str
    domain: Conjunction
    instance: tuple[Linear, ...] | None = None


@dataclass(slots=True)
class Relation:
    """A set of tuples (`columns`): facts about names, as text for isl where nothing quicker helps.

    Loop variables of sides are named by prefix and key; symbols are parameters, kept with their
    bounds. Whatever is no column exists only. `inexact` says what is left out, so that the set is
    too large; `unknowns` are the terms whose values are.
    """

    columns: tuple[str, ...] = ()
    parts: list[Part] = field(default_factory=list[Part])
    params: dict[str, tuple[Part, ...]] = field(default_factory=dict[str, "tuple[Part, ...]"])
    variables: set[str] = field(default_factory=set[str])
    inexact: tuple[str, ...] = ()
    unknowns: list[tuple[Side, int]] = field(default_factory=list["tuple[Side, int]"])

    def copied(self) -> Relation:
        """A relation that can be extended without changing this one."""
        return Relation(
            self.columns,
            list(self.parts),
            dict(self.params),
            set(self.variables),
            self.inexact,
            list(self.unknowns),
        )

    # --- writing --------------------------------------------------------------------------

    def inside(self, side: Side) -> None:
        """Restrict one instance to its domain."""
        self.parts += [self.item(side, item) for item in side.domain]

    def equal(self, a: Side, first: Linear, b: Side, second: Linear) -> None:
        """`first` at one instance is `second` at another."""
        self.parts.append(difference(self.form(a, first), self.form(b, second), equal=True))

    def column(self, name: str, side: Side, form: Linear) -> None:
        """A column is the value of a form."""
        self.parts.append(difference(named(name), self.form(side, form), equal=True))

    def either(self, options: Iterable[Sequence[Part]]) -> None:
        """One of several conjunctions holds; none of none."""
        self.parts.append(Choice(tuple(map(tuple, options))))

    def form(self, side: Side, linear: Linear) -> Form:
        """A form at an instance."""
        return {self.term(side, key): c for key, c in linear.terms.items()}, linear.constant

    def term(self, side: Side, key: int) -> str:
        """The variable of a term at an instance; what defines it becomes part of the set."""
        term = side.terms[key]
        if term.kind is TermKind.SYMBOL:
            name = f"s{key}"
            self._parameter(name, term)
            return name
        if term.kind is TermKind.PRODUCT and not term.deps and term.stable:
            name = "p" + "_".join(map(str, term.factors))
            self._parameter(name, term)
            return name
        name = f"{side.prefix}{key}"
        if name not in self.variables:
            self.variables.add(name)
            if term.why:
                self.inexact = (*self.inexact, term.why)
                self.unknowns.append((side, key))
            self.parts += [self.item(side, item) for item in term.definition]
        return name

    def _parameter(self, name: str, term: Term) -> None:
        if name in self.params:
            return
        low = () if term.low is None else (Fact({name: 1}, -term.low, equal=False),)
        high = () if term.high is None else (Fact({name: -1}, term.high, equal=False),)
        self.params[name] = (*low, *high)
        self.parts += self.params[name]

    def knowing(self, others: Sequence[Relation]) -> Relation:
        """The relation with the bounds of the parameters of others, which hold here as well."""
        made = self.copied()
        for other in others:
            for name, bounds in other.params.items():
                if name not in made.params:
                    made.params[name] = bounds
                    made.parts += bounds
        return made

    def item(self, side: Side, item: Row | AnyOf) -> Part:
        """A constraint on an instance."""
        if isinstance(item, Row):
            return Fact(*self.form(side, item.linear), item.equal)
        options = [tuple(self.item(side, part) for part in option) for option in item.options]
        return Choice(tuple(options))

    def text(self, params: Iterable[str]) -> str:
        """The set as isl reads it."""
        inner = sorted(self.variables - set(self.columns))
        exists = f"exists {', '.join(inner)}: " if inner else ""
        where = " and ".join(f"({part.text})" for part in self.parts) or "0 = 0"
        return f"[{', '.join(params)}] -> {{ [{', '.join(self.columns)}] : {exists}({where}) }}"

    # --- asking ---------------------------------------------------------------------------

    def point(self) -> dict[str, int] | None:
        """Columns and parameters at some point, None where the set is empty.

        Raises:
            TooLargeError: where the budget does not suffice.
        """
        if impossible(self.parts):
            return None
        names = (*sorted(self.params), *self.columns)
        wide = Relation(names, self.parts, {}, self.variables)

        def ask(isl: Any, ctx: Any) -> dict[str, int] | None:  # noqa: ANN401
            return _sample(isl.Set.read_from_str(ctx, wide.text(())), names)

        with _LOCK:
            return _asked(ask)

    def missing_from(self, others: Sequence[Relation]) -> dict[str, int] | None:
        """A point that lies in none of the other sets.

        Sets are too large where they are inexact. None is a proof nevertheless: values that are not
        known count in the others only where they are those that they have here.

        Raises:
            TooLargeError: where the budget does not suffice.
        """
        if any(other.unknowns for other in others):
            return _tied(self.knowing(others), others)
        return _outside(self.knowing(others), others)


def _outside(left: Relation, others: Sequence[Relation]) -> dict[str, int] | None:
    params = sorted(set(left.params).union(*(o.params for o in others)))
    if contained(left.parts, [o.parts for o in others], {*params, *left.columns}):
        return None

    def ask(isl: Any, ctx: Any) -> dict[str, int] | None:  # noqa: ANN401
        rest = isl.Set.read_from_str(ctx, left.text(params))
        for other in others:
            rest = rest.subtract(isl.Set.read_from_str(ctx, other.text(params)))
        count = len(params)
        rest = rest.move_dims(isl.dim_type.set, 0, isl.dim_type.param, 0, count)
        return _sample(rest, (*params, *left.columns))

    with _LOCK:
        return _asked(ask)


def _tied(left: Relation, others: Sequence[Relation]) -> dict[str, int] | None:
    """A point of a relation that is not proved to lie in others.

    The values of its unknowns and their arguments are columns; unknowns of the others have the
    value of one that computes the same function of the same arguments.
    """
    count = len(left.columns)
    here = left.copied()
    known: list[tuple[object, str, tuple[str, ...]]] = []
    for number, (side, key) in enumerate(here.unknowns):  # grows with unknown arguments
        found = unknown(side.terms, key, side.prefix, side.instance)
        if found is None:
            continue
        value = f"q{number}"
        names = tuple(f"{value}_{n}" for n in range(len(found.arguments)))
        here.parts.append(difference(named(value), named(here.term(side, key)), equal=True))
        for name, form in zip(names, found.arguments, strict=True):
            here.column(name, side, form)
        here.columns = (*here.columns, value, *names)
        known.append((found.function, value, names))
    there = [_with_known(other, known, here.columns[count:]) for other in others]
    return _outside(here, [other for other in there if other is not None])


def _with_known(
    other: Relation, known: Sequence[tuple[object, str, tuple[str, ...]]], columns: Sequence[str]
) -> Relation | None:
    """A relation where unknowns have known values, None where one cannot."""
    made = other.copied()
    made.columns = (*made.columns, *columns)
    for side, key in made.unknowns:  # grows with unknown arguments
        found = unknown(side.terms, key, side.prefix, side.instance)
        if found is None:
            return None
        own = named(made.term(side, key))
        forms = [made.form(side, form) for form in found.arguments]
        options = [
            [
                difference(named(name), form, equal=True)
                for name, form in zip((value, *names), (own, *forms), strict=True)
            ]
            for function, value, names in known
            if function == found.function and len(names) == len(forms)
        ]
        if not options:
            return None
        made.either(options)
    return made


def _asked(ask: Any) -> Any:  # noqa: ANN401
    isl, context = _isl()
    context.reset_operations()
    context.set_max_operations(MAX_OPERATIONS)
    try:
        return ask(isl, context)
    except isl.Error as error:
        raise TooLargeError from error
    finally:
        context.set_max_operations(0)
        context.reset_operations()


def _sample(found: Any, names: Sequence[str]) -> dict[str, int] | None:  # noqa: ANN401
    if found.is_empty():
        return None
    isl, _ = _isl()
    try:
        point = found.lexmin().sample_point()
    except isl.Error:  # unbounded below
        point = found.sample_point()
    kind = isl.dim_type.set
    return {name: point.get_coordinate_val(kind, n).to_python() for n, name in enumerate(names)}
