"""The kernel side of the comm: target `workbench`, one connection for each comm."""

from __future__ import annotations

import sys
from typing import Any

import msgspec

from workbench.notebook.hub import Hub, find_hub, hub_of
from workbench.session import Session
from workbench.support import Diagnostic
from workbench.view.history import diagnostic_view
from workbench.view.messages import AnyIntent, Failed, Message, Open, Unknown

TARGET = "workbench"


class CommConnection:
    """A view behind a comm. The first intent names the session."""

    def __init__(self, comm: Any) -> None:  # noqa: ANN401
        self._comm = comm
        self._hub: Hub | None = None
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
            self._hub = find_hub(intent.key)
        if self._hub is None:
            self.send(Unknown(message="the kernel does not know this picture: run the cell again"))
            return
        self._hub.submit(self, intent)

    def _on_message(self, message: dict[str, Any]) -> None:
        self.receive(message["content"]["data"])

    def _on_close(self, _message: object) -> None:
        if self._hub is not None:
            self._hub.disconnect(self)


def on_open(comm: Any, message: dict[str, Any]) -> None:  # noqa: ANN401
    """Called by the kernel when a view opens a comm; its data may hold the first intent."""
    connection = CommConnection(comm)
    data = message["content"]["data"]
    if data:
        connection.receive(data)


def register() -> bool:
    """Register the comm target; whether there is a kernel to register it with."""
    shell = _shell()
    kernel = getattr(shell, "kernel", None)
    manager = getattr(kernel, "comm_manager", None)
    if manager is None:
        return False
    manager.register_target(TARGET, on_open)
    return True


def attach(session: Session) -> Session:
    """Make a session known to views that ask for its key; gives it back."""
    register()
    hub_of(session).name_variable = lambda: variable_of(session)
    return session


def variable_of(session: Session) -> str:
    """The name that the user's code has for the session, `s` where it has none."""
    shell = _shell()
    space = getattr(shell, "user_ns", {})
    names = [n for n, item in list(space.items()) if item is session and not n.startswith("_")]
    return names[0] if names else "s"


def _shell() -> Any:  # noqa: ANN401
    """IPython's shell, if this process runs under IPython; does not import it."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None
