"""The words of the pattern language: immutable values that describe calls and what they take."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, Self

from workbench.ir import Attr, Dim, TensorFunction, Type
from workbench.support import CompileError, Diagnostic
from workbench.support.found import found as found_words
from workbench.support.kinds import checks_kinds
from workbench.support.plain_values import frozen

_checked = functools.partial(checks_kinds, own=("args", "outputs", "value"))

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

    @cached_property
    def asks_type(self) -> bool:
        """Whether the type of the value matters."""
        open_ = self.shape is None and self.rank is None and self.test is None
        return not open_ or bool(self.dtype)

    @cached_property
    def restricted(self) -> bool:
        """Whether the type of the value matters, or how often it is used."""
        return self.asks_type or self.uses is not None

    @checks_kinds
    def named(self, name: str) -> Self:
        """The pattern with a name for its value in the match."""
        return replace(self, name=name)

    @checks_kinds
    def typed(
        self,
        dtype: str = "",
        shape: tuple[Dim | None, ...] | None = None,
        rank: int | None = None,
    ) -> Self:
        """The pattern for values of this type only; None in a shape stands for any extent."""
        return replace(self, dtype=dtype, shape=shape, rank=rank)

    def used(self, times: int) -> Self:
        """The pattern for values that are used so many times, as the function's result included.

        Raises:
            CompileError: `call/wrong-kind` for what is no number of times.
        """
        if not isinstance(times, int) or isinstance(times, bool) or times < 0:  # pyright: ignore[reportUnnecessaryIsInstance]
            message = f"`used` takes how many times, an integer from 0 on, got {found_words(times)}"
            raise CompileError(Diagnostic("call/wrong-kind", message))
        return replace(self, uses=times)

    @checks_kinds
    def where(self, wanted: str, test: TypeTest) -> Self:
        """The pattern for values whose type passes a test; `wanted` says in words what it asks."""
        return replace(self, test=test, wanted=wanted)

    def __or__(self, other: Pattern) -> AnyOf:
        return AnyOf((*_choices(self), *_choices(_pattern(other))))


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


@_checked
def anything(name: str = "") -> Anything:
    """Any value."""
    return Anything(name=name)


@_checked
def constant(name: str = "") -> ConstantValue:
    """A constant."""
    return ConstantValue(name=name)


@_checked
def op(
    target: str | tuple[str, ...],
    *args: Pattern,
    any_order: bool = False,
    **attrs: Attr,
) -> CallTo:
    """A call of an operator with these arguments (none given: any) and at least these attributes.

    `any_order` tries the arguments in every order. An attribute that a call does not give has its
    default value. Names that no operator or attribute has are faults where the pattern is used.

    Raises:
        CompileError: `pattern/not-a-pattern` for an argument that is none.
    """
    wanted = tuple((key, frozen(value)) for key, value in sorted(attrs.items()))
    return CallTo("op", _names(target), _arguments(args), wanted, any_order)


@_checked
def tensor(
    test: CalleeTest | None = None, *args: Pattern, wanted: str = "a tensor function"
) -> CallTo:
    """A `call_tir` of a tensor function that passes a test, such as its `op_pattern`."""
    return CallTo("tensor", (), _arguments(args), callee=test, wanted=wanted)


@_checked
def library(symbol: str | tuple[str, ...], *args: Pattern) -> CallTo:
    """A call of a library function."""
    return CallTo("library", _names(symbol), _arguments(args))


@_checked
def item(value: Pattern, index: int) -> Item:
    """Field `index` of a tuple, from 0 on.

    Raises:
        CompileError: `call/wrong-kind` for one below 0.
    """
    if index < 0:
        message = f"`item` takes the position of a field, an integer from 0 on, got `{index}`"
        raise CompileError(Diagnostic("call/wrong-kind", message))
    return Item(_pattern(value), index)


@_checked
def several(*outputs: Pattern) -> Several:
    """Values that are looked for together, such as two consumers of one value.

    Raises:
        CompileError: `call/arguments` for none, `pattern/not-a-pattern`.
    """
    if not outputs:
        raise CompileError(Diagnostic("call/arguments", "`several` needs patterns of values"))
    return Several(tuple(map(_pattern, outputs)))


def _choices(pattern: Pattern) -> tuple[Pattern, ...]:
    return pattern.choices if isinstance(pattern, AnyOf) else (pattern,)


def _names(given: str | tuple[str, ...]) -> tuple[str, ...]:
    """The names of calls.

    Raises:
        CompileError: `call/arguments` for none.
    """
    names = (given,) if isinstance(given, str) else tuple(given)
    if not names:
        raise CompileError(Diagnostic("call/arguments", "a pattern of calls names what is called"))
    return names


def _arguments(args: tuple[Pattern, ...]) -> tuple[Pattern, ...] | None:
    return tuple(map(_pattern, args)) or None


def _pattern(given: object) -> Pattern:
    """A part of a pattern.

    Raises:
        CompileError: `pattern/not-a-pattern`.
    """
    if isinstance(given, Pattern):
        return given
    raise CompileError(
        Diagnostic(
            "pattern/not-a-pattern",
            f"expected a pattern, found `{given!r}`",
            hint="attributes are keywords; `anything()` stands for any value",
        )
    )
