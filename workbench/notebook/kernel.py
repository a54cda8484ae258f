"""The kernel side of the comm: target `workbench`, one connection for each comm."""

from __future__ import annotations

from typing import Any

import msgspec

from workbench.notebook.hub import find_hub, hub_of, refresh_all
from workbench.notebook.kept import KEPT
from workbench.notebook.shell import after_cells, name_of, shell
from workbench.session import Session
from workbench.support import Diagnostic
from workbench.view.history import diagnostic_view
from workbench.view.messages import AnyIntent, Failed, Message, Open, Unknown

TARGET = "workbench"


class CommConnection:
    """A view behind a comm. The first intent names the session, which the comm does not hold."""

    def __init__(self, comm: Any) -> None:  # noqa: ANN401
        self._comm = comm
        self._key = ""
        comm.on_msg(self._on_message)
        comm.on_close(self._on_close)

    def send(self, message: Message) -> None:
        """Send a message as the comm's data."""
        self._comm.send(data=msgspec.to_builtins(message))

    def receive(self, data: object) -> None:
        """Take one intent: validate, enqueue, return."""
        try:
            intent = msgspec.convert(data, AnyIntent)
        except msgspec.ValidationError as error:
            number = data.get("id") if isinstance(data, dict) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
            fault = Diagnostic("view/bad-intent", f"the message cannot be read: {error}")
            reply_to = number if isinstance(number, int) else -1
            self.send(Failed(reply_to=reply_to, diagnostics=[diagnostic_view(fault)]))
            return
        if isinstance(intent, Open):
            self._key = intent.key
        hub = find_hub(self._key)
        if hub is None:
            self.send(Unknown(message="the kernel does not know this picture: run the cell again"))
            return
        hub.submit(self, intent)

    def _on_message(self, message: dict[str, Any]) -> None:
        self.receive(message["content"]["data"])

    def _on_close(self, _message: object) -> None:
        hub = find_hub(self._key)
        if hub is not None:
            hub.leave(self)


def on_open(comm: Any, message: dict[str, Any]) -> None:  # noqa: ANN401
    """Called by the kernel when a view opens a comm; its data may hold the first intent."""
    connection = CommConnection(comm)
    data = message["content"]["data"]
    if data:
        connection.receive(data)


def register() -> bool:
    """Register the comm target; whether there is a kernel to register it with."""
    kernel = getattr(shell(), "kernel", None)
    manager = getattr(kernel, "comm_manager", None)
    if manager is None:
        return False
    manager.register_target(TARGET, on_open)
    after_cells(refresh_all)
    return True


def attach(session: Session) -> Session:
    """Make a session known to views that ask for its key; gives it back."""
    register()
    hub_of(session).name_variable = lambda: variable_of(session)
    KEPT.opened(session)
    return session


def variable_of(session: Session) -> str:
    """The name that the user's code has for the session, `s` where it has none."""
    return name_of(session) or "s"
