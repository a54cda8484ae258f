"""Script text as tokens whose nodes are keys."""

from __future__ import annotations

from collections.abc import Iterable

from workbench.ir import Function, IRModule
from workbench.script import function_tokens, tokens
from workbench.script.tokens import Token
from workbench.view.protocol import TokenView


def module_tokens(module: IRModule) -> list[TokenView]:
    """The script of a module."""
    return token_views(tokens(module))


def function_text(name: str, function: Function, module: IRModule) -> list[TokenView]:
    """The script of one function."""
    return token_views(function_tokens(name, function, module))


def token_views(stream: Iterable[Token]) -> list[TokenView]:
    """Tokens for the view; neighbours that look the same and name nothing are joined."""
    result: list[TokenView] = []
    for token in stream:
        node = f"{token.function}/{token.node}" if token.node is not None else None
        last = result[-1] if result else None
        if last is not None and node is None and last.node is None and last.style == token.style:
            result[-1] = TokenView(text=last.text + token.text, style=token.style)
        else:
            result.append(TokenView(text=token.text, style=token.style, node=node))
    return result


def plain_text(views: Iterable[TokenView]) -> str:
    """The text of tokens."""
    return "".join(view.text for view in views)
