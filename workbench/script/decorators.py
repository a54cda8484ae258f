"""The dialects as Python objects: `@I.ir_module`, `@T.prim_func`, `@R.function` in cells and files.

Python runs only the decorators and the annotations; bodies are read from the source text.
The text comes from the file or the notebook cell. Names that a script does not define may stand for
Python values: numbers in shapes, strings as dtypes, arrays as constants.
"""

from __future__ import annotations

import ast
import functools
import linecache
import sys
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from types import FrameType, FunctionType
from typing import Any

from workbench.ir import ConstantPool, GraphFunction, IRModule, TensorFunction
from workbench.ir.dtypes import DTYPES
from workbench.script.parser import Script, read_tree
from workbench.script.scope import Dialect
from workbench.script.source import Report
from workbench.script.vocabulary import FUNCTION_FORMS, INTRINSICS
from workbench.support.diagnostics import CompileError, Diagnostic


class Word:
    """A word of a dialect outside a script, as in an annotation: only a name."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __call__(self, *_args: object, **_keywords: object) -> Word:
        """The word itself: what it is called with matters in scripts only."""
        return self

    def __getitem__(self, _index: object) -> Word:
        return self

    def __getattr__(self, name: str) -> Word:
        if name.startswith("__"):
            raise AttributeError(name)
        return Word(f"{self._text}.{name}")

    def __repr__(self) -> str:
        return self._text


class _Words(Dialect):
    """A dialect: every name is a word of it."""

    words: tuple[str, ...] = ()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        if name.startswith("_"):
            raise AttributeError(name)
        return Word(f"{self.dialect}.{name}")

    def __dir__(self) -> list[str]:
        return sorted((*super().__dir__(), *self.words))

    def __repr__(self) -> str:
        return f"<dialect {self.dialect} of the script language>"


class ModuleDialect(_Words):
    """`I`: modules."""

    words = ("ir_module", "module_attrs")

    def ir_module(self, cls: type | None = None, *, check_well_formed: bool = True) -> Any:  # noqa: ANN401
        """The module that a class of `@T.prim_func` and `@R.function` functions describes.

        `check_well_formed` is accepted for scripts written for TVM.

        Raises:
            CompileError: as `parse`; `script/no-source` if the text of the class is not to be had.
        """
        del check_well_formed
        if cls is None:
            return functools.partial(_read_class, sys._getframe(1))  # pyright: ignore[reportPrivateUsage]
        return _read_class(sys._getframe(1), cls)  # pyright: ignore[reportPrivateUsage]


class TensorDialect(_Words):
    """`T`: tensor functions."""

    words = (
        *("prim_func", "Buffer", "handle", "sblock", "block", "axis", "init", "reads", "writes"),
        *("grid", "serial", "parallel", "vectorized", "unroll", "thread_binding", "where", "Cast"),
        *("func_attr", "sblock_attr", "sblock_alloc_buffer", "alloc_buffer", "match_buffer", "let"),
        *("Select", "if_then_else", "evaluate"),
        *DTYPES,
        *INTRINSICS,
        *FUNCTION_FORMS,
    )

    def prim_func(self, function: Callable[..., object] | None = None, **options: bool) -> Any:  # noqa: ANN401
        """The `TensorFunction` that a Python function describes; a module class reads its own.

        Raises:
            CompileError: as `parse`; `script/no-source` if its text is not to be had.
        """
        del options
        frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
        if function is None:
            return functools.partial(_read_function, frame, TensorFunction)
        return _read_function(frame, TensorFunction, function)


class GraphDialect(_Words):
    """`R`: graph functions."""

    words = (
        *("function", "Tensor", "Tuple", "Shape", "Any", "dataflow", "output", "const"),
        *("call_tir", "call_tir_inplace", "emit_te"),
        *("call_dps_packed", "call_packed", "call_pure_packed", "match_cast", "shape", "tuple"),
        *("str", "prim_value", "func_attr"),
    )

    def function(self, function: Callable[..., object] | None = None, **options: bool) -> Any:  # noqa: ANN401
        """The `GraphFunction` that a Python function describes; a module class reads its own.

        Raises:
            CompileError: as `parse`; `script/no-source` if its text is not to be had;
                `script/new-constant` if it has constants, which only a module can hold.
        """
        del options
        frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
        if function is None:
            return functools.partial(_read_function, frame, GraphFunction)
        return _read_function(frame, GraphFunction, function)


I = ModuleDialect("I")  # noqa: E741
T = TensorDialect("T")
R = GraphDialect("R")


def _read_class(frame: FrameType, cls: type) -> IRModule:
    return _read(frame, cls.__name__, ast.ClassDef, frame.f_lineno).module


def _read_function(frame: FrameType, kind: type, function: Callable[..., object]) -> object:
    """The function read from its text, or itself where the decorator of its class will read it."""
    if not isinstance(function, FunctionType):
        message = f"expected a Python function, found a `{type(function).__name__}`"
        raise CompileError(Diagnostic("script/decorator", message))
    owner = function.__qualname__.rpartition(".")[0]
    if owner and not owner.endswith("<locals>"):
        return function
    line = function.__code__.co_firstlineno
    script = _read(frame, function.__name__, ast.FunctionDef, line)
    found = script.module[function.__name__]
    if kind is GraphFunction and script.module.pool:
        raise CompileError(
            Diagnostic(
                "script/new-constant",
                f"`{function.__name__}` has constants, which only a module can hold",
                hint="put it into a class under `@I.ir_module`",
            )
        )
    return found


def _read(
    frame: FrameType, name: str, kind: type[ast.ClassDef | ast.FunctionDef], line: int
) -> Script:
    filename = frame.f_code.co_filename
    linecache.checkcache(filename)
    text = "".join(linecache.getlines(filename, frame.f_globals))
    node = next((n for n in _definitions(text) if _is_at(n, name, kind, line)), None)
    if node is None:
        raise CompileError(
            Diagnostic(
                "script/no-source",
                f"the source text of `{name}` is not to be had",
                hint="`parse(text)` reads a string",
            )
        )
    namespace: Mapping[str, object] = ChainMap(dict(frame.f_locals), frame.f_globals)
    tree, report = ast.Module([node], []), Report(text, filename)
    may_call = kind is ast.ClassDef  # a function alone has no place for the ones that it makes
    return read_tree(report, tree, ConstantPool(), namespace, may_call=may_call)


@functools.lru_cache(maxsize=4)
def _definitions(text: str) -> tuple[ast.ClassDef | ast.FunctionDef, ...]:
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return ()
    return tuple(_walk(tree))


def _walk(tree: ast.AST) -> Iterator[ast.ClassDef | ast.FunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node


def _is_at(node: ast.ClassDef | ast.FunctionDef, name: str, kind: type, line: int) -> bool:
    """Whether a definition is the one that is being decorated on `line`."""
    first = min((d.lineno for d in node.decorator_list), default=node.lineno)
    inside = first <= line <= (node.end_lineno or line)
    return isinstance(node, kind) and node.name == name and inside
