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
from collections.abc import Iterator, Mapping
from typing import Any

from workbench.support.diagnostics import CompileError
from workbench.support.embedded_values import PLAIN, Values, fault, has_fields, named_fault


class Definitions:
    """Collects what a script has to define or import so that some classes work."""

    def __init__(self) -> None:
        self._modules: set[str] = set()
        self._members: dict[str, set[str]] = {}
        self._code: dict[str, str] = {}
        self._items: dict[str, Any] = {}
        self._open: list[str] = []
        self._spaces: list[Mapping[str, Any]] = [{}]
        self._values = Values(self._known)

    def add(self, item: Any) -> str:  # noqa: ANN401
        """Make `item` (a class or a function) known; gives the name that it has in the script.

        Raises:
            CompileError: `session/recipe-code` for what has no source, by name.
        """
        name = own_name(item)
        if not (name.isidentifier() and is_code(item)):
            raise fault(*_why_no_name(item))
        self._add(name, item)
        return name

    def text(self, value: Any) -> str:  # noqa: ANN401
        """An expression for a value; the classes and functions in it are made known.

        Raises:
            CompileError: `session/recipe-code` for what no expression makes again, by name.
        """
        return self._values.text(value)

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

    def _known(self, value: Any) -> str:  # noqa: ANN401
        """The name in the script for a part of a value; empty where it is to be written out."""
        if isinstance(value, types.ModuleType):
            self._add(value.__name__.rpartition(".")[2], value)
            return value.__name__.rpartition(".")[2]
        if callable(value) and not has_fields(value):
            return self.add(value)
        if not has_fields(value):
            return ""
        found = (n for n, item in self._spaces[-1].items() if item is value)
        name = next((n for n in found if n.isidentifier() and n not in self._open), "")
        if name:
            self._add(name, value)
        return name

    def _add(self, name: str, item: Any) -> None:  # noqa: ANN401
        if name in self._open or self._items.get(name, self) is item:
            return
        known = name in self._items
        if known and not self._same(name, item):
            raise fault(
                f"two different things are called `{name}` in the steps",
                "give one another name before it is used",
            )
        if known:
            return
        self._open.append(name)
        try:
            self._define(name, item)
        except CompileError as error:
            if len(self._open) < 2:
                raise
            raise named_fault(error, name, self._open[-2]) from error
        finally:
            self._open.pop()
        self._items[name] = item

    def _same(self, name: str, item: Any) -> bool:  # noqa: ANN401
        """Whether it is the same code: a cell that ran twice defines equal functions."""
        known = self._items[name]
        if is_code(item) and is_code(known):
            text = source_text(item)
            return text is not None and text == source_text(known)
        return type(known) is type(item) and self.text(known) == self.text(item)

    def _define(self, name: str, item: Any) -> None:  # noqa: ANN401
        if isinstance(item, types.ModuleType):
            self.import_module(item.__name__, name)
        elif isinstance(_name(item), str) and (home := home_of(item)):
            member = _renamed(item.__name__, name)
            self._members.setdefault(_public(home, item), set()).add(member)
        elif place := _place(name, item):
            self._members.setdefault(place, set()).add(name)
        elif is_code(item):
            self._embed(name, item)
        else:
            self._code[name] = f"{name} = {self._values.parts(item)}"

    def _embed(self, name: str, item: Any) -> None:  # noqa: ANN401
        own = own_name(item)
        source = source_text(item)
        if isinstance(item, types.MethodType) or not own.isidentifier() or source is None:
            raise fault(*_why_no_name(item))
        if own != name:
            self._add(own, item)
            self._code[name] = f"{name} = {own}"
            return
        self._spaces.append(_globals_of(item))
        try:
            for used in _names(source):
                if used != name:
                    self._add_used(used)
        finally:
            self._spaces.pop()
        self._code[name] = source

    def _add_used(self, used: str) -> None:
        space = self._spaces[-1]
        if used not in space:
            raise fault(
                f"`{self._open[-1]}` uses `{used}`, a variable of the function around it or none",
                "define it outside of functions",
            )
        self._add(used, space[used])


def is_code(item: Any) -> bool:  # noqa: ANN401
    """Whether it is a class or a function: what has a name of its own."""
    return isinstance(item, type) or (callable(item) and isinstance(_name(item), str))


def own_name(item: Any) -> str:  # noqa: ANN401
    """What a class or function is called: a lambda by the variable that it is assigned to.

    `<lambda>` where there is none; objects that can be called have the name of their class.
    """
    name = _name(item)
    if name == "<lambda>":
        return next(iter(_assigned_lambda(item)), "<lambda>")
    return name if isinstance(name, str) else type(item).__name__


def _name(item: Any) -> object:  # noqa: ANN401
    return getattr(item, "__name__", None)


def _why_no_name(item: Any) -> tuple[str, str]:  # noqa: ANN401
    """Why a script cannot define it, and what to do instead."""
    name = own_name(item)
    if isinstance(item, types.MethodType):
        of = item.__self__ if isinstance(item.__self__, type) else type(item.__self__)
        text = f"`{name}` is a method of `{of.__name__}`, and a script does not have its object"
        return text, "`def` a function outside of classes that makes the object and calls it"
    if name == "<lambda>":
        text = "a `<lambda>` inside of another statement has no name in a script"
        return text, "`def` a function, or assign it first: `f = lambda ...`"
    if not is_code(item):
        text = f"an object of class `{name}` has no source text to put into a script"
        return text, "`def` a function that does the same"
    text = f"`{name}` has no source text to put into a script"
    return text, "define it in a cell or in a module that can be imported"


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


def _place(name: str, item: Any) -> str:  # noqa: ANN401
    """The module that has a value under that name; empty for none, and for numbers and texts."""
    if isinstance(item, (*PLAIN, tuple, frozenset, type, types.FunctionType, types.MethodType)):
        return ""
    modules = [key for key, module in sys.modules.items() if _has(module, name, item)]
    return min(modules, key=lambda key: (key.count("."), key), default="")


def _has(module: types.ModuleType, name: str, item: object) -> bool:
    space = getattr(module, "__dict__", {})
    outside = space.get("__name__") not in {"__main__", "builtins"}
    return outside and space.get("__file__") is not None and space.get(name) is item


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
    if _name(item) == "<lambda>":
        return next(iter(_assigned_lambda(item).values()), None)
    try:
        return textwrap.dedent(inspect.getsource(item)).rstrip()
    except (OSError, TypeError):
        return None


def _assigned_lambda(item: Any) -> dict[str, str]:  # noqa: ANN401
    """Variable and statement of a lambda that is the only one of its line, and assigned there."""
    code = getattr(item, "__code__", None)
    return dict(_lambda_at(code.co_filename, code.co_firstlineno)) if code is not None else {}


def _lambda_at(file: str, line: int) -> tuple[tuple[str, str], ...]:
    text = "".join(linecache.getlines(file))
    try:
        nodes = list(ast.walk(ast.parse(text)))
    except SyntaxError:
        return ()
    if sum(isinstance(node, ast.Lambda) and node.lineno == line for node in nodes) != 1:
        return ()
    for node in nodes:
        match node:
            case ast.Assign([ast.Name(name)], ast.Lambda(lineno=at)) if at == line:
                source = ast.get_source_segment(text, node)
                return ((name, source),) if source else ()
            case _:
                pass
    return ()


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


def literal_text(text: str) -> str:
    """A Python literal for a text; one line of source for each of its lines where that is exact."""
    if '"""' in text or "\\" in text or "\r" in text or text.endswith('"'):
        return repr(text)
    return f'"""\\\n{text}"""'
