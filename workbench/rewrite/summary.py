"""Summaries: what equal functions share, for finding one among thousands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from workbench.analysis.same_type import is_static
from workbench.ir import (
    Arg,
    Binding,
    CallFunction,
    CallOp,
    CallTIR,
    Constant,
    Function,
    GraphFunction,
    TensorFunction,
    TupleValue,
    Type,
    Var,
    fingerprint,
    structurally_equal,
)
from workbench.support import NodeId

_BY_NAME = (CallTIR, CallFunction)


class EqualFunctions:
    """The functions of a module that others may share, by what they say.

    Functions are told apart by what they call first; all that they say is compared only where
    that is the same.
    """

    def __init__(self, functions: Mapping[str, Function]) -> None:
        self._functions = functions
        self._alike: dict[object, _Alike] = {}
        self._asked: dict[int, tuple[Function, bool, list[str]]] = {}
        self._types = StaticTypes()
        for name, function in functions.items():
            self.add(name, function)

    def add(self, name: str, function: Function) -> None:
        """Note that a function is there."""
        asked = self._asked.get(id(function))
        if asked is not None:
            asked[2].append(name)
        elif isinstance(function, TensorFunction) or function.private:
            self._alike.setdefault(_calls(function), _Alike()).waiting.append(name)

    def equal_to(self, function: Function) -> Iterator[str]:
        """The names of functions that are equal up to ids and names of values, in order."""
        if isinstance(function, GraphFunction) and not function.private:
            return
        if id(function) not in self._asked:
            key = summary(function, self._types)
            alike = self._alike.setdefault(_calls(function), _Alike())
            for name in alike.waiting:
                if name in self._functions:
                    said = summary(self._functions[name], self._types)
                    alike.by_summary.setdefault(said, []).append(name)
            alike.waiting.clear()
            self._asked[id(function)] = function, key[1], alike.by_summary.setdefault(key, [])
        _, whole, names = self._asked[id(function)]
        for name in names:
            known = self._functions.get(name)
            if known is not None and (whole or structurally_equal(known, function)):
                yield name


class _Alike:
    """Functions that call the same: those whose summary is known, and the others."""

    __slots__ = ("by_summary", "waiting")

    def __init__(self) -> None:
        self.by_summary: dict[tuple[object, bool], list[str]] = {}
        self.waiting: list[str] = []


class StaticTypes:
    """Numbers of static types, by which types are compared once and not in each function."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[Type, int | None]] = {}
        self._numbers: dict[Type, int] = {}

    def number(self, type_: Type) -> int | None:
        """The same for equal types, None for one that is not static."""
        seen = self._seen.get(id(type_))
        if seen is None:
            number = None
            if is_static(type_):
                number = self._numbers.setdefault(type_, len(self._numbers))
            seen = self._seen[id(type_)] = type_, number  # held, so that the address stays its own
        return seen[1]


def summary(function: Function, static: StaticTypes) -> tuple[object, bool]:
    """A key that equal functions share, and whether they share it with no others.

    It says all of a tensor function, and of a private graph function that only calls others and
    operators on values of static types.
    """
    if isinstance(function, TensorFunction):
        return (fingerprint(function), function.private), True
    if not function.private:
        return "public", False
    whole = _plain_calls(function, static)
    return (_calls(function), False) if whole is None else (whole, True)


def _calls(function: Function) -> object:
    """What a function calls, and how many parameters it has; all of a tensor function."""
    if isinstance(function, TensorFunction):
        return fingerprint(function), function.private
    found: list[object] = [len(function.params), *[key for key, _ in function.attrs]]
    for binding in function.bindings:
        value = binding.value
        if isinstance(value, CallOp):
            found.append(value.op)
        elif isinstance(value, _BY_NAME):
            found.append(value.callee)
        else:
            found.append(value.__class__)
    return tuple(found)


def _plain_calls(function: GraphFunction, static: StaticTypes) -> object | None:
    """All of a function but ids and names of values; None where it has more than plain calls."""
    numbers: dict[NodeId, int] = {}
    rows: list[object] = []
    for param in function.params:
        numbers[param.id] = len(numbers)
        rows.append(static.number(param.type))
    if None in rows:
        return None
    for block in function.blocks:
        for binding in block.bindings:
            if not _add_row(binding, numbers, rows, static):
                return None
        rows.append((block.dataflow, frozenset(map(numbers.get, block.outputs))))
    result = _leaf(function.result, numbers)
    if result is None:
        return None
    flags = (function.private, function.pure, repr(function.attrs))
    return len(function.params), tuple(rows), result, function.return_type, flags


def _add_row(
    binding: Binding, numbers: dict[NodeId, int], rows: list[object], static: StaticTypes
) -> bool:
    """Append what a binding says, and number its value; whether it is a plain call."""
    value, var = binding.value, binding.var
    rest: object = None
    if isinstance(value, CallOp):
        name = value.op
        if value.attrs:
            rest = repr(value.attrs)  # equal texts only: 0.0 is not -0.0, 1 is not True
    elif isinstance(value, CallTIR):
        name, rest = value.callee, tuple(map(static.number, value.out_types))
        if value.scalars or None in rest:
            return False
    elif isinstance(value, CallFunction):
        name = value.callee
    else:
        return False
    rows.append(value.__class__)
    rows.append(name)
    rows.append(rest)
    for arg in value.args:
        leaf = numbers.get(arg.id) if isinstance(arg, Var) else _leaf(arg, numbers)
        if leaf is None:
            return False
        rows.append(leaf)
    type_ = static.number(var.type)
    if type_ is None:
        return False
    rows.append(type_)
    numbers[var.id] = len(numbers)
    return True


def _leaf(arg: Arg, numbers: dict[NodeId, int]) -> object | None:
    """A leaf as the number of a value, or as a constant; None for anything else."""
    match arg:
        case Var(id=value):
            return numbers.get(value)
        case Constant():
            return arg
        case TupleValue(fields=fields):
            found = tuple(_leaf(field, numbers) for field in fields)
            return None if None in found else found
        case _:
            return None
