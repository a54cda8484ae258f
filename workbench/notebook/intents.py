"""What each intent of a view does."""

from __future__ import annotations

from typing import Any, Protocol, assert_never

from workbench.session import Session, Step
from workbench.session.naming import exact_name
from workbench.support import CompileError, Diagnostic
from workbench.view.history import step_code
from workbench.view.messages import (
    Actions,
    ActionsReply,
    AnyIntent,
    Applied,
    Apply,
    Cancel,
    Checkout,
    Compare,
    Detail,
    DetailReply,
    Diff,
    DiffReply,
    Edit,
    Hello,
    JobProgress,
    Measure,
    Memory,
    MemoryReply,
    Message,
    ModuleReply,
    Offers,
    OffersReply,
    Open,
    Perform,
    Recipe,
    Script,
    Select,
    Show,
    Swap,
    TextReply,
    Try,
)
from workbench.view.offers import place_facts, primitive_of, some_offers, try_primitive
from workbench.view.protocol import VERSION
from workbench.view.text import plain_text
from workbench.view.views import SessionViews

OFFER_SECONDS = 0.03
"""After this a list of offers is sent as far as it is; the view asks for the rest."""


class Desk(Protocol):
    """What answering needs: the session, its view data, and who started which job."""

    session: Session
    views: SessionViews
    jobs: dict[int, int]


def answer(desk: Desk, intent: AnyIntent) -> Message | None:
    """Do what the intent asks; the answer, None where only broadcasts follow.

    Raises:
        CompileError: why not.
    """
    match intent:
        case Open() | Show() | Detail() | Actions() | Diff() | Script() | Recipe():
            return _ask(desk, intent)
        case Memory():
            memory = desk.views.memory(intent.step, intent.function)
            return MemoryReply(reply_to=intent.id, memory=memory)
        case Offers() | Try():
            return _offers(desk, intent)
        case Apply() | Perform() | Edit() | Swap() | Checkout():
            return _change(desk, intent)
        case Measure() | Compare() | Cancel():
            return _work(desk, intent)
        case Select():
            desk.session.select(intent.node or "", in_view=True)
            return None
        case _:
            assert_never(intent)


def _ask(desk: Desk, intent: Open | Show | Detail | Actions | Diff | Script | Recipe) -> Message:
    views, number = desk.views, intent.id
    match intent:
        case Open():
            history = views.history()
            return Hello(version=VERSION, session=history, module=views.module(history.head))
        case Show():
            return ModuleReply(reply_to=number, module=views.module(intent.step))
        case Detail():
            return DetailReply(reply_to=number, detail=views.detail(intent.step, intent.node))
        case Actions():
            return _actions(desk, intent)
        case Diff():
            return DiffReply(reply_to=number, diff=views.diff(intent.a, intent.b))
        case Script():
            tokens = views.script(intent.step)
            return TextReply(reply_to=number, text=plain_text(tokens), tokens=tokens)
        case Recipe():
            return TextReply(reply_to=number, text=desk.session.recipe(intent.step))
        case _:
            assert_never(intent)


def _actions(desk: Desk, intent: Actions) -> Message:
    if intent.node is None:
        found = desk.views.actions(intent.step, intent.numbers)
    else:
        found = desk.views.detail(intent.step, intent.node).actions
    return ActionsReply(reply_to=intent.id, step=intent.step, actions=found)


def _offers(desk: Desk, intent: Offers | Try) -> Message:
    module, variable = desk.session.snapshot(intent.step).module, desk.views.variable
    if isinstance(intent, Try):
        found = [try_primitive(module, intent.name, intent.arguments, variable)]
        return OffersReply(reply_to=intent.id, step=intent.step, place=intent.place, offers=found)
    found, more = some_offers(module, intent.place, variable, intent.skip, OFFER_SECONDS)
    return OffersReply(
        reply_to=intent.id,
        step=intent.step,
        place=intent.place,
        offers=found,
        facts=place_facts(module, intent.place) if more is None else [],
        skip=intent.skip,
        next=more,
    )


def _change(desk: Desk, intent: Apply | Perform | Edit | Swap | Checkout) -> Message:
    session = desk.session
    match intent:
        case Perform():
            step = session.apply(primitive_of(intent.name, intent.arguments), intent.step)
        case Apply():
            chosen = desk.views.pass_named(intent.name, intent.step, intent.node, intent.numbers)
            step = session.apply(chosen, intent.step)
        case Edit():
            step = session.edit(intent.node, intent.text, intent.step)
        case Swap():
            step = session.swap(intent.node, intent.implementation, intent.step)
        case Checkout():
            step = session.checkout(intent.step)
        case _:
            assert_never(intent)
    return Applied(reply_to=intent.id, step=step.index, code=_code(desk, intent, step))


def _code(desk: Desk, intent: Apply | Perform | Edit | Swap | Checkout, step: Step) -> str:
    variable = desk.views.variable
    if isinstance(intent, Checkout):
        return f"{variable}.checkout({step.index})"
    if isinstance(intent, Swap):
        name = _name_of(desk.session, intent)
        return f"{variable}.swap({name!r}, {intent.implementation!r})"
    return step_code(step, variable)


def _name_of(session: Session, intent: Swap) -> str:
    value = session.lineage(intent.step).value(intent.node)
    module = session.snapshot(intent.step).module
    return intent.node if value is None else exact_name(module, value)


def _work(desk: Desk, intent: Measure | Compare | Cancel) -> Message | None:
    session = desk.session
    match intent:
        case Measure():
            job: Any = session.start_measure(intent.node, intent.step)
        case Compare():
            job = session.start_compare(list(intent.steps) or None)
        case Cancel():
            if session.cancel(checks=False) == 0 and session.cancel() == 0:
                raise CompileError(Diagnostic("session/nothing-runs", "nothing is running"))
            return JobProgress(
                job=0, phase="cancelling", done=0, total=0, state="running", reply_to=intent.id
            )
        case _:
            assert_never(intent)
    desk.jobs[job.number] = intent.id
    return None
