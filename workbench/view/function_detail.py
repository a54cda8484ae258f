"""Everything known about one tensor function of one step, whoever calls it."""

from __future__ import annotations

from workbench.analysis.uses import callees
from workbench.ir import IRModule, TensorFunction
from workbench.session import Session
from workbench.support import CompileError, Diagnostic
from workbench.view.costs import cost_facts
from workbench.view.detail import native_code
from workbench.view.loops import loop_rows
from workbench.view.picture import signature
from workbench.view.protocol import ActionView, DetailView, OriginView
from workbench.view.text import function_text
from workbench.view.words import type_text


def names_function(key: str) -> bool:
    """Whether a key is that of a function itself (`matmul/`) and not of a value in it."""
    return key.endswith("/")


def function_detail(session: Session, step: int, key: str, actions: list[ActionView]) -> DetailView:
    """What the right pane shows of the tensor function with the key `matmul/` at a step.

    `actions` are what applies to the whole module.

    Raises:
        CompileError: `view/unknown-node`.
    """
    module, name = session.snapshot(step).module, key.removesuffix("/")
    function = module.tensor_functions.get(name)
    if function is None:
        message = f"step {step} has no tensor function `{name}`"
        raise CompileError(Diagnostic("view/unknown-node", message))
    llvm, assembly = native_code(name, function)
    return DetailView(
        step=step,
        node=key,
        title=name,
        kind="tensor",
        type=signature(function),
        callee=name,
        script=function_text(name, function, module),
        loops=loop_rows(name, function),
        origin=_origin(session, step, name),
        actions=actions,
        llvm=llvm,
        assembly=assembly,
        facts=_facts(module, name, function),
        editable=True,
    )


def _facts(module: IRModule, name: str, function: TensorFunction) -> list[str]:
    facts = [cost_facts(function)]
    uses = callees(module).get(name, 0)
    if uses:
        facts.append("called once" if uses == 1 else f"called {uses} times")
    inside = [f"{buffer.name}: {type_text(buffer.type)}" for buffer in function.allocations]
    return facts + ([f"buffers inside: {', '.join(inside)}"] if inside else [])


def _origin(session: Session, step: int, name: str) -> list[OriginView]:
    """The steps that made or changed the function, oldest first."""
    found: list[OriginView] = []
    before: TensorFunction | None = None
    for snapshot in session.path_to(step):
        now = snapshot.module.tensor_functions.get(name)
        if now is not None and now != before:
            detail = "made" if before is None else "rewritten"
            source = "import" if snapshot.parent is None else f"step {snapshot.index}"
            text = name if snapshot.parent is None else f"{snapshot.name}: {detail}"
            found.append(OriginView(source=source, detail=text, step=snapshot.index))
        before = now
    return found
