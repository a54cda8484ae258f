"""The words of the pattern language: immutable values that describe calls and what they take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal, Self

from workbench.ir import Attr, Dim, TensorFunction, Type

Kind = Literal["op", "tensor", "library"]
TypeTest = Callable[[Type], bool]
CalleeTest = Callable[[TensorFunction], bool]


@dataclass(frozen=True, eq=False)
class Pattern:
    """What a value must be. `==` is identity: one object at two places is one value.

    `name` gives the value a name in the match. The other fields restrict it.
    """

    name: str = field(default="", kw_only=True)
    dtype: str = field(default="", kw_only=True)
    shape: tuple[Dim | None, ...] | None = field(default=None, kw_only=True)
    rank: int | None = field(default=None, kw_only=True)
    uses: int | None = field(default=None, kw_only=True)
    test: TypeTest | None = field(default=None, kw_only=True)
    wanted: str = field(default="", kw_only=True)
    """What `test` asks for, in words."""

    def named(self, name: str) -> Self:
        """The pattern with a name for its value in the match."""
        return replace(self, name=name)

    def typed(
        self,
        dtype: str = "",
        shape: tuple[Dim | None, ...] | None = None,
        rank: int | None = None,
    ) -> Self:
        """The pattern for values of this type only; None in a shape stands for any extent."""
        return replace(self, dtype=dtype, shape=shape, rank=rank)

    def used(self, times: int) -> Self:
        """The pattern for values that are used so many times, as the function's result included."""
        return replace(self, uses=times)

    def where(self, wanted: str, test: TypeTest) -> Self:
        """The pattern for values whose type passes a test; `wanted` says in words what it asks."""
        return replace(self, test=test, wanted=wanted)

    def __or__(self, other: Pattern) -> AnyOf:
        return AnyOf((*_choices(self), *_choices(other)))


@dataclass(frozen=True, eq=False)
class Anything(Pattern):
    """Any value, computed or not."""


@dataclass(frozen=True, eq=False)
class ConstantValue(Pattern):
    """A constant of the module's pool."""


@dataclass(frozen=True, eq=False)
class AnyOf(Pattern):
    """The first alternative that fits."""

    choices: tuple[Pattern, ...] = ()


@dataclass(frozen=True, eq=False)
class CallTo(Pattern):
    """A call: of an operator, of a tensor function, or of a library.

    `target` is the operator or symbol; several may be given. For tensor functions `callee` asks
    the function itself, which works for functions of users. `args` None leaves them open.
    """

    kind: Kind = "op"
    target: tuple[str, ...] = ()
    args: tuple[Pattern, ...] | None = None
    attrs: tuple[tuple[str, Attr], ...] = ()
    any_order: bool = False
    callee: CalleeTest | None = None


@dataclass(frozen=True, eq=False)
class Item(Pattern):
    """A field of a tuple."""

    value: Pattern = field(default_factory=Anything)
    index: int = 0


@dataclass(frozen=True, eq=False)
class Several(Pattern):
    """Several values at once, which share values below them; the first is where a match stands."""

    outputs: tuple[Pattern, ...] = ()


def anything(name: str = "") -> Anything:
    """Any value."""
    return Anything(name=name)


def constant(name: str = "") -> ConstantValue:
    """A constant."""
    return ConstantValue(name=name)


def op(
    target: str | tuple[str, ...],
    *args: Pattern,
    any_order: bool = False,
    **attrs: Attr,
) -> CallTo:
    """A call of an operator with these arguments (none given: any) and at least these attributes.

    `any_order` tries the arguments in every order.
    """
    names = (target,) if isinstance(target, str) else target
    wanted = tuple(sorted(attrs.items()))
    return CallTo("op", names, args or None, wanted, any_order)


def tensor(
    test: CalleeTest | None = None, *args: Pattern, wanted: str = "a tensor function"
) -> CallTo:
    """A `call_tir` of a tensor function that passes a test, such as its `op_pattern`."""
    return CallTo("tensor", (), args or None, callee=test, wanted=wanted)


def library(symbol: str | tuple[str, ...], *args: Pattern) -> CallTo:
    """A call of a library function."""
    names = (symbol,) if isinstance(symbol, str) else symbol
    return CallTo("library", names, args or None)


def item(value: Pattern, index: int) -> Item:
    """Field `index` of a tuple."""
    return Item(value, index)


def several(*outputs: Pattern) -> Several:
    """Values that are looked for together, such as two consumers of one value."""
    return Several(outputs)


def _choices(pattern: Pattern) -> tuple[Pattern, ...]:
    return pattern.choices if isinstance(pattern, AnyOf) else (pattern,)
