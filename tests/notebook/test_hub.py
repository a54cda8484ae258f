from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, ClassVar

import msgspec
import pytest

import workbench as wb
from tests.session.programs import SMALL, Identity, Raises, SwapOperands, small
from workbench.notebook import hub
from workbench.notebook.hub import hub_of, refresh_all
from workbench.notebook.kernel import on_open
from workbench.rewrite import register_pass
from workbench.session import Session
from workbench.view.protocol import VERSION

Handler = Callable[[dict[str, Any]], None]


def _nobody(_message: dict[str, Any]) -> None:
    pytest.fail("nobody listens")


class FakeComm:
    """Keeps what is sent; `say` delivers a message as the kernel does."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.heard = threading.Condition()
        self.message: Handler = _nobody
        self.closed: Handler = _nobody

    def on_msg(self, handler: Handler) -> None:
        self.message = handler

    def on_close(self, handler: Handler) -> None:
        self.closed = handler

    def send(self, data: dict[str, Any]) -> None:
        with self.heard:
            self.sent.append(data)
            self.heard.notify_all()

    def say(self, **data: object) -> None:
        started = time.perf_counter()
        self.message({"content": {"data": data}})
        assert time.perf_counter() - started < 0.2

    def wait(self, kind: str, **fields: object) -> dict[str, Any]:
        """The first message of that type with those fields."""

        def found() -> dict[str, Any] | None:
            for message in self.sent:
                if message["type"] == kind and all(message[k] == v for k, v in fields.items()):
                    return message
            return None

        with self.heard:
            assert self.heard.wait_for(lambda: found() is not None, 30), self.sent
            result = found()
        assert result is not None
        return result


@pytest.fixture
def session() -> Session:
    return wb.open(small())


@pytest.fixture
def comm(session: Session) -> FakeComm:
    return connect(session.key)


def display(item: Any) -> dict[str, Any]:  # noqa: ANN401
    """What IPython asks for."""
    return item._repr_mimebundle_()


def connect(key: str) -> FakeComm:
    comm = FakeComm()
    data = {"type": "open", "id": 1, "step": 0, "key": key}
    on_open(comm, {"content": {"data": data}})
    return comm


def test_hello_has_the_history_and_the_picture(comm: FakeComm) -> None:
    hello = comm.wait("hello")
    assert hello["version"] == VERSION
    assert hello["session"]["head"] == 0
    assert [n["label"] for n in hello["module"]["functions"][0]["nodes"]][3:] == [
        "matmul", "add", "relu",
    ]  # fmt: skip


def test_an_unknown_key_is_told_to_run_the_cell_again() -> None:
    assert "run the cell again" in connect("stale").wait("unknown")["message"]


def test_apply_answers_and_all_views_hear_of_the_verdict(session: Session, comm: FakeComm) -> None:
    other = connect(session.key)
    other.wait("hello")
    comm.say(type="apply", id=2, step=0, name="LegalizeOps", node=None)
    applied = comm.wait("applied", reply_to=2)
    assert applied["step"] == 1
    assert applied["code"] == "s.apply(wb.passes.LegalizeOps())"
    session.wait()
    for view in (comm, other):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            told = [m["session"]["steps"] for m in view.sent if m["type"] == "session"]
            if told and len(told[-1]) == 2 and told[-1][1]["verdict"]["text"].startswith("✓"):
                break
            time.sleep(0.01)
        else:
            pytest.fail(f"no verdict: {view.sent}")
    assert not any(message["type"] == "applied" for message in other.sent)


def test_the_process_that_measures_starts_once_there_is_something_to_compare(
    comm: FakeComm, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = threading.Event()
    monkeypatch.setattr(hub, "prepare", started.set)
    monkeypatch.setattr(hub, "process_id", lambda: None)
    comm.wait("hello")
    assert not started.is_set()
    comm.say(type="apply", id=2, step=0, name="LegalizeOps", node=None)
    assert started.wait(30)


def test_applying_on_an_older_step_branches_there(session: Session, comm: FakeComm) -> None:
    session.apply("LegalizeOps")
    session.apply("FuseOps")
    comm.say(type="apply", id=2, step=1, name="DispatchToLibrary", node=None)
    assert comm.wait("applied", reply_to=2)["step"] == 3
    assert session.steps[3].parent == 1


def test_a_pass_registered_later_applies_at_steps_already_visited(
    session: Session, comm: FakeComm
) -> None:
    session.apply("LegalizeOps")
    assert session.wait()
    comm.say(type="actions", id=2, step=0, node=None)
    before = comm.wait("actions", reply_to=2)["actions"]
    refresh_all()
    known = comm.wait("hello")["session"]["catalogue"]

    @register_pass
    class Registered(Identity):
        name: ClassVar[str] = "registered-in-a-cell"

    assert Registered.__name__ not in {action["name"] for action in before}
    refresh_all()
    with comm.heard:
        assert comm.heard.wait_for(
            lambda: any(
                m["type"] == "session" and m["session"]["catalogue"] != known for m in comm.sent
            ),
            20,
        )
    comm.say(type="actions", id=3, step=0, node=None)
    after = comm.wait("actions", reply_to=3)["actions"]
    assert [action["name"] for action in after if action not in before] == ["Registered"]


def test_cells_that_register_nothing_tell_the_views_nothing(
    session: Session, comm: FakeComm
) -> None:
    comm.wait("hello")
    count = len(comm.sent)
    refresh_all()
    comm.say(type="actions", id=2, step=session.head.index, node=None)
    comm.wait("actions", reply_to=2)
    assert len(comm.sent) == count + 1


def test_a_refused_intent_moves_nothing(session: Session, comm: FakeComm) -> None:
    session.apply("LegalizeOps")
    register_pass(Raises)
    comm.say(type="apply", id=2, step=0, name="Raises", node=None)
    failed = comm.wait("failed", reply_to=2)
    assert failed["diagnostics"][0]["code"] == "session/pass-raised"
    assert session.head.index == 1
    comm.say(type="apply", id=3, step=1, name="FuseOps", node=None)
    assert comm.wait("applied", reply_to=3)["step"] == 2


@pytest.mark.parametrize(
    "data",
    [
        {"type": "nonsense", "id": 9},
        {"type": "apply", "id": 9, "step": "one", "name": "LegalizeOps"},
        {"id": 9},
        ["not", "a", "dictionary"],
        "text",
    ],
)
def test_bad_messages_are_refused_and_the_next_is_answered(comm: FakeComm, data: object) -> None:
    comm.message({"content": {"data": data}})
    assert comm.wait("failed")["diagnostics"][0]["code"] == "view/bad-intent"
    comm.say(type="show", id=10, step=0)
    assert comm.wait("module", reply_to=10)["module"]["step"] == 0


@pytest.mark.parametrize(
    ("intent", "reply"),
    [
        ({"type": "show", "step": 1}, "module"),
        ({"type": "detail", "step": 1, "node": "main/4"}, "detail"),
        ({"type": "actions", "step": 1, "node": None}, "actions"),
        ({"type": "actions", "step": 1, "node": "main/4"}, "actions"),
        ({"type": "diff", "step": 1, "a": 0, "b": 1}, "diff"),
        ({"type": "script", "step": 1}, "text"),
        ({"type": "recipe", "step": 1}, "text"),
        ({"type": "checkout", "step": 0}, "applied"),
        ({"type": "swap", "step": 1, "node": "main/4",
          "implementation": "library numpy.matmul"}, "applied"),
        ({"type": "show", "step": 99}, "failed"),
        ({"type": "detail", "step": 1, "node": "main/999"}, "failed"),
        ({"type": "cancel", "step": 1}, "failed"),
    ],
)  # fmt: skip
def test_every_intent_is_answered(
    session: Session, comm: FakeComm, intent: dict[str, Any], reply: str
) -> None:
    session.apply("LegalizeOps")
    session.wait()
    comm.say(id=7, **intent)
    message = comm.wait(reply, reply_to=7)
    msgspec.json.encode(message)


def test_edit_with_three_mistakes_reports_three(session: Session, comm: FakeComm) -> None:
    session.apply("LegalizeOps")
    text = """
