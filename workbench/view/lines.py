"""Lines of a script: those that bind one value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from workbench.view.protocol import TokenView


@dataclass(frozen=True, slots=True)
class Line:
    """One line without its indentation, which is `indent` blanks."""

    indent: int
    tokens: tuple[TokenView, ...]

    def binds(self, key: str) -> bool:
        """Whether the line begins with the value."""
        return bool(self.tokens) and self.tokens[0].node == key


def lines_that_bind(tokens: Iterable[TokenView], key: str, *, branch: bool) -> list[TokenView]:
    """The line that binds a value; of an `if` (`branch`) the whole of it, with what is in its arms.

    Empty where no line begins with the value, as for a call that is a statement.
    """
    lines = list(_lines(tokens))
    found = [index for index, line in enumerate(lines) if line.binds(key)]
    if not found:
        return []
    first, last = found[0], found[-1]
    if branch:
        while first > 0 and lines[first].indent >= lines[found[0]].indent:
            first -= 1
    else:
        last = first
    return list(_joined(lines[first : last + 1]))


def _lines(tokens: Iterable[TokenView]) -> Iterator[Line]:
    line: list[TokenView] = []
    for token in tokens:
        head, *rest = token.text.split("\n")
        _put(line, token, head)
        for text in rest:
            yield _line(line)
            line = []
            _put(line, token, text)
    yield _line(line)


def _put(line: list[TokenView], token: TokenView, text: str) -> None:
    if text:
        line.append(msgspec.structs.replace(token, text=text))


def _line(tokens: Sequence[TokenView]) -> Line:
    """The line of these tokens, the first of which may begin with its indentation."""
    if not tokens:
        return Line(0, ())
    first = tokens[0]
    text = first.text.lstrip(" ")
    indent = len(first.text) - len(text)
    rest = tokens[1:]
    return Line(indent, (msgspec.structs.replace(first, text=text), *rest) if text else (*rest,))


def _joined(lines: Sequence[Line]) -> Iterator[TokenView]:
    base = lines[0].indent
    for number, line in enumerate(lines):
        if number:
            yield TokenView(text="\n" + " " * max(0, line.indent - base))
        yield from line.tokens
