"""Exact kinds of fields: what the annotations of a dataclass allow, compiled to be asked often.

Where `kinds` takes what behaves alike, such as numpy's integers for Python's, this takes the very
classes: nodes are hashed, printed and compared field by field.
"""

from __future__ import annotations

import dataclasses
import operator
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Union

from workbench.support.kinds import describe
from workbench.support.spans import Span

_EXACT: dict[object, tuple[type, ...]] = {float: (float, int), None: (type(None),)}
"""Classes that an annotation takes, where they are others than its own."""


@dataclass(slots=True, eq=False)
class Exact:
    """What a place may hold.

    Values of the `plain` classes are looked at no further; those of `nodes`, and of classes below
    them, are dataclasses, whose fields are looked at in turn. `items` is for tuples of any length,
    `places` for those of a known length; both None where tuples are refused.
    """

    words: str
    plain: set[type] = field(default_factory=set[type])
    nodes: set[type] = field(default_factory=set[type])
    items: Exact | None = None
    places: tuple[Exact, ...] | None = None

    def takes(self, value: Any, below: list[Any]) -> bool:  # noqa: ANN401
        """Whether `value` may stand here; the nodes in it are appended to `below`."""
        kind: type[Any] = value.__class__
        if kind in self.plain:
            return True
        if kind in self.nodes:
            below.append(value)
            return True
        if kind is tuple:
            return self._takes_all(value, below)
        if any(issubclass(kind, node) for node in tuple(self.nodes)):
            self.nodes.add(kind)  # the next one is found at once
            below.append(value)
            return True
        return False

    def _takes_all(self, values: tuple[Any, ...], below: list[Any]) -> bool:
        if self.places is not None and len(values) == len(self.places):
            pairs = zip(self.places, values, strict=True)
            return all(place.takes(value, below) for place, value in pairs)
        items = self.items
        return items is not None and all(items.takes(value, below) for value in values)

    def misfit(self, value: Any, path: str) -> tuple[str, Any, str]:  # noqa: ANN401
        """The innermost part that is wrong of a value that does not fit: path, part, words."""
        if value.__class__ is tuple:
            places = (self.items,) * len(value) if self.places is None else self.places
            if len(places) == len(value):
                for index, (place, part) in enumerate(zip(places, value, strict=True)):
                    if place is not None and not place.takes(part, []):
                        return place.misfit(part, f"{path}[{index}]")
        return path, value, self.words


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of a class that are given to it, and what each may hold."""

    names: tuple[str, ...]
    values: Callable[[Any], tuple[Any, ...]]
    exact: tuple[Exact, ...]


def compiled(
    kind: type, known: Mapping[str, object], words: Mapping[frozenset[object], str]
) -> Fields:
    """The fields of a dataclass.

    `known` are names that its annotations may use: classes, or for an annotation that mentions
    itself what it takes. `words` describes unions, by their members.
    """
    hints = typing.get_type_hints(kind, localns=dict(known))
    names = tuple(item.name for item in dataclasses.fields(kind) if item.init)
    exact = tuple(_exact(hints[name], words) for name in names)
    return Fields(names, _reader(names), exact)


def _reader(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    """What gives the values of these attributes, fast."""
    if len(names) > 1:
        return operator.attrgetter(*names)
    return lambda node: tuple(getattr(node, name) for name in names)


def _exact(hint: Any, words: Mapping[frozenset[object], str]) -> Exact:  # noqa: ANN401
    if isinstance(hint, Exact):
        return hint
    made = Exact(_words(hint, words))
    for part in _members(hint):
        _add(made, part, words)
    return made


def _members(hint: Any) -> tuple[Any, ...]:  # noqa: ANN401
    union = typing.get_origin(hint) in {Union, types.UnionType}
    return typing.get_args(hint) if union else (hint,)


def _add(made: Exact, hint: Any, words: Mapping[frozenset[object], str]) -> None:  # noqa: ANN401
    if isinstance(hint, typing.NewType):
        hint = hint.__supertype__
    if typing.get_origin(hint) is tuple:
        args = typing.get_args(hint)
        if args[1:] == (Ellipsis,):
            made.items = _exact(args[0], words)
        else:
            made.places = tuple(_exact(arg, words) for arg in args)
    elif hint is not Span and dataclasses.is_dataclass(hint):
        made.nodes.add(typing.cast("type", hint))
    else:
        made.plain.update(_EXACT.get(hint, (hint,)))


def _words(hint: Any, words: Mapping[frozenset[object], str]) -> str:  # noqa: ANN401
    members = frozenset(_members(hint))
    without = members - {type(None)}
    if without in words:
        return words[without] + (" or `None`" if len(without) < len(members) else "")
    args = typing.get_args(hint)
    if typing.get_origin(hint) is tuple and args:
        items = [_words(arg, words) for arg in args if arg is not Ellipsis]
        return f"a tuple ({'each ' if args[-1] is Ellipsis else ''}{', '.join(items)})"
    return describe(hint)
