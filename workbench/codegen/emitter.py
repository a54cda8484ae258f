"""The state of emission of one function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from workbench.analysis.arith import Facts
from workbench.analysis.polynomial import Poly
from workbench.codegen.cost import cost
from workbench.codegen.faults import FaultSite, FaultTable
from workbench.codegen.target import Target
from workbench.codegen.values import Value, integer
from workbench.codegen.writer import Declarations, Writer
from workbench.ir.expr import (
    INDEX,
    Binary,
    BinaryOp,
    BufferType,
    Cast,
    DType,
    Load,
    PrimExpr,
    ScalarType,
    Var,
    as_expr,
    dtype_of,
)
from workbench.ir.tensor import Stmt, Store
from workbench.support.ids import NodeId


@dataclass(slots=True)
class Kernel:
    """What the functions of one kernel share."""

    symbol: str
    target: Target
    checks: bool
    safe: frozenset[PrimExpr]
    noalias: bool = True
    faults: FaultTable = field(default_factory=FaultTable)
    declarations: Declarations = field(default_factory=Declarations)
    functions: list[str] = field(default_factory=list[str])
    accesses: dict[int, Access] = field(default_factory=dict[int, "Access"])
    targets: dict[int, tuple[Store, Load]] = field(default_factory=dict[int, tuple[Store, Load]])
    costs: dict[int, tuple[Stmt, int | None]] = field(
        default_factory=dict[int, tuple[Stmt, int | None]]
    )

    def access(self, load: Load) -> Access:
        """What is known of an access, computed once for each node however often it is unrolled."""
        found = self.accesses.get(id(load))
        if found is None:
            safe = not self.checks or load in self.safe
            found = self.accesses[id(load)] = Access(load, _offset(load), safe)
        return found

    def target_of(self, store: Store) -> Load:
        """The element that a store writes, as a load."""
        found = self.targets.get(id(store))
        if found is None:
            found = self.targets[id(store)] = (store, Load(store.buffer, store.indices))
        return found[1]

    def cost(self, stmt: Stmt) -> int | None:
        """See `workbench.codegen.cost`."""
        found = self.costs.get(id(stmt))
        if found is None:
            found = self.costs[id(stmt)] = (stmt, cost(stmt))
        return found[1]


@dataclass(slots=True)
class Access:
    """An access: its element offset, whether it is proved safe, and its offset split by lane.

    `split` is `(lane, (linear, base))`, or `(lane, None)` where the offset is not affine in it.
    """

    load: Load
    offset: Poly
    safe: bool
    split: tuple[Var, tuple[Poly, Poly] | None] | None = None


def _offset(access: Load) -> Poly:
    facts = Facts()
    total = Poly.const(0)
    for index, stride in zip(access.indices, strides(access.buffer), strict=True):
        wide = index if dtype_of(index) == INDEX else Cast(index, INDEX)
        total += facts.poly(wide) * stride
    return total


def strides(buffer: Var) -> tuple[Poly, ...]:
    """The strides of a buffer in elements, row-major unless its type says otherwise."""
    assert isinstance(buffer.type, BufferType)
    facts = Facts()
    if buffer.type.strides:
        return tuple(facts.poly(as_expr(stride)) for stride in buffer.type.strides)
    result: list[Poly] = []
    step = Poly.const(1)
    for extent in reversed(buffer.type.shape):
        result.append(step)
        step = step * facts.poly(as_expr(extent))
    return tuple(reversed(result))


class Emitter:
    """Emits the body of one LLVM function.

    `env` holds the values of variables and the addresses of buffers; `lane` is the vectorized loop
    variable while there is one, `mask` the lanes that are active (None: all). `heap` are the live
    allocations of this function, freed on every exit; `stack` the buffers that LLVM sees through.
    """

    def __init__(self, kernel: Kernel, value: Callable[[Emitter, PrimExpr], Value]) -> None:
        self.kernel = kernel
        self.writer = Writer(kernel.declarations)
        self.env: dict[NodeId, Value] = {}
        self.lane: Var | None = None
        self.lanes = 1
        self.mask: Value | None = None
        self.heap: list[Value] = []
        self.stack: set[NodeId] = set()
        self.written: NodeId = NodeId(0)
        self.parallel = False
        self._value = value

    def value(self, expr: PrimExpr) -> Value:
        """Emit a scalar expression."""
        return self._value(self, expr)

    def context(self, slot: int) -> Value:
        """A pointer out of the context of the call."""
        w = self.writer
        at = w.pure(f"getelementptr ptr, ptr %ctx, i64 {slot}", "ptr", 1)
        return w.pure(f"load ptr, ptr {at.ref}, align 8, !invariant.load !0", "ptr", 1, at)

    def exit_with(self, status: str) -> list[str]:
        """Free what is live and return."""
        lines = [f"  call void {free}(ptr {p})" for free, p in self._live()]
        return [*lines, f"  ret i32 {status}"]

    def _live(self) -> list[tuple[str, str]]:
        if not self.heap:
            return []
        free = self.context(4).ref
        return [(free, pointer.ref) for pointer in reversed(self.heap)]

    def require(self, good: Value, site: FaultSite, *details: Value) -> None:
        """Go on where `good` holds, else store the details and return the site's status."""
        if good.const == 1:
            return
        w = self.writer
        status = self.kernel.faults.status(site)
        go_on, fault = w.name("checked"), w.name("fault")
        store: list[str] = []
        if details:
            base = self.context(5).ref
            for slot, detail in enumerate(details):
                store.append(f"  %{fault}.{slot} = getelementptr i64, ptr {base}, i64 {slot}")
                store.append(f"  store i64 {detail.ref}, ptr %{fault}.{slot}, align 8")
        w.cold.extend([f"{fault}:", *store, *self.exit_with(str(status))])
        w.line(f"br i1 {good.ref}, label %{go_on}, label %{fault}, !prof !1")
        w.label(go_on)

    def combine(self, op: BinaryOp, a: Value, b: Value, dtype: DType) -> Value:
        """`a op b` of emitted values."""
        left, right = (Var(NodeId(-1 - k), "", ScalarType(dtype)) for k in (1, 2))
        self.env[left.id], self.env[right.id] = a, b
        return self._value(self, Binary(op, left, right))

    def active(self, bad: Value) -> Value:
        """Whether a lane that runs is set in `bad`."""
        w = self.writer
        return w.any(bad if self.mask is None else w.logical("and", bad, self.mask))

    def element_index(self, value: Value) -> Value:
        """An integer value widened to `i64`."""
        return value if value.element == "i64" else self.writer.convert("sext", value, "i64")


TRUE = integer(1, "i1")
