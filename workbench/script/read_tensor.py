"""Tensor functions from Python syntax."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass

from workbench.ir import (
    Allocate,
    Block,
    BufferType,
    Evaluate,
    If,
    Let,
    PrimExpr,
    ScalarType,
    Seq,
    Stmt,
    Store,
    TensorFunction,
    Var,
    While,
    dtype_of,
    is_float,
)
from workbench.ir.dtypes import DTYPES
from workbench.ir.expr import Cast
from workbench.script.context import frozen
from workbench.script.read_blocks import (
    ALLOCATE_WORDS,
    BLOCK_WORDS,
    BlockReader,
    Frame,
    Opener,
)
from workbench.script.scope import LOST, Handle
from workbench.script.vocabulary import attribute_name
from workbench.support.spelling import near


@dataclass(frozen=True, slots=True)
class Options:
    """What the decorator says."""

    private: bool = False
    s_tir: bool = False
    pure: bool = True


class TensorReader(BlockReader):
    """Reads one tensor function."""

    def read(self, node: ast.FunctionDef, options: Options) -> TensorFunction:
        """The function that `node` defines.

        Raises:
            CompileError: `script/missing-type`, `script/signature`.
        """
        self.block_allocations = not options.s_tir and self._has_blocks(node)
        self._parameters(node)
        self.frame = frame = Frame(is_block=False)
        body = self.suite(node.body)
        body = self._without_root(node, frame, body)
        for argument, param in zip(node.args.args, self.params, strict=True):
            if param is None and self.scope.get(argument.arg) != LOST:
                self.fault(
                    argument,
                    "script/handle",
                    f"`{argument.arg}` is a handle without a buffer",
                    hint=f"`X = T.match_buffer({argument.arg}, shape, dtype)` gives it one",
                )
        if None in self.params:
            raise self.lost()
        return TensorFunction(
            tuple(param for param in self.params if param is not None),
            body,
            tuple(frame.allocations),
            frozen({attribute_name(name): value for name, value in frame.attrs.items()}),
            private=options.private,
            next_id=self.ids.next,
            span=self.report.span(node),
        )

    def _has_blocks(self, node: ast.FunctionDef) -> bool:
        return any(
            isinstance(item, ast.Call) and self.dialect(item.func) in BLOCK_WORDS
            for item in ast.walk(node)
        )

    def _without_root(self, node: ast.FunctionDef, frame: Frame, body: Stmt) -> Stmt:
        """An explicit root block of the older dialects is the function itself."""
        explicit = any(
            isinstance(stmt, ast.With)
            and isinstance(call := stmt.items[0].context_expr, ast.Call)
            and self.dialect(call.func) == "T.block"
            for stmt in node.body
        )
        if not explicit or not isinstance(body, Block) or body.axes or body.name != "root":
            return body
        if body.init is not None or body.predicate is not None or body.match_buffers:
            return body
        frame.allocations += body.allocations
        return body.body

    # --- parameters -------------------------------------------------------------------------

    def _parameters(self, node: ast.FunctionDef) -> None:
        """Read the parameters; scalars first, since shapes may use them."""
        arguments = node.args.args
        self.params = [None] * len(arguments)
        if node.args.vararg or node.args.kwarg or node.args.kwonlyargs or node.args.defaults:
            self.fault(node, "script/signature", "parameters are plain, without defaults or `*`")
        for wanted in (True, False):
            for position, argument in enumerate(arguments):
                if self._is_scalar(argument) is not wanted:
                    continue
                try:
                    self._parameter(position, argument)
                except self.Faulty:
                    self.scope.set(argument.arg, LOST)

    def _is_scalar(self, argument: ast.arg) -> bool:
        note = argument.annotation
        name = self.dialect(note) if note is not None else None
        return name is not None and name[2:] in DTYPES

    def _parameter(self, position: int, argument: ast.arg) -> None:
        note = argument.annotation
        if note is None:
            raise self.fault(
                argument,
                "script/missing-type",
                f"parameter `{argument.arg}` has no type",
                hint=f'`{argument.arg}: T.Buffer((n, m), "float32")`',
            )
        call = note.func if isinstance(note, ast.Call) else note
        name = self.dialect(call.value if isinstance(call, ast.Subscript) else call)
        if name == "T.handle":
            self.scope.set(argument.arg, Handle(position))
        elif name == "T.Buffer":
            self._bind(position, argument.arg, self.buffer_type(note))
        elif name is not None and name[2:] in DTYPES:
            self._bind(position, argument.arg, ScalarType(name[2:]))
        else:
            raise self.no_type(note)

    def _bind(self, position: int, name: str, type_: BufferType | ScalarType) -> None:
        var = self.new(name, type_)
        self.params[position] = var

    # --- statements -------------------------------------------------------------------------

    def _statement(self, node: ast.stmt) -> Stmt | Opener | None:
        match node:
            case ast.Assign(targets=[target], value=value):
                return self._assign(node, target, value)
            case ast.For():
                return self._for(node)
            case ast.With():
                return self._with(node)
            case ast.Expr(value=value):
                return self._expression(node, value)
            case ast.If():
                return self._if(node)
            case ast.AnnAssign(target=ast.Name(id=name), value=value):
                return self._annotated(node, name, value)
            case _:
                return self._rare(node)

    def _rare(self, node: ast.stmt) -> Stmt | None:
        match node:
            case ast.AugAssign():
                return self._augmented(node)
            case ast.While(test=test, body=body):
                return While(self.condition(test), self.inner(body), self.report.span(node))
            case ast.Pass() | ast.Return(value=None | ast.Constant(value=None)):
                return None
            case ast.Assign():
                raise self.fault(node, "script/target", "an assignment has one target")
            case _:
                word = type(node).__name__.lower()
                raise self.fault(
                    node,
                    "script/not-supported",
                    f"`{word}` statements are not part of tensor functions",
                )

    # --- simple statements ------------------------------------------------------------------

    def _assign(self, node: ast.stmt, target: ast.expr, value: ast.expr) -> Stmt | Opener | None:
        if isinstance(target, ast.Subscript):
            return self._store(node, target, value)
        if isinstance(target, ast.Tuple):
            self._remap(node, target.elts, value)
            return None
        if not isinstance(target, ast.Name):
            raise self.fault(target, "script/target", "this cannot be assigned to")
        name = self.dialect(value.func) if isinstance(value, ast.Call) else None
        if name is not None and isinstance(value, ast.Call):
            if name.startswith("T.axis."):
                self._axis(node, target, value, name[7:])
                return None
            if name in ALLOCATE_WORDS:
                return self._allocate(node, target.id, value, name)
            if name == "T.match_buffer":
                self._match_buffer(target.id, value)
                return None
            if self._is_symbol_declaration(value, name):
                self._declare(target.id)
                return None
            if name == "T.meta_var" and len(value.args) == 1:
                value = value.args[0]
        return self._scalar(node, target, value)

    def _is_symbol_declaration(self, call: ast.Call, name: str) -> bool:
        if name in {"T.var", "T.Var", "T.dyn"}:
            return True
        return not call.args and not call.keywords and name[2:] in DTYPES

    def _declare(self, name: str) -> None:
        """`n = T.int64()`: a symbolic dimension, the one of the signature if that has it."""
        if not isinstance(self.scope.get(name), Var):
            self.symbol(name)

    def _scalar(self, node: ast.stmt, target: ast.Name, value: ast.expr) -> Stmt | Opener:
        """Store to a scalar buffer, or bind a name for the rest of the suite."""
        entry = self.scope.get(target.id)
        if isinstance(entry, Var) and isinstance(entry.type, BufferType):
            if entry.type.shape:
                raise self.fault(
                    target, "script/target", f"`{target.id}` is a buffer: store to its elements"
                )
            return Store(entry, (), self._stored(value, entry), self.report.span(node))
        expr = self.expr(value)
        var = self.new(target.id, ScalarType(dtype_of(expr)))
        span = self.report.span(node)
        return lambda body: Let(var, expr, body, span)

    def _annotated(self, node: ast.AnnAssign, name: str, value: ast.expr | None) -> Stmt | Opener:
        """`x: T.let[T.int64] = e` binds; `x: T.float32 = e` makes a scalar that may change."""
        note = node.annotation
        word = self.dialect(note.value if isinstance(note, ast.Subscript) else note)
        span = self.report.span(node)
        if word == "T.let" and value is not None:
            dtype = self.dtype(note.slice) if isinstance(note, ast.Subscript) else None
            expr = self.expr(value, dtype)
            var = self.new(name, ScalarType(dtype or dtype_of(expr)))
            return lambda body: Let(var, expr, body, span)
        buffer = self.new(name, BufferType((), self.dtype(note)))
        if value is None:
            return lambda body: Allocate(buffer, body, span)
        first = Store(buffer, (), self._stored(value, buffer), span)
        return lambda body: Allocate(buffer, _sequence(first, body), span)

    def _store(self, node: ast.stmt, target: ast.Subscript, value: ast.expr) -> Store:
        faulty = None
        buffer = indices = None
        try:
            buffer = self.buffer(target.value)
            indices = self.indices(target, buffer)
        except self.Faulty as error:
            faulty = error
        expr = self._stored(value, buffer)
        if faulty is not None or buffer is None or indices is None:
            raise self.lost()
        return Store(buffer, indices, expr, self.report.span(node))

    def _stored(self, node: ast.expr, buffer: Var | None) -> PrimExpr:
        """A value in the dtype of the buffer; integers are converted, other mixtures refused."""
        dtype = _dtype(buffer) if buffer is not None else None
        expr = self.expr(node, dtype)
        found = dtype_of(expr)
        if dtype is None or found == dtype:
            return expr
        if is_float(dtype) == is_float(found):
            return Cast(expr, dtype)
        raise self.fault(
            node,
            "script/dtype",
            f"expected a `{dtype}` value for `{'' if buffer is None else buffer.name}`, "
            f"found `{found}`",
            hint=f'`T.Cast("{dtype}", ...)` converts',
        )

    def _augmented(self, node: ast.AugAssign) -> Stmt:
        """`A[i] += x`."""
        target = ast.copy_location(_loaded(node.target), node.target)
        value = ast.copy_location(ast.BinOp(target, node.op, node.value), node)
        result = self._assign(node, node.target, value)
        if not isinstance(result, Store):
            raise self.fault(node, "script/target", "only elements of buffers can be updated")
        return result

    def _expression(self, node: ast.stmt, value: ast.expr) -> Stmt | None:
        if isinstance(value, ast.Constant):
            return None
        name = self.dialect(value.func) if isinstance(value, ast.Call) else None
        if name is None or not isinstance(value, ast.Call):
            raise self.fault(value, "script/not-supported", "this statement has no effect")
        attribute = _ATTRIBUTES.get(name)
        if attribute is not None:
            attribute(self, value)
            return None
        if name == "T.evaluate":
            (inner,) = self.arguments(value, ("value",), required=1)
            assert inner is not None
            return Evaluate(self.expr(inner), self.report.span(node))
        if name[2:] in {"buffer_store", "store"}:
            raise self.fault(value, "script/not-supported", "write `buffer[indices] = value`")
        known = (*_ATTRIBUTES, "T.evaluate")
        if name.startswith("T."):
            self.weak(value)
        raise self.fault(
            value,
            "script/not-supported",
            f"`{name}` is not a statement",
            hint=near(name, known) or "`T.evaluate(...)` evaluates for the effect",
        )

    def _if(self, node: ast.If) -> Stmt:
        faulty = condition = None
        try:
            condition = self.condition(node.test)
        except self.Faulty as error:
            faulty = error
        then = self.inner(node.body)
        otherwise = self.inner(node.orelse) if node.orelse else None
        if faulty is not None or condition is None:
            raise self.lost()
        return If(condition, then, otherwise, self.report.span(node))

    # --- attributes -------------------------------------------------------------------------

    def _func_attr(self, call: ast.Call) -> None:
        frame = self.frame
        if frame is None or frame.is_block:
            raise self.fault(call, "script/block", "`T.func_attr` stands at the top of a function")
        frame.attrs |= self.attr_dict(call)

    def _block_attr(self, call: ast.Call) -> None:
        frame = self.block_frame(call, "T.sblock_attr")
        frame.attrs |= self.attr_dict(call)

    def _reads(self, call: ast.Call) -> None:
        if self._at_root():
            return
        frame = self.block_frame(call, "T.reads")
        frame.reads = (frame.reads or ()) + self.regions(call)

    def _writes(self, call: ast.Call) -> None:
        if self._at_root():
            return
        frame = self.block_frame(call, "T.writes")
        frame.writes = (frame.writes or ()) + self.regions(call)

    def _at_root(self) -> bool:
        """Regions of the function as a whole say nothing that its parameters do not."""
        return self.frame is not None and not self.frame.is_block

    def _where(self, call: ast.Call) -> None:
        frame = self.block_frame(call, "T.where")
        (predicate,) = self.arguments(call, ("predicate",), required=1)
        assert predicate is not None
        if frame.predicate is not None:
            raise self.fault(call, "script/block", "a block has one `T.where`")
        frame.predicate = self.condition(predicate)


_ATTRIBUTES: dict[str, Callable[[TensorReader, ast.Call], None]] = {
    "T.func_attr": TensorReader._func_attr,  # pyright: ignore[reportPrivateUsage]
    "T.sblock_attr": TensorReader._block_attr,  # pyright: ignore[reportPrivateUsage]
    "T.block_attr": TensorReader._block_attr,  # pyright: ignore[reportPrivateUsage]
    "T.reads": TensorReader._reads,  # pyright: ignore[reportPrivateUsage]
    "T.writes": TensorReader._writes,  # pyright: ignore[reportPrivateUsage]
    "T.where": TensorReader._where,  # pyright: ignore[reportPrivateUsage]
}


def _dtype(buffer: Var) -> str:
    assert isinstance(buffer.type, BufferType)
    return buffer.type.dtype


def _sequence(first: Stmt, rest: Stmt) -> Stmt:
    if isinstance(rest, Seq):
        return Seq((first, *rest.body)) if rest.body else first
    return Seq((first, rest))


def _loaded(target: ast.expr) -> ast.expr:
    match target:
        case ast.Subscript(value=value, slice=index):
            return ast.Subscript(value, index, ast.Load())
        case ast.Name(id=name):
            return ast.Name(name, ast.Load())
        case _:
            return target
