"""The parser: scripts as modules and functions. It evaluates no Python.

All faults of a script are reported together. Reference: `tvm.script.parser`.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, replace

from workbench.ir import (
    ConstantPool,
    Function,
    GraphFunction,
    IRModule,
    externals,
    with_externals,
)
from workbench.script.carry import carry_function, carry_module
from workbench.script.read_module import ModuleReader
from workbench.script.source import Report
from workbench.support.diagnostics import CompileError, Diagnostic
from workbench.support.spans import Span

_TOO_DEEP = Diagnostic("script/too-deep", "an expression or suite is nested too deeply")


def parse(
    text: str,
    *,
    like: IRModule | None = None,
    namespace: Mapping[str, object] | None = None,
    filename: str = "<script>",
) -> IRModule:
    """The module that a script describes: a class of functions, or functions alone.

    Args:
        text: the script, in any of the three generations of the dialect.
        like: a module whose constants the script may name and whose ids it keeps: a value keeps
            its id where it is the same value, by name and by structure.
        namespace: Python values that shapes, dtypes, attributes and constants may use by name.
        filename: what spans name as their source.

    Raises:
        CompileError: with all faults, codes `script/...`, `op/...` and `type/...`.
    """
    pool = like.pool if like is not None else ConstantPool()
    module = read_script(Report(text, filename), text, pool, namespace or {}).module
    return carry_module(module, like) if like is not None else module


def parse_into(
    text: str,
    module: IRModule,
    *,
    namespace: Mapping[str, object] | None = None,
    filename: str = "<script>",
) -> IRModule:
    """`module` with the functions of a script in place of those of the same name, or added.

    They may call the module's functions and name its constants; ids are kept as in `parse`.

    Raises:
        CompileError: as `parse`.
    """
    report = Report(text, filename)
    read = read_script(report, text, module.pool, namespace or {}, module)
    carried = replace(carry_module(read.module, module), name=module.name, attrs=module.attrs)
    return with_externals(carried, externals(read.module))


def parse_function(
    text: str,
    *,
    like: Function | None = None,
    module: IRModule | None = None,
    namespace: Mapping[str, object] | None = None,
    filename: str = "<script>",
) -> tuple[str, Function]:
    """The name and the function that a script with one function describes.

    Args:
        text: the script, `@T.prim_func` or `@R.function`.
        like: the function whose ids the new one keeps.
        module: has the functions that a graph function may call, and its constants.
        namespace: as in `parse`.
        filename: as in `parse`.

    Raises:
        CompileError: with all faults; `script/one-function` if there is not exactly one,
            `script/new-constant` if it brings constants (`parse_into` takes those).
    """
    pool = module.pool if module is not None else ConstantPool()
    read = read_script(Report(text, filename), text, pool, namespace or {}, module)
    if len(read.own) != 1:
        message = f"expected one function, found {len(read.own)}"
        raise CompileError(Diagnostic("script/one-function", message))
    (name,) = read.own
    function = read.module[name]
    if isinstance(function, GraphFunction) and set(read.module.pool) - set(pool):
        raise CompileError(
            Diagnostic(
                "script/new-constant",
                f"`{name}` has constants that the module has not",
                hint="`parse_into(text, module)` adds them",
            )
        )
    return name, carry_function(name, function, like) if like is not None else function


@dataclass(frozen=True, slots=True)
class Script:
    """What was read: a module with ids of its own, and which functions the text itself defines."""

    module: IRModule
    own: tuple[str, ...]


def read_script(
    report: Report,
    text: str,
    pool: ConstantPool,
    namespace: Mapping[str, object],
    surroundings: IRModule | None = None,
) -> Script:
    """Read a script; it may call the functions of `surroundings`.

    Raises:
        CompileError: as `parse`.
    """
    tree = ast.Module([], [])
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        report.add(_syntax_fault(report, error))
    except (RecursionError, MemoryError):
        report.add(_TOO_DEEP)
    except ValueError as error:
        report.add(Diagnostic("script/syntax", f"this is not Python: {error}"))
    report.finish()
    return read_tree(report, tree, pool, namespace, surroundings)


def read_tree(
    report: Report,
    tree: ast.Module,
    pool: ConstantPool,
    namespace: Mapping[str, object],
    surroundings: IRModule | None = None,
    *,
    may_call: bool = False,
) -> Script:
    """Read a script from its syntax tree; `may_call` where it stands in code that runs.

    Raises:
        CompileError: as `parse`.
    """
    reader = ModuleReader(report, pool, namespace, surroundings)
    reader.context.may_call = may_call
    module = IRModule()
    try:
        module = reader.read(tree)
    except RecursionError:
        report.add(_TOO_DEEP)
    report.finish()
    return Script(module, tuple(n for n, e in reader.entries.items() if e.node is not None))


def _syntax_fault(report: Report, error: SyntaxError) -> Diagnostic:
    if error.lineno is None:
        return Diagnostic("script/syntax", f"this is not Python: {error.msg}")
    column = max(0, (error.offset or 1) - 1)
    end = max(column + 1, (error.end_offset or 0) - 1)
    span = Span(report.filename, error.lineno, column, error.lineno, end)
    message = (error.msg or "invalid syntax").split(" (")[0]
    return Diagnostic("script/syntax", f"this is not Python: {message}", span=span)
