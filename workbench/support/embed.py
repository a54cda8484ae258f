"""Embedding code of a notebook cell into a script: classes, functions, constants, imports."""

from __future__ import annotations

import ast
import builtins
import inspect
import linecache
import symtable
import sys
import textwrap
import types
from collections.abc import Iterator
from typing import Any

from workbench.support.diagnostics import CompileError, Diagnostic

PLAIN = (int, float, str, bytes, bool, type(None))


class Definitions:
    """Collects what a script has to define or import so that some classes work."""

    def __init__(self) -> None:
        self._modules: set[str] = set()
        self._members: dict[str, set[str]] = {}
        self._code: dict[str, str] = {}
        self._open: set[str] = set()

    def add(self, item: Any) -> None:  # noqa: ANN401
        """Make `item` (a class or a function) known under its name.

        Raises:
            CompileError: `session/recipe-code` for what has no source, by name.
        """
        self._add(item.__name__, item)

    def import_module(self, module: str, name: str = "") -> None:
        """Import a module, under another name if one is given."""
        self._modules.add(f"import {_renamed(module, name)}")

    def imports(self) -> list[str]:
        """Import lines, one for each module, sorted."""
        members = sorted(self._members.items())
        lines = [f"from {home} import {', '.join(sorted(names))}" for home, names in members]
        return [*sorted(self._modules), *lines]

    def code(self) -> list[str]:
        """Definitions, each after what it needs, with blank lines."""
        lines: list[str] = []
        for text in self._code.values():
            lines += ["", *text.splitlines(), ""]
        return [*lines, ""] if lines else []

    def _add(self, name: str, item: Any) -> None:  # noqa: ANN401
        if name in self._code or name in self._open:
            return
        if isinstance(item, types.ModuleType):
            self.import_module(item.__name__, name)
            return
        if isinstance(item, PLAIN) or _plain_container(item):
            self._code[name] = f"{name} = {item!r}"
            return
        home = home_of(item)
        if home:
            member = _renamed(item.__name__, name)
            self._members.setdefault(_public(home, item), set()).add(member)
            return
        self._embed(name, item)

    def _embed(self, name: str, item: Any) -> None:  # noqa: ANN401
        self._open.add(name)
        source = source_text(item)
        if source is None:
            raise CompileError(
                Diagnostic(
                    "session/recipe-code",
                    f"`{name}` has no source text to put into a script",
                    hint="define it in a cell or in a module that can be imported",
                )
            )
        space = _globals_of(item)
        for used in _names(source):
            if used != name and used in space:
                self._add(used, space[used])
        self._code[name] = source
        self._open.discard(name)


def home_of(item: Any) -> str:  # noqa: ANN401
    """The module that a class or function can be imported from by its name; empty for none.

    Functions written in C may not know their module: loaded packages are asked for those.
    """
    home = getattr(item, "__module__", None)
    if isinstance(home, str):
        return home if _importable(home, item) else ""
    name = getattr(item, "__name__", "")
    packages = sorted(key for key in sys.modules if "." not in key and not key.startswith("_"))
    found = (key for key in packages if vars(sys.modules[key]).get(name) is item)
    return next((key for key in found if _importable(key, item)), "")


def _public(home: str, item: Any) -> str:  # noqa: ANN401
    """The outermost package around `home` that offers the same thing under the same name."""
    parts = home.split(".")
    outer = (".".join(parts[:end]) for end in range(1, len(parts)))
    return next((package for package in outer if _importable(package, item)), home)


def _renamed(real: str, name: str) -> str:
    return real if name in ("", real) else f"{real} as {name}"


def source_text(item: Any) -> str | None:  # noqa: ANN401
    """The source of a class or function with its decorators; also of classes defined in a cell."""
    if isinstance(item, type):
        return _class_source(item)
    try:
        return textwrap.dedent(inspect.getsource(item)).rstrip()
    except (OSError, TypeError):
        return None


def _class_source(item: type) -> str | None:
    """`inspect` does not find classes of a cell in every Python; their methods know the file."""
    for member in vars(item).values():
        code = getattr(inspect.unwrap(member), "__code__", None) if callable(member) else None
        if code is None or code.co_filename.startswith("<string"):
            continue
        lines = linecache.getlines(code.co_filename)
        found = _find_class("".join(lines), item.__name__, code.co_firstlineno)
        if found is not None:
            return found
    return None


def _find_class(text: str, name: str, line: int) -> str | None:
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name == name:
            end = node.end_lineno or node.lineno
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            if first <= line <= end:
                return textwrap.dedent("\n".join(text.splitlines()[first - 1 : end]))
    return None


def _globals_of(item: Any) -> dict[str, Any]:  # noqa: ANN401
    if isinstance(item, type):
        module = sys.modules.get(item.__module__)
        return vars(module) if module is not None else {}
    return getattr(inspect.unwrap(item), "__globals__", {})


def _names(source: str) -> list[str]:
    """Names that the source reads and Python does not define, in order."""
    read = set(_global_reads(symtable.symtable(source, "<source>", "exec")))
    found = (n.id for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Name))
    return [n for n in dict.fromkeys(found) if n in read and not hasattr(builtins, n)]


def _global_reads(table: symtable.SymbolTable) -> Iterator[str]:
    """Names read from the surroundings: no parameters, no variables of functions."""
    outermost = table.get_type() == "module"
    for symbol in table.get_symbols():
        if symbol.is_referenced() and (outermost or symbol.is_global()):
            yield symbol.get_name()
    for inner in table.get_children():
        yield from _global_reads(inner)


def _importable(home: str, item: Any) -> bool:  # noqa: ANN401
    if home in {"__main__", "builtins"}:
        return False
    module = sys.modules.get(home)
    name = getattr(item, "__name__", "")
    has_file = getattr(module, "__file__", None) is not None
    return has_file and getattr(module, name, None) is item


def _plain_container(item: Any) -> bool:  # noqa: ANN401
    if isinstance(item, tuple | list | frozenset | set):
        return all(isinstance(x, PLAIN) or _plain_container(x) for x in item)  # pyright: ignore[reportUnknownVariableType]
    if isinstance(item, dict):
        return all(isinstance(k, PLAIN) and isinstance(v, PLAIN) for k, v in item.items())  # pyright: ignore[reportUnknownVariableType]
    return False


def literal_text(text: str) -> str:
    """A Python literal for a text; one line of source for each of its lines where that is exact."""
    if '"""' in text or "\\" in text or "\r" in text or text.endswith('"'):
        return repr(text)
    return f'"""\\\n{text}"""'
