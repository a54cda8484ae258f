"""Tokens: the one stream from which text, HTML, hover and click-to-node come."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple, TypeAlias

from workbench.ir import Var
from workbench.script.names import Names
from workbench.support.ids import NodeId

Style: TypeAlias = Literal[
    "plain", "keyword", "name", "number", "string", "comment", "type", "operator"
]


class Token(NamedTuple):
    """A piece of script; `function` and `node` say which value or block it names, if any."""

    text: str
    style: Style = "plain"
    function: str | None = None
    node: NodeId | None = None


def text_of(tokens: Iterable[Token]) -> str:
    """The plain text of a token stream."""
    return "".join([token.text for token in tokens])


class Writer:
    """Collects tokens; knows the indentation, the function and the names in scope."""

    def __init__(self, *, ids: bool = False) -> None:
        self.tokens: list[Token] = []
        self.depth = 0
        self.function: str | None = None
        self.ids = ids
        self.names = Names(ids=ids)

    def enter(self, function: str, names: Names) -> None:
        """Start a function: following tokens belong to it."""
        self.function, self.names = function, names

    def line(self) -> None:
        """Start a line at the current depth."""
        self.tokens.append(Token("    " * self.depth))

    def end(self) -> None:
        """End the line."""
        self.tokens.append(Token("\n"))

    def put(self, text: str, style: Style = "plain", node: NodeId | None = None) -> None:
        """Append one token."""
        self.tokens.append(Token(text, style, self.function, node))

    def use(self, var: Var) -> None:
        """The name of a variable that is in scope."""
        self.tokens.append(Token(self.names.of(var), "name", self.function, var.id))

    def define(self, var: Var) -> None:
        """The name of a variable that comes into scope here."""
        self.tokens.append(Token(self.names.define(var), "name", self.function, var.id))