@T.prim_func
def relu(x: T.Buffer((4,), "float32"), y: T.Buffer((4,), "float32")):
    for i in range(4):
        y[i] = a[i]
    for i in range(4):
        y[i] = b[i]
    for i in range(4):
        y[i] = c[i]
"""
    comm.say(type="edit", id=2, step=1, node="main/6", text=text)
    failed = comm.wait("failed", reply_to=2)
    assert len(failed["diagnostics"]) == 3
    assert all("^" in d["text"] for d in failed["diagnostics"])
    assert len(session.steps) == 2


def test_measure_reports_progress_and_ends_with_bars(session: Session, comm: FakeComm) -> None:
    session.apply("LegalizeOps")
    comm.say(type="measure", id=2, step=1, node="main/4")
    comparison = comm.wait("comparison", node="main/4")["comparison"]
    assert any(bar["best"] for bar in comparison["bars"])
    assert comm.wait("job", state="running", reply_to=2)
    assert comm.wait("job", state="done", reply_to=2)


def test_compare_broadcasts_and_the_history_has_times(session: Session, comm: FakeComm) -> None:
    session.apply("LegalizeOps")
    comm.say(type="compare", id=2, step=1, steps=[])
    bars = comm.wait("comparison", node=None)["comparison"]["bars"]
    assert [bar["step"] for bar in bars] == [0, 1]
    assert hub_of(session).views.history().steps[1].milliseconds is not None


def test_selection_from_code_reaches_the_views(session: Session, comm: FakeComm) -> None:
    comm.wait("hello")
    session.select("main/4")
    assert comm.wait("selection")["node"] == "main/4"


def test_a_click_in_a_view_is_the_selection_of_the_session(
    session: Session, comm: FakeComm
) -> None:
    widget = session.widget()
    comm.wait("hello")
    for number, (said, key) in enumerate([("main/5", "main/5"), ("main/4", "main/4"), (None, "")]):
        comm.say(type="select", id=10 + number, step=0, node=said)
        comm.say(type="detail", id=20 + number, step=0, node="main/3")  # asking selects nothing
        comm.wait("detail", reply_to=20 + number)
        assert (session.selection, widget.selection) == (key, key)
    assert not any(message["type"] == "selection" for message in comm.sent)


def test_a_closed_view_does_not_hinder_the_others(session: Session, comm: FakeComm) -> None:
    other = connect(session.key)
    other.wait("hello")

    def broken(data: object) -> None:
        raise RuntimeError(data)

    comm.wait("hello")
    comm.send = broken
    session.apply(SwapOperands())
    other.wait("session")
    comm.closed({})


def test_the_bundle_has_the_live_key_and_the_fallbacks(session: Session) -> None:
    bundle = display(session)
    live = bundle["application/vnd.workbench.v1+json"]
    assert live["key"] == session.key
    assert live["data"]["version"] == VERSION
    assert bundle["image/svg+xml"].startswith("<svg")
    assert "data:image/svg+xml;base64," in bundle["text/html"]
    assert "<svg" not in bundle["text/html"]
    assert bundle["text/plain"].startswith("Session")
    assert wb.open(wb.parse(SMALL)).key != session.key


def test_a_step_displays_as_one_row(session: Session) -> None:
    step = session.apply("LegalizeOps")
    session.wait()
    bundle = display(step)
    assert bundle["text/plain"].startswith("1 LegalizeOps ~3 · ✓")
    assert "<img" not in bundle["text/html"]
    assert "application/vnd.workbench.v1+json" not in bundle


def test_widget_follows_the_session_and_leads_it(session: Session) -> None:
    widget = session.widget()
    session.apply("LegalizeOps")
    assert (widget.step, widget.last) == (1, 1)
    seen: list[int] = []
    widget.observe(lambda change: seen.append(change["new"]), "step")
    widget.step = 0
    assert session.head.index == 0
    widget.step = 99
    assert session.head.index == 1
    assert seen == [0, 1]
    widget.selection = "main/4"
    assert session.selection == "main/4"
    session.select("main/5")
    assert widget.selection == "main/5"


def test_primitives_at_a_loop_are_offered_tried_and_performed() -> None:
    session = wb.open(
        wb.parse(
            """
