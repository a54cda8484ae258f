"""Which sessions live on though no Python name holds them: those that somebody may look at.

A picture that is on show keeps its session; one whose output was cleared, or whose cell was run
again, does not. Then the session lives as long as the user's code has it, and the history of
outputs that IPython keeps does not count if the cell that opened the session was run again.
"""

from __future__ import annotations

import gc
import threading
from weakref import WeakKeyDictionary, WeakSet

from workbench.notebook.shell import Cell, current_cell, forget_outputs, name_of
from workbench.session import Session, Step

AWAITED = 32
"""Pictures that no view has asked for yet: while all cells run, views cannot ask."""
CLOSED = 4
"""Pictures that are closed and may come back: a notebook is closed and opened again."""
STALE = 4
"""Pictures on show whose cell was run again; a page that was reloaded closes nothing."""


class Kept:
    """Holds sessions. All methods may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._seen: WeakSet[Session] = WeakSet()
        self._latest: dict[str, int] = {}
        """Number of the last run of each cell that opened or displayed a session."""
        self._opened: WeakKeyDictionary[Session, Cell] = WeakKeyDictionary()
        self._displayed: WeakKeyDictionary[Session, Cell] = WeakKeyDictionary()
        self._awaited: dict[Session, None] = {}
        self._shown: dict[Session, None] = {}
        self._closed: dict[Session, None] = {}
        self._due = False
        """Whether something was let go of since a cell collected what nobody holds."""

    def opened(self, session: Session) -> None:
        """The running cell made a session."""
        with self._lock:
            self._seen.add(session)
            self._note(session, self._opened)
        self._release()
        self._due = False

    def displayed(self, session: Session) -> None:
        """The output of the running cell has the picture of a session."""
        with self._lock:
            self._seen.add(session)
            self._note(session, self._displayed)
            if session not in self._shown:
                self._closed.pop(session, None)
                self._awaited[session] = None
        self._release()
        self._due = False

    def connected(self, session: Session) -> None:
        """A view asked for the session."""
        with self._lock:
            self._seen.add(session)
            for places in (self._awaited, self._closed, self._shown):
                places.pop(session, None)
            self._shown[session] = None
        self._release()

    def disconnected(self, session: Session) -> None:
        """The last view of the session is gone."""
        with self._lock:
            if session in self._shown:
                del self._shown[session]
                self._closed[session] = None
        self._release()

    def _note(self, session: Session, cells: WeakKeyDictionary[Session, Cell]) -> None:
        cell = current_cell()
        if cell is not None:
            cells[session] = cell
            self._latest[cell.name] = cell.run

    def _release(self) -> None:
        """Let go of what is over; free it now, since the collector does not see large arrays.

        While a view leaves, its session is still in use: the next cell frees it.
        """
        with self._lock:
            before = self._count()
            again = [s for s in self._seen if self._was_run_again(self._displayed.get(s))]
            for session in again:
                self._awaited.pop(session, None)
                self._closed.pop(session, None)
            _trim(self._awaited, AWAITED)
            _trim(self._closed, CLOSED)
            for session in [s for s in self._shown if s in again][:-STALE]:
                del self._shown[session]
            self._due |= self._count() < before
            over = [s for s in self._seen if self._is_over(s)]
        if over and forget_outputs(lambda value: _belongs(value, over)):
            self._due = True
        again.clear()
        over.clear()
        if self._due:
            gc.collect()

    def _count(self) -> int:
        return len(self._awaited) + len(self._shown) + len(self._closed)

    def _is_over(self, session: Session) -> bool:
        held = session in self._awaited or session in self._shown or session in self._closed
        again = self._was_run_again(self._opened.get(session))
        return again and not held and name_of(session) is None

    def _was_run_again(self, cell: Cell | None) -> bool:
        return cell is not None and self._latest[cell.name] > cell.run


def _trim(places: dict[Session, None], count: int) -> None:
    for session in list(places)[: max(0, len(places) - count)]:
        del places[session]


def _belongs(value: object, sessions: list[Session]) -> bool:
    """Whether an output is one of the sessions, or a step of one."""
    if isinstance(value, Session):
        return any(value is session for session in sessions)
    return isinstance(value, Step) and any(
        value.snapshot is step.snapshot for session in sessions for step in session.steps
    )


KEPT = Kept()
"""Those of this process."""
