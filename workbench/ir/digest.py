"""Two hashes: an exact digest of modules, and a fingerprint of tensor functions up to renaming."""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import struct
from collections.abc import Callable
from functools import cache
from typing import Any

from typing_extensions import override

from workbench.ir.expr import Var
from workbench.ir.module import Function, IRModule
from workbench.ir.tensor import Block, TensorFunction
from workbench.ir.traverse import node_fields
from workbench.support.diagnostics import CompileError, Diagnostic
from workbench.support.ids import NodeId

DESCRIPTIVE = frozenset({"algorithm", "scheduled"})
"""Attributes that say where a function comes from and do not change what it does."""


def module_digest(module: IRModule) -> str:
    """32 hex digits of the exact module: ids count, spans and the bytes of the pool do not."""
    state = hashlib.blake2b(digest_size=16)
    for name, function in module.functions:
        state.update(f"{name}={function_digest(function)};".encode())
    state.update(repr(module.attrs).encode())
    return state.hexdigest()


def function_digest(function: Function) -> str:
    """32 hex digits of one function, cached in the node.

    Raises:
        CompileError: `ir/too-deep`.
    """
    known = function._digest  # pyright: ignore[reportPrivateUsage]
    if known is None:
        try:
            known = _hash(_Exact(), function)
        except RecursionError:
            raise CompileError(
                Diagnostic(
                    "ir/too-deep",
                    "nodes are nested too deeply",
                    hint="give parts of expressions names, make functions of inner branches",
                )
            ) from None
        object.__setattr__(function, "_digest", known)
    return known


def fingerprint(function: TensorFunction) -> str:
    """32 hex digits equal for tensor functions that are equal up to renaming.

    Keys compiled kernels.
    """
    known = function._fingerprint  # pyright: ignore[reportPrivateUsage]
    if known is not None:
        return known
    attrs = tuple(item for item in function.attrs if item[0] not in DESCRIPTIVE)
    anonymous = dataclasses.replace(function, next_id=0, private=False, attrs=attrs)
    known = _hash(_Canonical(), anonymous)
    object.__setattr__(function, "_fingerprint", known)
    return known


def exact_key(value: object) -> bytes:
    """What nodes, or attributes, share only where each bit is the same; spans do not count.

    `-0.0` is not `0.0`, NaN is itself, and `1`, `1.0` and `True` are three values, which `==`
    does not tell.
    """
    serializer = _Exact()
    serializer.add(value)
    return b"".join(serializer.parts)


def _hash(serializer: _Exact, root: object) -> str:
    serializer.add(root)
    return hashlib.blake2b(b"".join(serializer.parts), digest_size=16).hexdigest()


@cache
def _layout(kind: type) -> tuple[bytes, tuple[str, ...]]:
    """Opening bytes and the fields that count, of a node class."""
    return kind.__name__.encode() + b"{", node_fields(kind)


class _Exact:
    """Writes a tree as bytes: every value with its type, ids and names included."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.vars: dict[int, bytes] = {}

    def add(self, value: Any) -> None:  # noqa: ANN401
        """Append one value."""
        kind: type[Any] = value.__class__
        if kind is tuple:
            self.parts.append(b"(")
            for item in value:
                self.add(item)
            self.parts.append(b")")
        elif (write := _WRITERS.get(kind)) is not None:
            self.parts.append(write(value))
        elif isinstance(value, enum.Enum):
            self.parts.append(value.name.encode())
        else:
            self.node(value, kind)

    def node(self, value: Any, kind: type) -> None:  # noqa: ANN401
        """Append a node, field by field; a variable object that comes again is written once."""
        if kind is Var:
            if id(value) not in self.vars:
                start = len(self.parts)
                self.fields(value, kind)
                self.vars[id(value)] = b"".join(self.parts[start:])
                del self.parts[start:]
            self.parts.append(self.vars[id(value)])
        else:
            self.fields(value, kind)

    def fields(self, value: Any, kind: type) -> None:  # noqa: ANN401
        """Append the fields of a node."""
        opening, names = _layout(kind)
        parts = self.parts
        parts.append(opening)
        for name in names:
            field = getattr(value, name)
            write = _WRITERS.get(field.__class__)
            if write is None:
                self.add(field)
            else:
                parts.append(write(field))
        parts.append(b"}")


_WRITERS: dict[type, Callable[[Any], bytes]] = {
    str: lambda value: b"s%d:%b" % (len(value), value.encode()),
    int: lambda value: b"i%d," % value,
    bool: lambda value: b"T" if value else b"F",
    float: lambda value: b"f" + struct.pack("<d", value),
    type(None): lambda _: b"N",
}


class _Canonical(_Exact):
    """Variables by order of first occurrence, blocks without their names."""

    def __init__(self) -> None:
        super().__init__()
        self.order: dict[NodeId, int] = {}

    @override
    def node(self, value: Any, kind: type) -> None:
        if kind is Var:
            known = value.id in self.order
            self.parts.append(b"v%d" % self.order.setdefault(value.id, len(self.order)))
            if not known:
                self.add(value.type)
        elif kind is Block:
            for name in _layout(kind)[1]:
                if name not in {"id", "name"}:
                    self.add(getattr(value, name))
        else:
            self.fields(value, kind)
