"""`emit`: a tensor function to the text of one LLVM module.

Each function of the module comes in two parts. The outer one has the native interface; it takes the
addresses out of an array of slots and calls the inner one, whose parameters are `noalias`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from workbench.analysis.arith import Facts, Interval
from workbench.analysis.simplification import simplify_statement
from workbench.codegen.autovectorize import vectorize_serial
from workbench.codegen.cost import PARALLEL_COST, run_time_cost
from workbench.codegen.emitter import Emitter, Kernel
from workbench.codegen.expressions import value
from workbench.codegen.faults import FaultSite
from workbench.codegen.hoist import hoist_allocations
from workbench.codegen.lower import lower
from workbench.codegen.partition import partition
from workbench.codegen.promote import promote
from workbench.codegen.proofs import safe_expressions
from workbench.codegen.statements import Statements
from workbench.codegen.target import Target
from workbench.codegen.values import Value, integer, value_type
from workbench.codegen.vectorize import split_vectors
from workbench.ir.expr import (
    Binary,
    BinaryOp,
    BufferType,
    IntImm,
    ScalarType,
    Var,
    dtype_of,
    is_float,
)
from workbench.ir.tensor import Allocate, For, Let, Stmt, TensorFunction
from workbench.ir.traverse import free_vars, walk
from workbench.support.ids import IdSource, NodeId

CODEGEN_VERSION = 7
"""Changes whenever the same tensor function gives different code."""

_FOOTER = """
attributes #0 = {{ nounwind "target-cpu"="{cpu}" "target-features"="{features}" \
"prefer-vector-width"="{bits}" "min-legal-vector-width"="{bits}" }}
attributes #1 = {{ nounwind memory(none) }}
!0 = !{{}}
!1 = !{{!"branch_weights", i32 1, i32 0}}
"""

_SERIAL = """define internal i32 @{name}(ptr %ctx, ptr %body, ptr %closure, i64 %lo, i64 %hi) {{
  %status = tail call i32 %body(ptr %ctx, ptr %closure, i64 %lo, i64 %hi)
  ret i32 %status
}}"""


@dataclass(frozen=True, slots=True)
class KernelCode:
    """LLVM text of one kernel: `i32 @symbol(ptr args, ptr context)`.

    Status 0 is success, k > 0 the fault `sites[k - 1]`, -1 interrupted, -2 out of memory.
    """

    symbol: str
    llvm: str
    sites: tuple[FaultSite, ...]


def emit(
    function: TensorFunction,
    symbol: str,
    target: Target,
    checks: Literal["auto", "off"] = "auto",
) -> KernelCode:
    """Native code of a tensor function, as text.

    Raises:
        CompileError: `tensor/unknown-intrinsic`, `tensor/unsupported-effect`.
    """
    body, facts = prepare(function, target)
    safe = safe_expressions(body, facts)
    kernel = Kernel(symbol, target, checks == "auto", safe, _is_noalias(function))
    variables = [*function.params, *symbolic_dims(function)]
    _function(kernel, symbol, variables, body, None)
    footer = _FOOTER.format(cpu=target.cpu, features=target.features, bits=target.vector_bits)
    text = "\n".join(
        [f'target triple = "{target.triple}"', *kernel.declarations.lines, *kernel.functions]
    )
    return KernelCode(symbol, text + "\n" + footer, tuple(kernel.faults.sites))


def prepare(function: TensorFunction, target: Target) -> tuple[Stmt, Facts]:
    """The plain loops that are emitted, and what is known of parameters and dimensions."""
    ids = IdSource(function.next_id)
    facts = dimension_facts(function)
    body = simplify_statement(lower(function, ids), facts)
    body = partition(hoist_allocations(body), facts, ids)
    if _is_noalias(function):
        body = vectorize_serial(body, target.vector_bits, ids)
    split = split_vectors(body, target.vector_bits, ids)
    body = body if split is body else simplify_statement(split, facts)
    return (promote(body, ids) if _is_noalias(function) else body), facts


def dimension_facts(function: TensorFunction) -> Facts:
    """Extents of parameters are not negative."""
    facts = Facts()
    for param in function.params:
        if isinstance(param.type, BufferType):
            for extent in param.type.shape:
                if isinstance(extent, Var):
                    facts = facts.with_range(extent, Interval(0, None))
                elif not isinstance(extent, int):
                    facts = facts.assume(Binary(BinaryOp.GE, extent, IntImm(0)))
    return facts


def symbolic_dims(function: TensorFunction) -> tuple[Var, ...]:
    """Symbolic dimensions that are no parameters, in order of first occurrence."""
    params = {param.id for param in function.params}
    found: dict[int, Var] = {}
    for param in function.params:
        if isinstance(param.type, BufferType):
            for var in free_vars(param.type).values():
                if var.id not in params:
                    found.setdefault(var.id, var)
    return tuple(found.values())


def _is_noalias(function: TensorFunction) -> bool:
    return all(bool(flag) for name, flag in function.attrs if name.endswith("noalias"))


def _is_pointer(var: Var) -> bool:
    return isinstance(var.type, BufferType)


def _element(var: Var) -> str:
    return "ptr" if _is_pointer(var) else value_type(dtype_of(var))


def _function(
    kernel: Kernel, name: str, variables: list[Var], body: Stmt, loop: For | None
) -> None:
    """The inner function over `variables`, and the outer one with the native interface.

    With a `loop`, its body runs for the iterations `[lo, hi)`.
    """
    e = Emitter(kernel, value)
    e.parallel = loop is not None
    parameters: list[str] = ["ptr noalias %ctx"]
    for position, var in enumerate(variables):
        e.env[var.id] = Value(f"%p{position}", _element(var))
        quality = "noalias " if _is_pointer(var) and kernel.noalias else ""
        parameters.append(f"{_element(var)} {quality}%p{position}")
    statements = Statements(e, _outline)
    if loop is None:
        statements.emit(body)
    else:
        parameters += ["i64 %lo", "i64 %hi"]
        statements.emit(_chunk(e, loop))
    e.writer.line("ret i32 0")
    head = f"define internal i32 @{name}.body({', '.join(parameters)}) noinline #0 {{"
    kernel.functions.append("\n".join([head, *e.writer.body(), "}"]))
    kernel.functions.append(_wrapper(name, variables, parallel=loop is not None))


def _chunk(e: Emitter, loop: For) -> Stmt:
    """The iterations `[%lo, %hi)` of a parallel loop, its private buffers around them."""
    low, high = (Var(NodeId(-10 - k), name, ScalarType()) for k, name in enumerate(("lo", "hi")))
    e.env[low.id], e.env[high.id] = Value("%lo", "i64"), Value("%hi", "i64")
    buffers: list[Var] = []
    body = loop.body
    while isinstance(body, Allocate) and loop.var.id not in free_vars(body.buffer):
        buffers.append(body.buffer)
        body = body.body
    chunk: Stmt = For(loop.var, low, high - low, body)
    for buffer in reversed(buffers):
        chunk = Allocate(buffer, chunk)
    return chunk


def _wrapper(name: str, variables: list[Var], *, parallel: bool) -> str:
    if parallel:
        lines = [f"define internal i32 @{name}(ptr %ctx, ptr %args, i64 %lo, i64 %hi) #0 {{"]
    else:
        lines = [f"define i32 @{name}(ptr %args, ptr %ctx) #0 {{"]
    arguments = ["ptr %ctx"]
    for position, var in enumerate(variables):
        element = _element(var)
        lines.append(f"  %a{position} = getelementptr i64, ptr %args, i64 {position}")
        slot = element if element in {"ptr", "double"} else "i64"
        if not _is_pointer(var) and is_float(dtype_of(var)):
            slot = "double"
        lines.append(f"  %s{position} = load {slot}, ptr %a{position}, align 8")
        source = f"%s{position}"
        if slot != element:
            opcode = "fptrunc" if slot == "double" else "trunc"
            lines.append(f"  %c{position} = {opcode} {slot} {source} to {element}")
            source = f"%c{position}"
        arguments.append(f"{element} {source}")
    if parallel:
        arguments += ["i64 %lo", "i64 %hi"]
    lines.append(f"  %status = call i32 @{name}.body({', '.join(arguments)})")
    return "\n".join([*lines, "  ret i32 %status", "}"])


def _outline(e: Emitter, loop: For) -> None:
    """Run a parallel loop: its body as a function of its own, what it uses in a closure."""
    w, kernel = e.writer, e.kernel
    used = [var for ident, var in _used(loop).items() if ident in e.env]
    name = f"{kernel.symbol}.parallel{w.name('')}.{len(kernel.functions)}"
    _function(kernel, name, used, loop.body, loop)
    closure = "%" + w.name("closure")
    w.allocas.append(f"  {closure} = alloca [{max(len(used), 1)} x i64], align 8")
    for position, var in enumerate(used):
        slot = w.pure(f"getelementptr i64, ptr {closure}, i64 {position}", "ptr", 1)
        stored = _to_slot(e, e.env[var.id], var)
        w.line(f"store {stored.typed}, ptr {slot.ref}, align 8")
    start = e.value(loop.start)
    end = w.add(start, e.value(loop.extent))
    run = _runner(e, loop)
    status = w.effect(
        f"call i32 {run.ref}(ptr %ctx, ptr @{name}, ptr {closure}, i64 {start.ref}, i64 {end.ref})",
        "i32",
        1,
    )
    good = w.compare("icmp eq", status, integer(0, "i32"))
    go_on, stop = w.name("joined"), w.name("failed")
    w.cold.extend([f"{stop}:", *e.exit_with(status.ref)])
    w.line(f"br i1 {good.ref}, label %{go_on}, label %{stop}, !prof !1")
    w.label(go_on)


def _runner(e: Emitter, loop: For) -> Value:
    """What runs a parallel loop: other threads too, unless it turns out not to be worth it."""
    shared = e.context(1)
    expected = run_time_cost(loop)
    if expected is None or not set(free_vars(expected)) <= set(e.env):
        return shared
    w, name = e.writer, f"{e.kernel.symbol}.serial"
    text = _SERIAL.format(name=name)
    if text not in e.kernel.functions:
        e.kernel.functions.append(text)
    enough = w.compare("icmp sge", e.value(expected), integer(PARALLEL_COST))
    return w.select(enough, shared, Value(f"@{name}", "ptr"))


def _used(loop: For) -> dict[int, Var]:
    """Free variables of the body in a fixed order; extents inside buffer types count too.

    What it binds itself is left out: copies of a loop bind the same variables, so those of an
    earlier copy may have values already.
    """
    bound: set[int] = {loop.var.id}
    found: dict[int, Var] = {}
    for node in walk(loop.body):
        match node:
            case Var(id=ident):
                found.setdefault(ident, node)
            case For(var=var) | Let(var=var) | Allocate(buffer=var):
                bound.add(var.id)
            case _:
                continue
    return {ident: var for ident, var in found.items() if ident not in bound}


def _to_slot(e: Emitter, value_: Value, var: Var) -> Value:
    if _is_pointer(var) or value_.element in {"double", "i64"}:
        return value_
    if value_.is_float:
        return e.writer.convert("fpext", value_, "double")
    return e.writer.convert("zext" if value_.element == "i1" else "sext", value_, "i64")
