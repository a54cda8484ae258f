"""Programs as docstrings sketch them: `for i in range(8): B(i) where i < n`, and whether they are.

A sketch says what matters: loops with kinds and bounds, blocks with the values of their axes, what
is stored or read. Names of loops and spelling of index arithmetic are free: expressions are
compared by their values, at the first, the last and inner iterations of all loops.
"""

from __future__ import annotations

import ast
import itertools
import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

from workbench.analysis.dependence.spelling import in_full
from workbench.ir import (
    Allocate,
    Block,
    BufferType,
    For,
    Load,
    LoopKind,
    PrimExpr,
    Seq,
    Stmt,
    Store,
    TensorFunction,
    Var,
    walk,
)

Env = dict[str, Any]
SYMBOLS: Env = {"n": 5}
KINDS = dict.fromkeys(("range", "T.grid"), LoopKind.SERIAL) | {
    f"T.{kind.value}": kind for kind in LoopKind
}
STATEMENT = re.compile(
    r"(?:(?P<name>\w+)\((?P<args>[^()]*)\))?"
    r"(?:\s*(?P<how>where|reads|updates|=|:)\s+(?P<what>.*))?$"
)


@dataclass
class Node:
    """A line of a sketch: a `for` or `with` with what is under it, or a statement."""

    text: str
    body: list[Node] = field(default_factory=list["Node"])


def lines_of(text: str) -> list[Node]:
    """The tree of a sketch, by its indentation."""
    top: list[Node] = []
    levels: list[tuple[int, list[Node]]] = [(0, top)]
    for line in _joined(textwrap.dedent(text).splitlines()):
        plain = line.partition("#")[0].rstrip() if "#" in line else line.rstrip()
        if not plain:
            continue
        depth = len(plain) - len(plain.lstrip())
        while levels[-1][0] > depth:
            levels.pop()
        head, colon, rest = _header(plain.strip())
        node = Node(head + colon)
        levels[-1][1].append(node)
        if colon and rest:
            node.body.append(Node(rest))
        elif colon:
            levels.append((depth + 1, node.body))
    return top


def _joined(lines: list[str]) -> Iterator[str]:
    """The lines, those that end inside of parentheses with what follows."""
    open_line = ""
    for line in lines:
        open_line += line if not open_line else f" {line.strip()}"
        if open_line.count("(") <= open_line.count(")"):
            yield open_line
            open_line = ""


def _header(line: str) -> tuple[str, str, str]:
    if not line.startswith(("for ", "with ")):
        return line, "", ""
    head, colon, rest = line.partition("):")
    return f"{head})", colon[1:], rest.strip()


class Buffer:
    """Elements of a buffer: a number for each index, the same for the same name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __getitem__(self, index: object) -> float:
        return (crc32(repr((self.name, index)).encode()) % 1009) / 7


class Names(dict[str, Any]):
    """Variables, functions of dtypes, and buffers for all other names."""

    def __missing__(self, name: str) -> Any:  # noqa: ANN401
        known: dict[str, Any] = {"float32": float, "int32": int, "int64": int, "T": _Script()}
        known |= {"dot4": _dot}
        return known[name] if name in known else Buffer(name)


class _Script:
    """`T.float32(0)`."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return {"float32": float, "int32": int, "dot4": _dot}[name]


def _dot(total: float, *factors: float) -> float:
    half = len(factors) // 2
    return total + sum(a * b for a, b in zip(factors[:half], factors[half:], strict=True))


def value(text: str, env: Env) -> Any:  # noqa: ANN401
    """What an expression gives."""
    return eval(compile(text.strip(), "<sketch>", "eval"), {"__builtins__": {}}, Names(env))


def differences(sketch: str, function: TensorFunction) -> Iterator[str]:
    """What of a sketch is not so in a function."""
    nodes = lines_of(sketch)
    known, inner = function.allocations, function.body
    while isinstance(inner, Allocate):
        known, inner = (*known, inner.buffer), inner.body
    for node in [node for node in nodes if "alloc_buffer" in node.text]:
        nodes.remove(node)
        yield from _allocation(node, known)
    if nodes:
        body = list(function.body.body) if isinstance(function.body, Seq) else [function.body]
        yield from _all(nodes, body, dict(SYMBOLS), dict(SYMBOLS))


def _all(nodes: list[Node], stmts: Sequence[Stmt], theirs: Env, ours: Env) -> Iterator[str]:
    while len(stmts) == 1 and isinstance(stmts[0], Allocate | Seq):
        inner = stmts[0]
        if isinstance(inner, Allocate) and nodes and "alloc_buffer" in nodes[0].text:
            yield from _allocation(nodes[0], (inner.buffer,))
            nodes = nodes[1:]
        stmts = [inner.body] if isinstance(inner, Allocate) else list(inner.body)
    if [node.text for node in nodes] == ["..."] and not stmts:
        return
    shown = [node for node in nodes if node.text != "with T.init():"]
    for node in nodes:
        if node not in shown:
            yield from _init(node, stmts, theirs, ours)
    if len(shown) != len(stmts):
        yield f"{len(shown)} statements in the sketch, {len(stmts)} in the program"
        return
    for node, stmt in zip(shown, stmts, strict=True):
        if node.text.startswith("for "):
            yield from _loop(node, stmt, theirs, ours)
        elif node.text.startswith("with T.sblock"):
            yield from _block(node, stmt, theirs, ours)
        else:
            yield from _statement(node.text, stmt, theirs, ours)


