"""Statements to LLVM: loops, branches, stores, allocations."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from workbench.codegen import access
from workbench.codegen.cost import PARALLEL_COST, STRIP, polls, runs_long
from workbench.codegen.emitter import TRUE, Emitter
from workbench.codegen.values import Value, byte_size, integer
from workbench.codegen.vectorize import reduction
from workbench.codegen.writer import Frame
from workbench.ir.expr import (
    BinaryOp,
    BufferType,
    FloatImm,
    IntImm,
    Intrinsic,
    Load,
    PrimExpr,
    as_expr,
    dtype_of,
    is_float,
)
from workbench.ir.tensor import (
    Allocate,
    Block,
    Evaluate,
    For,
    If,
    Let,
    LoopKind,
    Seq,
    Stmt,
    Store,
    While,
)
from workbench.support.diagnostics import CompileError, Diagnostic

_STACK_BYTES = 16 * 1024
_UNROLL_LIMIT = 4096

Outline = Callable[[Emitter, For], None]


class Statements:
    """Emits statements into one function; `outline` turns a parallel loop's body into another."""

    def __init__(self, e: Emitter, outline: Outline) -> None:
        self.e = e
        self.w = e.writer
        self.outline = outline
        self.stack = 0

    def emit(self, stmt: Stmt) -> None:  # noqa: C901 one case a node
        """Emit one statement.

        Raises:
            CompileError: `tensor/unsupported-effect`, `tensor/unknown-intrinsic`.
        """
        match stmt:
            case Store():
                self._store(stmt)
            case For():
                self._for(stmt)
            case Seq(body=body):
                for item in body:
                    self.emit(item)
            case If():
                self._if(stmt)
            case While():
                self._while(stmt)
            case Let(var=var, value=value, body=body):
                self.e.env[var.id] = self.e.value(value)
                self.emit(body)
            case Allocate():
                self._allocate(stmt)
            case Evaluate(value=value):
                self._evaluate(value)
            case Block():
                msg = "blocks are lowered first"
                raise TypeError(msg)
            case _:
                assert_never(stmt)

    def _evaluate(self, value: PrimExpr) -> None:
        if isinstance(value, Intrinsic) and value.name.startswith("call_"):
            raise CompileError(
                Diagnostic(
                    "tensor/unsupported-effect",
                    f"`T.{value.name}` has no native code",
                    hint="call the library from a graph function with `R.call_dps_packed`",
                )
            )
        self.e.value(value)

    def _store(self, stmt: Store) -> None:
        e = self.e
        e.written = stmt.buffer.id
        target = e.kernel.target_of(stmt)
        found = reduction(stmt) if e.lane is not None and access.is_uniform(e, target) else None
        if found is not None:
            self._reduce(target, *found)
        else:
            access.store(e, target, e.value(stmt.value))

    def _reduce(self, target: Load, op: BinaryOp, term: PrimExpr) -> None:
        """`C[i] = C[i] op term` over all lanes at once: combine the lanes, then update C."""
        e, w = self.e, self.w
        vector = w.splat(e.value(term), e.lanes)
        dtype = dtype_of(target)
        if e.mask is not None:
            neutral = _neutral(op, dtype)
            vector = w.select(e.mask, vector, w.splat(e.value(neutral), e.lanes))
        lanes = [w.lane(vector, k) for k in range(e.lanes)]
        while len(lanes) > 1:
            half = len(lanes) // 2
            lanes = [
                e.combine(op, a, b, dtype) for a, b in zip(lanes[:half], lanes[half:], strict=True)
            ]
        mask, lane, width = e.mask, e.lane, e.lanes
        e.mask, e.lane, e.lanes = None, None, 1

        def update() -> None:
            access.store(e, target, e.combine(op, access.load(e, target), lanes[0], dtype))

        if mask is None:
            update()
        else:
            # Without an active lane nothing is touched: the element may not even be there.
            self._choose(w.any(mask), update)
        e.mask, e.lane, e.lanes = mask, lane, width

    # --- loops ----------------------------------------------------------------------------

    def _for(self, stmt: For) -> None:
        e = self.e
        match stmt.kind:
            case LoopKind.VECTORIZED:
                self._lanes(stmt)
            case LoopKind.UNROLLED if self._unrollable(stmt):
                self._unrolled(stmt)
            case LoopKind.PARALLEL if not e.parallel and e.lane is None:
                total = e.kernel.cost(stmt)
                if total is not None and total < PARALLEL_COST:
                    self._serial(stmt)
                else:
                    self.outline(e, stmt)
            case _:
                self._serial(stmt)

    def _unrollable(self, stmt: For) -> bool:
        if not isinstance(stmt.extent, IntImm):
            return False
        weight = self.e.kernel.cost(stmt.body) or _UNROLL_LIMIT
        return stmt.extent.value * min(weight, _UNROLL_LIMIT) <= 4 * _UNROLL_LIMIT

    def _unrolled(self, stmt: For) -> None:
        e = self.e
        assert isinstance(stmt.extent, IntImm)
        start = e.value(stmt.start)
        for step in range(stmt.extent.value):
            e.env[stmt.var.id] = self.w.add(start, integer(step))
            self.emit(stmt.body)

    def _lanes(self, stmt: For) -> None:
        e = self.e
        assert isinstance(stmt.extent, IntImm)
        lanes = stmt.extent.value
        numbers = ", ".join(f"i64 {k}" for k in range(lanes))
        e.env[stmt.var.id] = Value(f"<{numbers}>", "i64", lanes)
        e.lane, e.lanes = stmt.var, lanes
        self.emit(stmt.body)
        e.lane, e.lanes = None, 1

    def _serial(self, stmt: For) -> None:
        e, w = self.e, self.w
        start = e.element_index(e.value(stmt.start))
        extent = e.element_index(e.value(stmt.extent))
        if extent.const is not None and extent.const <= 0:
            return
        end = w.add(start, extent)
        if runs_long(stmt):
            self._strips(stmt, start, end)
        else:
            self.loop(stmt, start, end, sure=extent.const is not None)

    def _strips(self, stmt: For, start: Value, end: Value) -> None:
        """A long loop of cheap iterations in strips, with a look at the interrupt flag between."""
        w = self.w
        header, leave = w.name("strip"), w.name("done")
        begin = Value("%" + w.name("b"), "i64", 1, w.level + 1)
        w.push(header, branch=False)
        self._poll()
        after = w.add(begin, integer(STRIP))
        stop = w.intrinsic("smin", after, end)
        self.loop(stmt, begin, stop, sure=False)
        more = w.compare("icmp slt", stop, end)
        w.line(f"br i1 {more.ref}, label %{header}, label %{leave}")
        frame = w.pop()
        before = w.frame.label
        enter = w.compare("icmp slt", start, end)
        w.line(f"br i1 {enter.ref}, label %{header}, label %{leave}")
        phi = f"  {begin.ref} = phi i64 [ {start.ref}, %{before} ], [ {stop.ref}, %{frame.label} ]"
        frame.lines.insert(0, phi)
        w.place(frame, header)
        w.label(leave)

    def loop(self, stmt: For, start: Value, end: Value, *, sure: bool) -> None:
        """`for var in [start, end)`, in rotated form; `sure` if it runs at least once."""
        e, w = self.e, self.w
        header, leave = w.name("loop"), w.name("done")
        index = Value("%" + w.name("i"), "i64", 1, w.level + 1)
        w.push(header, branch=False)
        e.env[stmt.var.id] = index
        if polls(stmt):
            self._poll()
        self.emit(stmt.body)
        step = w.name("n")
        w.line(f"%{step} = add nsw i64 {index.ref}, 1")
        w.line(f"%{step}.c = icmp slt i64 %{step}, {end.ref}")
        w.line(f"br i1 %{step}.c, label %{header}, label %{leave}")
        frame = w.pop()
        before = w.frame.label
        if sure:
            w.line(f"br label %{header}")
        else:
            enter = w.compare("icmp slt", start, end)
            w.line(f"br i1 {enter.ref}, label %{header}, label %{leave}")
        phi = f"  {index.ref} = phi i64 [ {start.ref}, %{before} ], [ %{step}, %{frame.label} ]"
        frame.lines.insert(0, phi)
        w.place(frame, header)
        w.label(leave)

    def _poll(self) -> None:
        """Leave with status -1 if the caller's interrupt flag is set."""
        e, w = self.e, self.w
        flag = w.effect(f"load volatile i32, ptr {e.context(0).ref}, align 4", "i32", 1)
        quiet = w.compare("icmp eq", flag, integer(0, "i32"))
        go_on, stop = w.name("running"), w.name("interrupted")
        w.cold.extend([f"{stop}:", *e.exit_with("-1")])
        w.line(f"br i1 {quiet.ref}, label %{go_on}, label %{stop}, !prof !1")
        w.label(go_on)

    def _while(self, stmt: While) -> None:
        e, w = self.e, self.w
        header, body, leave = w.name("while"), w.name("body"), w.name("done")
        w.push(header, branch=True)
        self._poll()
        condition = e.value(stmt.condition)
        w.line(f"br i1 {condition.ref}, label %{body}, label %{leave}")
        w.label(body)
        self.emit(stmt.body)
        w.line(f"br label %{header}")
        frame = w.pop()
        w.line(f"br label %{header}")
        w.place(frame, header)
        w.label(leave)

    # --- branches -------------------------------------------------------------------------

    def _if(self, stmt: If) -> None:
        e = self.e
        condition = e.value(stmt.condition)
        if condition.const is not None:
            chosen = stmt.then if condition.const else stmt.otherwise
            if chosen is not None:
                self.emit(chosen)
        elif condition.lanes > 1:
            self._masked(condition, stmt.then)
            if stmt.otherwise is not None:
                self._masked(self.w.negate(condition), stmt.otherwise)
        else:
            self._branch(condition, stmt)

    def _masked(self, condition: Value, stmt: Stmt) -> None:
        e = self.e
        outer = e.mask
        e.mask = condition if outer is None else self.w.logical("and", outer, condition)
        self.emit(stmt)
        e.mask = outer

    def _branch(self, condition: Value, stmt: If) -> None:
        otherwise = stmt.otherwise
        self._choose(
            condition,
            lambda: self.emit(stmt.then),
            None if otherwise is None else lambda: self.emit(otherwise),
        )

    def _choose(
        self, condition: Value, then_: Callable[[], None], else_: Callable[[], None] | None = None
    ) -> None:
        """What `then_` emits where the scalar `condition` is set, else what `else_` does."""
        w = self.w
        then, leave = w.name("then"), w.name("end")
        other = leave if else_ is None else w.name("else")
        bodies = [(then, then_)]
        if else_ is not None:
            bodies.append((other, else_))
        frames: list[tuple[str, Frame]] = []
        for label, emit in bodies:
            w.push(label, branch=True)
            emit()
            w.line(f"br label %{leave}")
            frames.append((label, w.pop()))
        w.line(f"br i1 {condition.ref}, label %{then}, label %{other}")
        for label, frame in frames:
            w.place(frame, label)
        w.label(leave)

    # --- memory ---------------------------------------------------------------------------

    def _allocate(self, stmt: Allocate) -> None:
        e, w = self.e, self.w
        buffer = stmt.buffer
        kind = buffer.type
        assert isinstance(kind, BufferType)
        size: int | None = byte_size(kind.dtype)
        for extent in kind.shape:
            size = size * extent if isinstance(extent, int) and size is not None else None
        if size is not None and size <= _STACK_BYTES and self.stack + size <= 4 * _STACK_BYTES:
            self.stack += size
            name = "%" + w.name("local")
            w.allocas.append(f"  {name} = alloca [{max(size, 1)} x i8], align 64")
            e.env[buffer.id] = Value(name, "ptr")
            e.stack.add(buffer.id)
            self.emit(stmt.body)
            return
        self._heap(stmt, kind)

    def _heap(self, stmt: Allocate, kind: BufferType) -> None:
        e, w = self.e, self.w
        size = integer(byte_size(kind.dtype))
        fits = TRUE
        for extent in kind.shape:
            count = e.value(as_expr(extent))
            if count.const is None:  # a negative extent has no elements, as its loop no iterations
                count = w.intrinsic("smax", count, integer(0))
            size, exact = w.checked_mul(size, count)
            fits = w.logical("and", fits, exact)
        # A product that overflows asks for more than there is, and is refused as such.
        size = w.select(fits, size, integer((1 << 63) - 1))
        pointer = w.effect(
            f"call noalias align 64 ptr {e.context(3).ref}(i64 {size.ref})", "ptr", 1
        )
        missing = w.compare("icmp eq", pointer, Value("null", "ptr"))
        go_on, fault = w.name("allocated"), w.name("memory")
        w.cold.extend([f"{fault}:", *e.exit_with("-2")])
        w.line(f"br i1 {missing.ref}, label %{fault}, label %{go_on}")
        w.label(go_on)
        e.env[stmt.buffer.id] = pointer
        e.heap.append(pointer)
        self.emit(stmt.body)
        e.heap.pop()
        w.line(f"call void {e.context(4).ref}(ptr {pointer.ref})")


def _neutral(op: BinaryOp, dtype: str) -> PrimExpr:
    """The value that changes nothing under a reduction."""
    if op in {BinaryOp.ADD, BinaryOp.MUL}:
        number = int(op is BinaryOp.MUL)
        return (
            FloatImm(-0.0 if number == 0 else 1.0, dtype)
            if is_float(dtype)
            else IntImm(number, dtype)
        )
    if is_float(dtype):
        return FloatImm(float("inf") if op is BinaryOp.MIN else float("-inf"), dtype)
    return Intrinsic("max_value" if op is BinaryOp.MIN else "min_value", (), dtype)
