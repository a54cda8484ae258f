"""The printer: a module or function as tokens and as text.

The text is valid Python and deterministic; `parse` gives back a structurally equal module.
Reference: `tvm.script.printer`.
"""

from __future__ import annotations

from workbench.ir import ConstantPool, Function, GraphFunction, IRModule, register_view
from workbench.script.names import Names, identifier
from workbench.script.print_graph import write_graph_function
from workbench.script.print_tensor import write_tensor_function
from workbench.script.print_types import write_attr_dict
from workbench.script.tokens import Token, Writer, text_of
from workbench.support.ids import NodeId

_HEADER = "# from workbench.script import I, R, T"


def print_module(module: IRModule, *, ids: bool = False) -> str:
    """The module as a script; `ids` appends the id to every name, for debugging.

    Constants of more than one element are named by content hash, not written out.
    """
    return text_of(tokens(module, ids=ids))


@register_view("script")
def _script(module: IRModule) -> str:
    return print_module(module)


def print_function(
    name: str, function: Function, module: IRModule | None = None, *, ids: bool = False
) -> str:
    """One function as a script; `module` has the scalar constants."""
    return text_of(function_tokens(name, function, module, ids=ids))


def tokens(module: IRModule, *, ids: bool = False) -> list[Token]:
    """The module as tokens that know which value they name."""
    w = Writer(ids=ids)
    name = identifier(module.name)
    w.put(_HEADER, "comment")
    w.put("\n\n")
    w.put("@I.ir_module", "keyword")
    w.put("\nclass ")
    w.put(name, "name")
    w.put(":\n")
    w.depth = 1
    _module_attrs(w, module)
    for position, (function_name, function) in enumerate(module.functions):
        if position or module.attrs:
            w.put("\n")
        _write(w, function_name, function, module.pool, name)
        w.function = None
    if not module.functions and not module.attrs:
        w.put("    pass\n")
    return w.tokens


def function_tokens(
    name: str, function: Function, module: IRModule | None = None, *, ids: bool = False
) -> list[Token]:
    """One function as tokens."""
    w = Writer(ids=ids)
    pool = module.pool if module else ConstantPool()
    _write(w, name, function, pool, identifier(module.name) if module else "Module")
    return w.tokens


def printed_names(name: str, function: Function) -> list[tuple[str, NodeId]]:
    """Every definition of a function in printing order: the name in the text, and the id."""
    w = Writer()
    _write(w, name, function, ConstantPool(), "Module")
    return list(w.names.defined)


def _write(w: Writer, name: str, function: Function, pool: ConstantPool, module: str) -> None:
    w.enter(name, Names(ids=w.ids, reserved=frozenset({module})))
    if isinstance(function, GraphFunction):
        write_graph_function(w, name, function, pool, module)
    else:
        write_tensor_function(w, name, function)


def _module_attrs(w: Writer, module: IRModule) -> None:
    if module.attrs:
        w.put("    I.module_attrs(")
        write_attr_dict(w, module.attrs)
        w.put(")\n")
