"""What a session tells its listeners; they are called from any thread and return at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from workbench.session.comparison import Comparison
from workbench.session.worker import Job


@dataclass(frozen=True, slots=True)
class Changed:
    """History, head or a verdict changed."""


@dataclass(frozen=True, slots=True)
class Selected:
    """Somebody selected the value of that key; `in_view` where a view says so of itself."""

    key: str
    in_view: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """A job reported."""

    job: Job


@dataclass(frozen=True, slots=True)
class Measured:
    """A comparison is ready; `node` is the value whose implementations were measured."""

    comparison: Comparison
    node: str | None = None


Event: TypeAlias = Changed | Selected | Progress | Measured
Listener: TypeAlias = Callable[[Event], None]


class Listeners:
    """A set of listeners."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self._lock = threading.Lock()

    def add(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with every event from now on; gives the function that ends it."""
        with self._lock:
            self._listeners.append(listener)
        return lambda: self.remove(listener)

    def remove(self, listener: Listener) -> None:
        """Forget a listener."""
        with self._lock:
            if listener in self._listeners:
                self._listeners.remove(listener)

    def __call__(self, event: Event) -> None:
        """Tell everybody."""
        with self._lock:
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener(event)