@T.prim_func
def total(A: T.Buffer((64,), "float32"), B: T.Buffer((1,), "float32")):
    for i in range(64):
        with T.block("B"):
            vi = T.axis.reduce(64, i)
            with T.init():
                B[0] = T.float32(0)
            B[0] = B[0] + A[vi]
"""
        )
    )
    comm = connect(session.key)
    comm.say(type="detail", id=2, step=0, node="total/")
    rows = comm.wait("detail", reply_to=2)["detail"]["loops"]
    place = next(row["node"] for row in rows if row["name"] == "i")
    offers: list[dict[str, Any]] = []
    facts: list[str] = []
    skip, number = 0, 3
    while skip is not None:
        comm.say(type="offers", id=number, step=0, place=place, skip=skip)
        reply = comm.wait("offers", reply_to=number)
        offers += reply["offers"]
        facts = reply["facts"]
        skip, number = reply["next"], number + 1
    assert any("reduction" in line for line in facts)
    answers = {offer["name"]: offer["answer"] for offer in offers}
    assert answers["Split"] == "applies"
    assert answers["Parallel"] == "illegal"
    tried = {"name": "Split", "arguments": {"loop": "i", "factors": "None, 4"}}
    comm.say(type="try", id=90, step=0, place=place, **tried)
    (offer,) = comm.wait("offers", reply_to=90)["offers"]
    assert len(session.steps) == 1
    arguments = offer["choices"][0]["arguments"]
    comm.say(type="perform", id=91, step=0, name="Split", arguments=arguments)
    assert comm.wait("applied", reply_to=91)["step"] == 1
    assert session.head.label.startswith("Split i [None, 4]")
    comm.say(type="perform", id=92, step=0, name="Parallel", arguments={"loop": "i"})
    failed = comm.wait("failed", reply_to=92)
    assert failed["diagnostics"][0]["code"] == "schedule/illegal"
