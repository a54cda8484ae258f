"""The script language: printer, parser, files."""

from workbench.script.parser import parse, parse_function
from workbench.script.printer import (
    function_tokens,
    print_function,
    print_module,
    tokens,
)
from workbench.script.tokens import Style, Token, text_of

__all__ = [
    "Style",
    "Token",
    "function_tokens",
    "parse",
    "parse_function",
    "print_function",
    "print_module",
    "text_of",
    "tokens",
]
