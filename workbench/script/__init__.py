"""The script language: printer, parser, files, decorators."""

from workbench.script.decorators import I, R, T
from workbench.script.parser import parse, parse_function, parse_into
from workbench.script.printer import (
    function_tokens,
    print_function,
    print_module,
    tokens,
)
from workbench.script.saved import load_saved, save
from workbench.script.tokens import Style, Token, text_of

__all__ = [
    "I",
    "R",
    "Style",
    "T",
    "Token",
    "function_tokens",
    "load_saved",
    "parse",
    "parse_function",
    "parse_into",
    "print_function",
    "print_module",
    "save",
    "text_of",
    "tokens",
]
