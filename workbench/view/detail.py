"""Everything known about one value of one step."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

from workbench.ir import (
    Alias,
    Arg,
    CallOp,
    CallTIR,
    CallTIRInplace,
    Constant,
    GraphFunction,
    IfThenElse,
    IRModule,
    ScalarValue,
    ShapeValue,
    StringValue,
    TensorFunction,
    TupleValue,
    Var,
    function_digest,
)
from workbench.passes.tensor_forms import tensor_form
from workbench.rewrite import all_bindings
from workbench.runtime import build
from workbench.session import Session
from workbench.session.catalogue import pass_code
from workbench.session.flow import FlowValue, arguments
from workbench.session.implementations import implementations_of
from workbench.session.lineage import Lineage
from workbench.session.reductions import tensor_length
from workbench.support import CompileError, Diagnostic, NodeId, Span
from workbench.view.actions import specialising, value_actions
from workbench.view.branches import flow_facts, place_text
from workbench.view.costs import cost_facts
from workbench.view.lines import lines_that_bind
from workbench.view.loops import loop_rows
from workbench.view.protocol import (
    DetailView,
    ImplementationView,
    LoopRow,
    OriginView,
    TokenView,
)
from workbench.view.text import function_text
from workbench.view.words import dim_text, expr_kind, expr_label, shape_text, type_text

CELL_FOLDER = "ipykernel_"
"""In the path of the files under which a kernel compiles cells."""
MOST_USES = 8
MOST_ELEMENTS = 8
KEPT = 64
_NATIVE: OrderedDict[str, tuple[str, str]] = OrderedDict()


def detail_view(session: Session, step: int, key: str, variable: str = "s") -> DetailView:
    """What the right pane shows of the value `key` of a step.

    Raises:
        CompileError: `view/unknown-node`.
    """
    module = session.snapshot(step).module
    lineage = session.lineage(step)
    value = lineage.value(key)
    if value is None:
        raise CompileError(
            Diagnostic("view/unknown-node", f"step {step} has no value with the key `{key}`")
        )
    callee = value.expr.callee if isinstance(value.expr, CallTIR | CallTIRInplace) else None
    function = module[callee] if callee is not None and callee in module else None
    tensor = function if isinstance(function, TensorFunction) else None
    llvm, assembly = native_code(callee, tensor) if callee and tensor else ("", "")
    return DetailView(
        step=step,
        node=key,
        title=_title(value),
        kind=expr_kind(value.expr),
        type=type_text(value.type),
        arguments=_arguments(value),
        callee=callee,
        script=_script(module, value, tensor),
        loops=_loops(value, tensor),
        origin=origin_of(session, step, key),
        actions=[
            *specialising(module, session.extents(step), None, variable),
            *value_actions(module, value, variable),
        ],
        implementations=_implementations(module, value, variable),
        llvm=llvm,
        assembly=assembly,
        facts=_facts(lineage, value, module, tensor),
        editable=tensor is not None,
    )


def _title(value: FlowValue) -> str:
    return value.name if value.expr is None else f"{value.name} = {expr_label(value.expr)}"


def _loops(value: FlowValue, tensor: TensorFunction | None) -> list[LoopRow]:
    """The loops that compute the value; of an operator those that legalizing it would give."""
    match value.expr:
        case CallTIR(callee=callee) | CallTIRInplace(callee=callee) if tensor is not None:
            return loop_rows(callee, tensor)
        case CallOp(op=op) as call:
            form = tensor_form(call, value.type)
            return [] if form is None else loop_rows(op, form)
        case _:
            return []


def _arguments(value: FlowValue) -> list[str]:
    if value.expr is None:
        return []
    over = value.expr.inplace if isinstance(value.expr, CallTIRInplace) else ()
    given = map(_argument, arguments(value.expr))
    return [f"{text}, written over" if n in over else text for n, text in enumerate(given)]


def _argument(arg: Arg) -> str:
    match arg:
        case Var(name=name, type=type_):
            return f"{name}: {type_text(type_)}"
        case Constant(type=type_):
            return f"constant: {type_text(type_)}"
        case ShapeValue(dims=dims):
            return shape_text(dims)
        case ScalarValue(value=number):
            return dim_text(number)
        case StringValue(text=text):
            return repr(text)
        case TupleValue(fields=fields):
            return "(" + ", ".join(_argument(item) for item in fields) + ")"


def _script(module: IRModule, value: FlowValue, tensor: TensorFunction | None) -> list[TokenView]:
    """The tensor function that is called, else what binds the value: a line, or a whole `if`."""
    if tensor is not None and isinstance(value.expr, CallTIR | CallTIRInplace):
        return function_text(value.expr.callee, tensor, module)
    name = value.ref.function
    if name not in module or value.expr is None:
        return []
    text = function_text(name, module[name], module)
    branch = isinstance(value.expr, IfThenElse)
    return lines_that_bind(text, f"{name}/{value.ref.id}", branch=branch)


def _implementations(module: IRModule, value: FlowValue, variable: str) -> list[ImplementationView]:
    return [
        ImplementationView(
            name=item.name,
            kind=item.kind,
            description=item.description,
            current=item.current,
            available=item.available,
            reason=item.reason,
            code=f"{variable}.apply({pass_code(item.step)})",
        )
        for item in implementations_of(module, value)
    ]


def _facts(
    lineage: Lineage, value: FlowValue, module: IRModule, tensor: TensorFunction | None
) -> list[str]:
    facts: list[str] = [] if tensor is None else [cost_facts(tensor)]
    if isinstance(value.expr, Alias) and isinstance(value.expr.value, Constant):
        facts.append(_contents(module, value.expr.value))
    if isinstance(value.expr, CallOp) and value.expr.attrs:
        facts += [f"{name} = {setting}" for name, setting in value.expr.attrs]
    if isinstance(value.expr, CallOp) and tensor_form(value.expr, value.type) is not None:
        facts.append("loops as LegalizeOps makes them")
    if tensor is not None and (length := tensor_length(tensor)) > 1:
        facts.append(f"sums {length} terms")
    facts += flow_facts(module, lineage, value)
    users = [place_text(lineage, v) for v in lineage.values() if value.key in v.inputs]
    if users:
        more = f" and {len(users) - MOST_USES} more" if len(users) > MOST_USES else ""
        facts.append(f"used by {', '.join(users[:MOST_USES])}{more}")
    return facts


def _contents(module: IRModule, constant: Constant) -> str:
    array = module.pool.get(constant.digest)
    if array is None:
        return f"constant {constant.digest}, not in the pool"
    first = ", ".join(str(element) for element in array.ravel()[:MOST_ELEMENTS])
    return f"constant {constant.digest}: {first}{' …' if array.size > MOST_ELEMENTS else ''}"


def native_code(name: str, function: TensorFunction) -> tuple[str, str]:
    """LLVM text and assembly of one tensor function; empty where it cannot be compiled."""
    digest = function_digest(function)
    if digest not in _NATIVE:
        try:
            built = build(IRModule(((name, replace(function, private=False)),)))
            _NATIVE[digest] = (built.llvm(name), built.assembly(name))
        except CompileError as error:
            _NATIVE[digest] = (f"; {error.diagnostics[0].message}", "")
        while len(_NATIVE) > KEPT:
            _NATIVE.popitem(last=False)
    return _NATIVE[digest]


# --- where it came from ------------------------------------------------------------------------


def origin_of(session: Session, step: int, key: str) -> list[OriginView]:
    """The node of the imported model, then the steps that touched the value, oldest first."""
    found: list[OriginView] = []
    keys = {key}
    path = session.path_to(step)
    for snapshot in reversed(path[1:]):
        lineage = session.lineage(snapshot.index)
        for one in sorted(keys):
            change = lineage.change.get(one, "none")
            if change != "none":
                row = OriginView(
                    source=f"step {snapshot.index}",
                    detail=f"{snapshot.name}: {change}",
                    step=snapshot.index,
                )
                found += [] if row in found else [row]
        keys = {source for one in keys for source in lineage.sources.get(one, (one,))}
    root = path[0].module
    imported = [_imported(root, session.lineage(0), one) for one in sorted(keys)]
    return [item for item in imported if item is not None] + list(reversed(found))


def _imported(module: IRModule, lineage: Lineage, key: str) -> OriginView | None:
    value = lineage.value(key)
    if value is None:
        return None
    span = span_of(module, value.ref.function, value.ref.id)
    if span is None:
        kind = "parameter" if value.is_param else "import"
        return OriginView(source=kind, detail=value.name, step=0)
    detail = f"{span.label} ({span.kind})" if span.label else f"{value.name}, line {span.line}"
    source = "notebook cell" if CELL_FOLDER in span.source else span.source
    return OriginView(source=source, detail=detail, step=0)


def span_of(module: IRModule, function: str, node: NodeId) -> Span | None:
    """Where a binding came from in the import."""
    target = module.graph_functions.get(function)
    if not isinstance(target, GraphFunction):
        return None
    return next((b.span for b in all_bindings(target) if b.var.id == node), None)
