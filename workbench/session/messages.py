"""Messages between the kernel and the process that measures.

A message is a pickled value; the bytes of its arrays follow it as they are, so that they are
neither pickled nor copied on the way. Both ends are our own processes.
"""

from __future__ import annotations

import pickle
import struct
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeAlias, cast

import numpy as np

from workbench.session.experiment import Experiment, Results
from workbench.support import Diagnostic

_COUNT = struct.Struct("<Q")


@dataclass(frozen=True, slots=True)
class Measure:
    """Do this experiment. Its modules have no pool: `constants` are those that are new by hash.

    With `forget`, the constants of before go first.
    """

    number: int
    experiment: Experiment
    constants: dict[str, Any]
    forget: bool


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop the experiment of that number, if it still runs."""

    number: int


@dataclass(frozen=True, slots=True)
class Ping:
    """Answer, if you are alive."""


Request: TypeAlias = Measure | Stop | Ping


@dataclass(frozen=True, slots=True)
class Alive:
    """The answer to a ping; also sent once when the process is ready."""


@dataclass(frozen=True, slots=True)
class Doing:
    """Progress of an experiment."""

    number: int
    what: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of an experiment: results, or why there are none; neither after `Stop`."""

    number: int
    results: Results | None = None
    faults: tuple[Diagnostic, ...] = ()


Reply: TypeAlias = Alive | Doing | Finished


def encode(message: Request | Reply) -> list[Any]:
    """The parts of a message, to be written one after the other.

    Raises:
        RecursionError: where a module is nested too deeply.
    """
    buffers: list[pickle.PickleBuffer] = []
    text = pickle.dumps(message, protocol=5, buffer_callback=buffers.append)
    parts: list[Any] = [text, *(buffer.raw() for buffer in buffers)]
    sizes = b"".join(_COUNT.pack(len(part)) for part in parts)
    return [_COUNT.pack(len(parts)) + sizes, *parts]


def write(stream: BinaryIO, parts: list[Any]) -> None:
    """Write the parts of a message.

    Raises:
        OSError: nobody reads any more.
    """
    for part in parts:
        rest = memoryview(part)
        while rest:
            rest = rest[stream.write(rest) :]
    stream.flush()


def read(stream: BinaryIO) -> Any:  # noqa: ANN401
    """The next message.

    Raises:
        EOFError: the other end is gone.
    """
    (count,) = _COUNT.unpack(_bytes(stream, _COUNT.size))
    sizes = struct.unpack(f"<{count}Q", _bytes(stream, count * _COUNT.size))
    text, *buffers = [_bytes(stream, size) for size in sizes]
    return pickle.loads(text, buffers=buffers)


def _bytes(stream: BinaryIO, size: int) -> Any:  # noqa: ANN401
    """`size` bytes in memory of the kind that arrays have."""
    memory: Any = np.empty(size, np.uint8)
    rest = memoryview(memory)
    while rest:
        got: int = cast("Any", stream).readinto(rest)
        if not got:
            raise EOFError
        rest = rest[got:]
    return memory
