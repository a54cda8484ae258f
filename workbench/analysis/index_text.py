"""Index maps as text: a `lambda` of `+ - * // %` over its arguments. Nothing is evaluated."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

from workbench.ir import Binary, BinaryOp, IntImm, PrimExpr, Var, binary
from workbench.support import CompileError, Diagnostic

_OPERATORS: dict[type[ast.operator], BinaryOp] = {
    ast.Add: BinaryOp.ADD,
    ast.Sub: BinaryOp.SUB,
    ast.Mult: BinaryOp.MUL,
    ast.FloorDiv: BinaryOp.FLOORDIV,
    ast.Mod: BinaryOp.FLOORMOD,
}
_LEVEL = {
    BinaryOp.ADD: 1,
    BinaryOp.SUB: 1,
    BinaryOp.MUL: 2,
    BinaryOp.FLOORDIV: 2,
    BinaryOp.FLOORMOD: 2,
}
_LIMIT = 2**62

Build = Callable[[Sequence[Var]], tuple[PrimExpr, ...]]


def read_lambda(text: str) -> tuple[list[str], Build]:
    """The argument names of `lambda i, j: (...)`, and what makes the indices of variables.

    Raises:
        CompileError: `index-map/not-a-map`.
    """
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError):
        raise _fault(text, "it is no expression") from None
    if not isinstance(node, ast.Lambda):
        raise _fault(text, "it is no `lambda`")
    given = node.args
    if given.vararg or given.kwarg or given.kwonlyargs or given.defaults or given.posonlyargs:
        raise _fault(text, "its arguments must be plain names")
    names = [argument.arg for argument in given.args]
    items = node.body.elts if isinstance(node.body, ast.Tuple | ast.List) else [node.body]

    def build(variables: Sequence[Var]) -> tuple[PrimExpr, ...]:
        known: dict[str, PrimExpr] = dict(zip(names, variables, strict=True))
        return tuple(_read(text, item, known) for item in items)

    return names, build


def index_text(expr: PrimExpr, level: int = 0) -> str:
    """An index expression as Python.

    Raises:
        CompileError: `index-map/not-a-map` where it is no index arithmetic.
    """
    match expr:
        case Var(name=name):
            return name
        case IntImm(value=value):
            return f"({value})" if value < 0 and level > 0 else str(value)
        case Binary(op=op, a=a, b=b) if op in _LEVEL:
            own = _LEVEL[op]
            shown = f"{index_text(a, own)} {op.value} {index_text(b, own + 1)}"
            return f"({shown})" if own < level else shown
        case _:
            raise _fault(type(expr).__name__, "an index map is made of `+ - * // %`")


def _read(text: str, node: ast.expr, known: dict[str, PrimExpr]) -> PrimExpr:
    match node:
        case ast.Name(id=name) if name in known:
            return known[name]
        case ast.Name(id=name):
            raise _fault(text, f"`{name}` is none of its arguments")
        case ast.Constant(value=int() as value) if type(value) is int and value < _LIMIT:
            return IntImm(value)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return binary(BinaryOp.SUB, IntImm(0), _read(text, operand, known))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return binary(_OPERATORS[type(op)], _read(text, left, known), _read(text, right, known))
        case _:
            raise _fault(text, f"`{ast.unparse(node)[:40]}` is no index arithmetic")


def _fault(text: str, why: str) -> CompileError:
    return CompileError(
        Diagnostic(
            "index-map/not-a-map",
            f"`{text[:80]}` is no index map: {why}",
            hint="write it as `lambda i, j: (i // 16, j, i % 16)`",
        )
    )