def _allocation(node: Node, known: tuple[Var, ...]) -> Iterator[str]:
    call = ast.parse(node.text).body[0]
    assert isinstance(call, ast.Assign)
    assert isinstance(call.value, ast.Call)
    name = ast.unparse(call.targets[0])
    found = next((b.type for b in known if b.name == name), None)
    scope = next((ast.literal_eval(k.value) for k in call.value.keywords), "global")
    if not isinstance(found, BufferType):
        yield f"no buffer `{name}`"
    elif (found.shape, found.scope) != (ast.literal_eval(call.value.args[0]), scope):
        yield f"`{node.text}`: it has the shape {found.shape} in {found.scope}"


def _loop(node: Node, stmt: Stmt, theirs: Env, ours: Env) -> Iterator[str]:
    head = ast.parse(f"{node.text} pass").body[0]
    assert isinstance(head, ast.For)
    assert isinstance(head.iter, ast.Call)
    names = [ast.unparse(n) for n in getattr(head.target, "elts", [head.target])]
    kind = ast.unparse(head.iter.func)
    bounds = [value(ast.unparse(arg), theirs) for arg in head.iter.args]
    ranges = [(0, b) for b in bounds] if kind == "T.grid" else [_bounds(bounds)]
    options = {k.arg: ast.literal_eval(k.value) for k in head.iter.keywords}
    body = [stmt]
    loops: list[For] = []
    for first, extent in ranges:
        loop = body[0]
        if len(body) != 1 or not isinstance(loop, For):
            yield f"`{node.text}`: no such loop"
            return
        found = _value(loop.start, ours), _value(loop.extent, ours)
        if found != (first, extent) or loop.kind is not KINDS[kind]:
            yield f"`{node.text}`: `{loop.var.name}` has {found}, {loop.kind.value}"
        if (loop.thread or "") != options.get("thread", ""):
            yield f"`{node.text}`: bound to `{loop.thread}`"
        if dict(loop.annotations) != options.get("annotations", {}):
            yield f"`{node.text}`: annotations {loop.annotations}"
        loops.append(loop)
        body = list(loop.body.body) if isinstance(loop.body, Seq) else [loop.body]
    for at in itertools.product(*(_some(*r) for r in ranges)):
        mine = ours | {loop.var.name: v for loop, v in zip(loops, at, strict=True)}
        yield from _all(node.body, body, theirs | dict(zip(names, at, strict=True)), mine)


def _bounds(numbers: list[int]) -> tuple[int, int]:
    return (0, numbers[0]) if len(numbers) == 1 else (numbers[0], numbers[1] - numbers[0])


