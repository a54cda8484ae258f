"""Scopes: one tensor function under a schedule, its places by name, and how to change it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import pairwise
from typing import Literal, TypeVar

from workbench.analysis.dependence import Dependences, dependences
from workbench.ir import (
    Allocate,
    Block,
    For,
    If,
    IRModule,
    Let,
    PrimExpr,
    Seq,
    Stmt,
    TensorFunction,
    Type,
    Var,
    While,
    free_vars,
    walk,
)
from workbench.support import CompileError, Diagnostic, IdSource, NodeId
from workbench.support.identity_memo import IdentityMemo
from workbench.support.spelling import near

P = TypeVar("P", For, Block, Var)


class Scope:
    """A tensor function as one primitive sees it.

    Places are named as in the script: a loop `i`, or `C.i` for the loop `i` around block `C`, or
    `i#2` for the second loop of that name in program order; a block `C` or `C#2`; a buffer `A`.
    Never changes the function; `replaced` gives a new one.
    """

    def __init__(self, name: str, function: TensorFunction) -> None:
        self.name = name
        self.function = function
        self.ids = IdSource(function.next_id)
        self._nests: dict[NodeId, Dependences] = {}

    @staticmethod
    def of(module: IRModule, name: str) -> Scope:
        """The scope of a tensor function; an empty name stands for the only one.

        Raises:
            CompileError: `schedule/which-function`, `module/unknown-function`.
        """
        names = list(module.tensor_functions)
        if not name and len(names) == 1:
            return Scope(names[0], module.tensor_functions[names[0]])
        found = module[name] if name else None
        if isinstance(found, TensorFunction):
            return Scope(name, found)
        raise CompileError(
            Diagnostic(
                "schedule/which-function",
                f"`{name}` is no tensor function of the module"
                if name
                else f"the module has `{len(names)}` tensor functions, expected one",
                notes=(f"there are {_listed(names)}",),
                hint=_which(name, names),
            )
        )

    @property
    def dependences(self) -> Dependences:
        """The dependences of the function; computed once for a function."""
        return dependences(self.function)

    def dependences_around(self, loop: For) -> Dependences:
        """The dependences of the nest that a loop is in: of the outermost loop around it.

        For questions about what is inside of a loop, which what stands beside cannot change.
        """
        path = (*self.paths[loop.var.id], loop)
        first, nest = next((n, stmt) for n, stmt in enumerate(path) if isinstance(stmt, For))
        if first <= 1:
            return self.dependences_holding((nest,))
        if nest.var.id not in self._nests:
            body: Stmt = nest
            for stmt, below in reversed(list(pairwise(path[: first + 1]))):
                body = body if isinstance(stmt, Seq) else replace_statement(stmt, below, body)
            self._nests[nest.var.id] = dependences(self.with_body(body))
        return self._nests[nest.var.id]

    def dependences_holding(self, stmts: Collection[Stmt]) -> Dependences:
        """The dependences of what stands at the top of the function, of `stmts` alone."""
        return dependences(self.holding(stmts))

    def holding(self, stmts: Collection[Stmt]) -> TensorFunction:
        """The function with what stands at its top among `stmts` alone; computed once for it.

        For questions about what is inside of these, as of a path of statements.
        """
        function, body = self.function, self.function.body
        items = body.body if isinstance(body, Seq) else (body,)
        known = set(map(id, stmts))
        kept = tuple(item for item in items if id(item) in known)
        if not kept or len(kept) == len(items):
            return function
        return _PARTS.get(
            function,
            lambda: replace(function, body=sequence(kept)),
            tuple(map(id, kept)),
        )

    # --- places ------------------------------------------------------------------------------

    @cached_property
    def _enclosed(self) -> tuple[tuple[Stmt, tuple[Stmt, ...]], ...]:
        """Every statement with what encloses it, in program order."""
        return _ENCLOSED.get(self.function, lambda: tuple(enclosed(self.function.body)))

    @cached_property
    def paths(self) -> dict[NodeId, tuple[Stmt, ...]]:
        """What encloses each loop (by its variable's id) and block, outermost first."""
        found: dict[NodeId, tuple[Stmt, ...]] = {}
        for stmt, path in self._enclosed:
            if isinstance(stmt, For):
                found[stmt.var.id] = path
            elif isinstance(stmt, Block):
                found[stmt.id] = path
        return found

    @cached_property
    def loops(self) -> tuple[For, ...]:
        """All loops in program order."""
        return tuple(s for s, _ in self._enclosed if isinstance(s, For))

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """All blocks in program order."""
        return tuple(s for s, _ in self._enclosed if isinstance(s, Block))

    @cached_property
    def buffers(self) -> tuple[Var, ...]:
        """Parameters, then buffers of the body, in program order."""
        inner: list[Var] = []
        for stmt, _ in self._enclosed:
            if isinstance(stmt, Allocate):
                inner.append(stmt.buffer)
            elif isinstance(stmt, Block):
                inner += stmt.allocations
                inner += (match.buffer for match in stmt.match_buffers)
        return (*self.function.params, *self.function.allocations, *inner)

    def loop(self, name: str) -> For:
        """The loop of that name.

        Raises:
            CompileError: `schedule/no-such-loop`, `schedule/ambiguous-name`.
        """
        block, _, plain = name.rpartition(".")
        there = self.loops_around(self.block(block).id) if block else self.loops
        found = _pick([x for x in there if x.var.name == plain.partition("#")[0]], plain)
        if not isinstance(found, int):
            return found
        if found > 1:
            names = tuple(self.label(x) for x in there if x.var.name == plain)
            raise self._ambiguous("loop", name, names)
        raise self._absent("schedule/no-such-loop", "loop", name, [self.label(x) for x in there])

    def block(self, name: str) -> Block:
        """The block of that name.

        Raises:
            CompileError: `schedule/no-such-block`, `schedule/ambiguous-name`.
        """
        found = _pick([b for b in self.blocks if b.name == name.partition("#")[0]], name)
        if not isinstance(found, int):
            return found
        names = [self.label(b) for b in self.blocks]
        if found > 1:
            raise self._ambiguous("block", name, [n for n in names if n.partition("#")[0] == name])
        raise self._absent("schedule/no-such-block", "block", name, names)

    def buffer(self, name: str) -> Var:
        """The buffer of that name.

        Raises:
            CompileError: `schedule/no-such-buffer`, `schedule/ambiguous-name`.
        """
        found = [b for b in self.buffers if b.name == name.partition("#")[0]]
        picked = _pick(found, name)
        if not isinstance(picked, int):
            return picked
        if picked > 1:
            names = [f"{name}#{n + 1}" for n in range(len(found))]
            raise self._ambiguous("buffer", name, names)
        names = [b.name for b in self.buffers]
        raise self._absent("schedule/no-such-buffer", "buffer", name, names)

    def node(self, place: NodeId, what: Literal["loop", "block"] = "loop") -> For | Block:
        """The loop whose variable, or the block that, has this id; `what` it is expected to be.

        Raises:
            CompileError: `schedule/no-such-loop`, `schedule/no-such-block` where it is gone.
        """
        for stmt in (*self.loops, *self.blocks):
            if place_id(stmt) == place:
                return stmt
        raise CompileError(
            Diagnostic(
                f"schedule/no-such-{what}",
                f"the {what} is gone: another primitive replaced it",
                node=place,
                function=self.name,
                hint=f"take the ones that the primitive gave, or `get_{what}s` again",
            )
        )

    def label(self, stmt: For | Block) -> str:
        """The shortest name that finds a loop or block again."""
        if isinstance(stmt, Block):
            return _numbered(stmt, [b for b in self.blocks if b.name == stmt.name], stmt.name)
        same = [x for x in self.loops if x.var.name == stmt.var.name]
        if len(same) == 1:
            return stmt.var.name
        under = [b for b in walk_statements(stmt) if isinstance(b, Block)]
        for block in under:
            name = f"{self.label(block)}.{stmt.var.name}"
            if sum(x.var.name == stmt.var.name for x in self.loops_around(block.id)) == 1:
                return name
        return _numbered(stmt, same, stmt.var.name)

    def loops_around(self, place: NodeId) -> tuple[For, ...]:
        """The loops around a loop or block, outermost first."""
        return tuple(s for s in self.paths[place] if isinstance(s, For))

    def chain(self, loop: For) -> tuple[For, ...]:
        """The perfect nest that `loop` begins: each loop holds just the next one."""
        found = [loop]
        while isinstance(found[-1].body, For):
            found.append(found[-1].body)
        return tuple(found)

    def parent(self, place: NodeId) -> Stmt | None:
        """The statement directly around a loop or block, None at the top."""
        path = self.paths[place]
        return path[-1] if path else None

    def _ambiguous(self, what: str, name: str, names: Sequence[str]) -> CompileError:
        return CompileError(
            Diagnostic(
                "schedule/ambiguous-name",
                f"there are several {what}s `{name}`",
                function=self.name,
                notes=(f"there are {_listed(names)}",),
            )
        )

    def _absent(self, code: str, what: str, name: str, names: Sequence[str]) -> CompileError:
        return CompileError(
            Diagnostic(
                code,
                f"no {what} `{name}`",
                function=self.name,
                notes=(f"there are {_listed(names)}",),
                hint=near(name, names),
            )
        )

    def no_place(self, name: str) -> CompileError:
        """An error for a name that neither a loop nor a block has."""
        loops, blocks = [self.label(x) for x in self.loops], [self.label(b) for b in self.blocks]
        return CompileError(
            Diagnostic(
                "schedule/no-such-block",
                f"no block or loop `{name}`",
                function=self.name,
                notes=(f"there are blocks {_listed(blocks)}", f"there are loops {_listed(loops)}"),
                hint=near(name, (*blocks, *loops)),
            )
        )

    # --- changing ----------------------------------------------------------------------------

    def fresh(self, name: str, type_: Type) -> Var:
        """A new variable; its name is free in the function."""
        return Var(self.ids.new(), self.free_name(name), type_)

    def free_name(self, name: str) -> str:
        """`name`, or the first of `name_1`, `name_2`, ... that nothing in the function has."""
        taken, count = self._taken, 0
        found = name
        while found in taken:
            count += 1
            found = f"{name}_{count}"
        taken.add(found)
        return found

    @cached_property
    def _taken(self) -> set[str]:
        """Names of loops, blocks, axes, buffers and scalars of the function."""
        found = {b.name for b in self.blocks} | {b.name for b in self.buffers}
        for stmt, _ in self._enclosed:
            if isinstance(stmt, For | Let):
                found.add(stmt.var.name)
            elif isinstance(stmt, Block):
                found.update(axis.var.name for axis in stmt.axes)
        for param in self.function.params:
            found.update(v.name for v in free_vars(param.type).values())
        return found

    def replaced(self, old: Stmt, new: Stmt | None) -> TensorFunction:
        """The function with one statement (found by identity) replaced, or dropped for None."""
        return self.with_body(replace_statement(self.function.body, old, new))

    def with_body(self, body: Stmt) -> TensorFunction:
        """The function with another body; ids handed out by `ids` are accounted for."""
        return replace(self.function, body=body, next_id=self.ids.next)


_ENCLOSED: IdentityMemo[TensorFunction, tuple[tuple[Stmt, tuple[Stmt, ...]], ...]] = IdentityMemo(
    16
)
_PARTS: IdentityMemo[TensorFunction, TensorFunction] = IdentityMemo(64)


def place_id(place: For | Block) -> NodeId:
    """The id under which a scope knows a loop, that of its variable, or a block."""
    return place.var.id if isinstance(place, For) else place.id


def enclosed(stmt: Stmt, path: tuple[Stmt, ...] = ()) -> Iterator[tuple[Stmt, tuple[Stmt, ...]]]:
    """Every statement with what encloses it, outermost first; program order, parents first."""
    pending: list[tuple[Stmt, tuple[Stmt, ...]]] = [(stmt, path)]
    while pending:
        current, around = pending.pop()
        yield current, around
        below = statements_below(current)
        inner = (*around, current)
        pending += [(child, inner) for child in reversed(below)]


def statements_below(stmt: Stmt) -> tuple[Stmt, ...]:
    """The statements directly inside a statement, in program order."""
    match stmt:
        case For(body=body) | While(body=body) | Let(body=body) | Allocate(body=body):
            return (body,)
        case Block(init=init, body=body):
            return (body,) if init is None else (init, body)
        case Seq(body=items):
            return items
        case If(then=then, otherwise=otherwise):
            return (then,) if otherwise is None else (then, otherwise)
        case _:
            return ()


def walk_statements(stmt: Stmt) -> Iterator[Stmt]:
    """`stmt` and the statements inside it, parents first; expressions are not entered."""
    return (found for found, _ in enclosed(stmt))


def defined_in(stmt: Stmt) -> set[NodeId]:
    """The buffers that live only inside of a statement."""
    found: set[NodeId] = set()
    for inner in walk_statements(stmt):
        if isinstance(inner, Allocate):
            found.add(inner.buffer.id)
        elif isinstance(inner, Block):
            found.update(buffer.id for buffer in inner.allocations)
    return found


def replace_statement(body: Stmt, old: Stmt, new: Stmt | None) -> Stmt:
    """`body` with the statement `old` (by identity) replaced; None drops it from its sequence."""
    found = _replace(body, old, new)
    return Seq(()) if found is None else found


def _replace(body: Stmt, old: Stmt, new: Stmt | None) -> Stmt | None:
    if body is old:
        return new
    match body:
        case Seq(body=items):
            changed = [_replace(item, old, new) for item in items]
            if all(a is b for a, b in zip(changed, items, strict=True)):
                return body
            return sequence([item for item in changed if item is not None])
        case If(then=then, otherwise=otherwise):
            first = _replace(then, old, new)
            second = None if otherwise is None else _replace(otherwise, old, new)
            if first is then and second is otherwise:
                return body
            return replace(body, then=Seq(()) if first is None else first, otherwise=second)
        case Block(init=init, body=inner):
            return _replace_in_block(body, init, inner, (old, new))
        case For(body=inner) | While(body=inner) | Let(body=inner) | Allocate(body=inner):
            second = _replace(inner, old, new)
            if second is inner:
                return body
            return None if second is None else replace(body, body=second)
        case _:
            return body


def _replace_in_block(
    block: Block, init: Stmt | None, body: Stmt, change: tuple[Stmt, Stmt | None]
) -> Block | None:
    """A block of which nothing is left goes, one of which its init is left stays."""
    first = None if init is None else _replace(init, *change)
    second = _replace(body, *change)
    if first is init and second is body:
        return block
    if first is None and second is None:
        return None
    return replace(block, init=first, body=Seq(()) if second is None else second)


def sequence(items: Sequence[Stmt]) -> Stmt:
    """Statements one after the other; sequences inside are flattened, a single one stands alone."""
    flat: list[Stmt] = []
    for item in items:
        flat += item.body if isinstance(item, Seq) else (item,)
    return flat[0] if len(flat) == 1 else Seq(tuple(flat))


def uses(node: PrimExpr | Stmt, var: NodeId) -> bool:
    """Whether a variable occurs in a statement or expression."""
    return any(isinstance(item, Var) and item.id == var for item in walk(node))


def _pick(found: Sequence[P], name: str) -> P | int:
    """The only one, or the n-th for `name#n`; else how many there are."""
    _, _, number = name.partition("#")
    if number.isdigit():
        return found[int(number) - 1] if 0 < int(number) <= len(found) else 0
    return found[0] if len(found) == 1 else len(found)


def _numbered(stmt: Stmt, same: Sequence[Stmt], name: str) -> str:
    if len(same) == 1:
        return name
    return f"{name}#{next(n for n, s in enumerate(same) if s is stmt) + 1}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"


def _which(name: str, names: list[str]) -> str:
    """What to write where no tensor function, or none of that name, was given."""
    if not names:
        return "apply `LegalizeOps` first, which makes tensor functions"
    return near(name, names) or f'name one, such as `"{names[0]}"`'
