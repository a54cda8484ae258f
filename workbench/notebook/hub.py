"""The hub of a session: takes intents from all connected views, answers, and broadcasts.

Handlers of messages only enqueue; one thread for each session does the work, so that a slow answer
never blocks the next message, the kernel or a cell. The thread ends when there is nothing to do: it
holds the session.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol
from weakref import WeakValueDictionary

from workbench.notebook.intents import answer
from workbench.notebook.kept import KEPT
from workbench.session import Changed, Event, Measured, Progress, Selected, Session
from workbench.session.apart import prepare, process_id
from workbench.session.catalogue import catalogue_version
from workbench.session.worker import internal_fault
from workbench.support import FOREIGN_FAULTS, CompileError
from workbench.view.compared import comparison_view
from workbench.view.history import fault_views
from workbench.view.messages import (
    AnyIntent,
    ComparisonReply,
    Failed,
    JobProgress,
    Message,
    Open,
    SelectionChanged,
    SessionChanged,
)
from workbench.view.views import SessionViews


class Connection(Protocol):
    """One connected view."""

    def send(self, message: Message) -> None:
        """Send a message; may be called from any thread."""
        ...


@dataclass
class _Task:
    run: Callable[[], None]
    done: threading.Event = field(default_factory=threading.Event)


class Hub:
    """Everything that the views of one session share."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.views = SessionViews(session)
        self.jobs: dict[int, int] = {}
        """Number of the intent that started each job."""
        self.name_variable: Callable[[], str] = lambda: "s"
        self._connections: list[Connection] = []
        self._tasks: deque[_Task] = deque()
        self._lock = threading.Lock()
        self._announced = False
        self._catalogue = catalogue_version()
        self._thread: threading.Thread | None = None
        session.subscribe(self._on_event)

    def connect(self, connection: Connection) -> None:
        """Broadcasts go to this view too from now on."""
        with self._lock:
            self._connections.append(connection)
        KEPT.connected(self.session)

    def disconnect(self, connection: Connection) -> None:
        """Forget a view; without any, the session lives as long as Python code has it."""
        with self._lock:
            if connection in self._connections:
                self._connections.remove(connection)
            alone = not self._connections
        if alone:
            KEPT.disconnected(self.session)

    def submit(self, connection: Connection, intent: AnyIntent) -> threading.Event:
        """Answer an intent in the hub's thread; the event is set when that is done."""
        return self._put(lambda: self._answer(connection, intent))

    def leave(self, connection: Connection) -> threading.Event:
        """Forget a view once its intents are answered; the event is set when that is done."""
        return self._put(lambda: self.disconnect(connection))

    def broadcast(self, message: Message) -> None:
        """Send to all views; one that is gone does not hinder the others."""
        with self._lock:
            connections = tuple(self._connections)
        for connection in connections:
            self._send(connection, message)

    def refresh(self, version: int) -> None:
        """Tell the views if the catalogue has another version than when they were told last."""
        with self._lock:
            changed, self._catalogue = version != self._catalogue, version
        if changed:
            self._on_event(Changed())

    def _send(self, connection: Connection, message: Message) -> None:
        try:
            connection.send(message)
        except (OSError, RuntimeError, ValueError):
            self.disconnect(connection)

    def _answer(self, connection: Connection, intent: AnyIntent) -> None:
        try:
            reply = answer(self, intent)
        except CompileError as error:
            reply = Failed(reply_to=intent.id, diagnostics=fault_views(error))
        except FOREIGN_FAULTS as error:  # the edge: nothing that a view asks may end the thread
            fault = internal_fault(error)
            reply = Failed(reply_to=intent.id, diagnostics=fault_views(fault))
        if isinstance(intent, Open):
            self.connect(connection)
        if reply is not None:
            self._send(connection, reply)

    def _put(self, run: Callable[[], None]) -> threading.Event:
        task = _Task(run)
        with self._lock:
            self._tasks.append(task)
            if self._thread is None:
                name = f"workbench-views-{self.session.key[:8]}"
                self._thread = threading.Thread(target=self._loop, name=name, daemon=True)
                self._thread.start()
        return task.done

    def _loop(self) -> None:
        while True:
            with self._lock:
                if not self._tasks:
                    self._thread = None
                    return
                task = self._tasks.popleft()
            try:
                task.run()
            finally:
                task.done.set()

    # --- events of the session -------------------------------------------------------------------

    def _on_event(self, event: Event) -> None:
        """Called from any thread: only enqueues. Changes in a burst make one broadcast."""
        match event:
            case Changed():
                with self._lock:
                    if self._announced or not self._connections:
                        return
                    self._announced = True
                self._put(self._announce)
            case Progress(job=job):
                state = "running" if job.state == "queued" else job.state
                message = JobProgress(
                    job=job.number,
                    phase=job.title,
                    done=job.done,
                    total=job.total,
                    state=state,
                    reply_to=self.jobs.get(job.number),
                )
                fault = job.fault
                self._put(lambda: self._report(message, fault))
            case Measured(comparison=comparison, node=node):
                reply = ComparisonReply(
                    reply_to=None, comparison=comparison_view(comparison), node=node
                )
                self._put(lambda: self.broadcast(reply))
            case Selected(in_view=True):
                return
            case Selected(key=key):
                self._put(lambda: self.broadcast(SelectionChanged(node=key or None)))

    def _announce(self) -> None:
        with self._lock:
            self._announced = False
        history = self.views.history()
        self.broadcast(SessionChanged(session=history))
        states = [step.verdict.state for step in history.steps[1:]]
        if states and "checking" not in states and process_id() is None:
            prepare()  # somebody looks, and there is something to compare

    def _report(self, message: JobProgress, fault: CompileError | None) -> None:
        self.broadcast(message)
        if fault is not None and message.reply_to is not None:
            self.broadcast(Failed(reply_to=message.reply_to, diagnostics=fault_views(fault)))


_HUBS: WeakValueDictionary[str, Hub] = WeakValueDictionary()
_LOCK = threading.Lock()


def hub_of(session: Session) -> Hub:
    """The hub of a session; made on first use, it lives as long as the session does."""
    with _LOCK:
        hub = _HUBS.get(session.key)
        if hub is None:
            hub = _HUBS[session.key] = Hub(session)
        return hub


def refresh_all() -> None:
    """After a cell: tell all views if what can be applied is other than it was."""
    version = catalogue_version()
    for hub in list(_HUBS.values()):
        hub.refresh(version)


def find_hub(key: str) -> Hub | None:
    """The hub of the session with that key, if there is such a session still."""
    return _HUBS.get(key)


def views_of(session: Session) -> SessionViews:
    """The view data of a session."""
    hub = hub_of(session)
    hub.views.variable = hub.name_variable()
    return hub.views