def _some(first: int, extent: int) -> list[int]:
    return sorted({first + part for part in (0, 1, extent // 2, extent - 1) if part < extent})


def _block(node: Node, stmt: Stmt, theirs: Env, ours: Env) -> Iterator[str]:
    name = node.text.split('"')[1]
    if not isinstance(stmt, Block) or stmt.name != name:
        yield f"no block `{name}`"
        return
    axes = [n for n in node.body if "T.axis" in n.text]
    args: list[str] = []
    for axis in axes:
        names, _, call = axis.text.partition(" = ")
        parsed = ast.parse(call, mode="eval").body
        assert isinstance(parsed, ast.Call)
        args.append(ast.unparse(parsed.args[1]))
        theirs = theirs | {names: value(args[-1], theirs)}
    found = [_value(axis.value, ours) for axis in stmt.axes]
    if found != [theirs[a.text.partition(" = ")[0]] for a in axes]:
        yield f"axes of `{name}` are {found}"
    views = [n for n in node.body if "T.match_buffer" in n.text]
    yield from _views(views, stmt, theirs, ours | _axes(stmt, ours))
    rest = [n for n in node.body if n not in axes and n not in views]
    yield from _all(rest, [stmt.body], theirs, ours | _axes(stmt, ours))


def _views(nodes: list[Node], block: Block, theirs: Env, ours: Env) -> Iterator[str]:
    """Names of regions: those of the sketch, in any order."""
    found = {
        view.buffer.name: (
            view.source.buffer.name,
            [(_value(r.start, ours), _value(r.start + r.extent, ours)) for r in view.source.ranges],
            view.buffer.type,
        )
        for view in block.match_buffers
    }
    if len(nodes) != len(found):
        yield f"{len(nodes)} views in the sketch, {len(found)} in `{block.name}`"
    for node in nodes:
        call = ast.parse(node.text).body[0]
        assert isinstance(call, ast.Assign)
        assert isinstance(call.value, ast.Call)
        region, shape, dtype = call.value.args
        assert isinstance(region, ast.Subscript)
        spans = ast.unparse(region.slice).strip("()").split(",")
        ranges = [tuple(value(end, theirs) for end in span.split(":")) for span in spans]
        type_ = BufferType(ast.literal_eval(shape), ast.literal_eval(dtype))
        wanted = ast.unparse(region.value), ranges, type_
        if found.get(ast.unparse(call.targets[0])) != wanted:
            yield f"`{node.text}`: views are {found}"


def _axes(block: Block, ours: Env) -> Env:
    return {axis.var.name: _value(axis.value, ours) for axis in block.axes}


def _init(node: Node, stmts: Sequence[Stmt], theirs: Env, ours: Env) -> Iterator[str]:
    block = stmts[0]
    if not isinstance(block, Block) or block.init is None:
        yield "no init"
    else:
        inner = ours | _axes(block, ours)
        yield from _all(node.body, [block.init], theirs, inner)


def _statement(text: str, stmt: Stmt, theirs: Env, ours: Env) -> Iterator[str]:
    parts = STATEMENT.match(text)
    if parts is None or not (parts["name"] or parts["how"]):
        yield from _store(text, stmt, theirs, ours)
        return
    if not isinstance(stmt, Block) or stmt.name != parts["name"]:
        yield f"`{text}`: no such block"
        return
    inner = ours | _axes(stmt, ours)
    found = tuple(_value(axis.value, ours) for axis in stmt.axes)
    expected = value(f"({parts['args']},)", theirs) if parts["args"] else ()
    if found != expected:
        yield f"`{text}`: axes are {found}, expected {expected}"
    how, what = parts["how"], parts["what"]
    holds = stmt.predicate is None or bool(_value(stmt.predicate, inner))
    if holds != (value(what, theirs) if how == "where" else True):
        yield f"`{text}`: runs where {stmt.predicate}"
    checks: dict[str, Callable[[], Iterator[str]]] = {
        "reads": lambda: _touches(what, stmt, (Load,), theirs, inner),
        "updates": lambda: _touches(what, stmt, (Load, Store), theirs, inner),
        "=": lambda: _stores_value(what, stmt, theirs, inner),
        ":": lambda: _store(what, stmt.body, theirs, inner),
    }
    if how in checks:
        yield from checks[how]()


def _touches(
    text: str, block: Block, kinds: tuple[type, ...], theirs: Env, ours: Env
) -> Iterator[str]:
    name, _, index = text.partition("[")
    dims = [_dim(part, theirs) for part in index.rstrip("]").split(",")]
    expected = set(itertools.product(*dims))
    for kind in kinds:
        nodes = [n for n in walk(block.body) if isinstance(n, kind)]
        found = {tuple(_value(i, ours) for i in n.indices) for n in nodes if n.buffer.name == name}
        if found != expected:
            yield f"`{text}`: {found}, expected {expected}"


def _dim(text: str, env: Env) -> range:
    low, colon, high = text.partition(":")
    first = value(low, env)
    return range(first, value(high, env)) if colon else range(first, first + 1)


def _stores_value(text: str, block: Block, theirs: Env, ours: Env) -> Iterator[str]:
    if not isinstance(block.body, Store) or _value(block.body.value, ours) != value(text, theirs):
        yield f"`{text}` is not what `{block.name}` stores"


def _store(text: str, stmt: Stmt, theirs: Env, ours: Env) -> Iterator[str]:
    while isinstance(stmt, Block):
        ours = ours | _axes(stmt, ours)
        if stmt.predicate is not None and not _value(stmt.predicate, ours):
            yield f"`{text}` does not run"
        stmt = stmt.body
    parsed = ast.parse(text).body[0]
    if not isinstance(stmt, Store) or not isinstance(parsed, ast.Assign | ast.AugAssign):
        yield f"`{text}`: no such store"
        return
    target = parsed.targets[0] if isinstance(parsed, ast.Assign) else parsed.target
    result = ast.unparse(parsed.value)
    if isinstance(parsed, ast.AugAssign):
        result = f"{ast.unparse(target)} + ({result})"
    assert isinstance(target, ast.Subscript)
    place = value(f"({ast.unparse(target.slice)},)", theirs)
    place = place[0] if isinstance(place[0], tuple) else place
    found = tuple(_value(index, ours) for index in stmt.indices)
    if (stmt.buffer.name, found) != (ast.unparse(target.value), place):
        yield f"`{text}` stores to {stmt.buffer.name} {found}"
    stored, expected = _value(stmt.value, ours), value(result, theirs)
    if abs(stored - expected) > 1e-6:
        yield f"`{text}` stores {in_full(stmt.value)}"


def _value(expr: PrimExpr, env: Env) -> Any:  # noqa: ANN401
    return value(in_full(expr), env)
