"""Two hashes: an exact digest of modules, and a fingerprint of tensor functions up to renaming."""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import struct
from typing import Any

from workbench.ir.expr import Var
from workbench.ir.module import Function, IRModule
from workbench.ir.tensor import Block, TensorFunction
from workbench.ir.traverse import node_fields
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
    """32 hex digits of one function, cached in the node."""
    if function._digest is None:
        object.__setattr__(function, "_digest", _hash(function, _exact))
    assert function._digest is not None
    return function._digest


def fingerprint(function: TensorFunction) -> str:
    """32 hex digits equal for tensor functions that are equal up to renaming; keys compiled kernels."""
    if function._fingerprint is not None:
        return function._fingerprint
    order: dict[NodeId, int] = {}

    def canonical(node: object, parts: list[bytes], recurse: Any) -> bool:  # noqa: ANN401
        if isinstance(node, Var):
            known = node.id in order
            parts.append(b"v%d" % order.setdefault(node.id, len(order)))
            if not known:
                recurse(node.type)
            return True
        return False

    attrs = tuple(item for item in function.attrs if item[0] not in DESCRIPTIVE)
    anonymous = dataclasses.replace(function, next_id=0, private=False, attrs=attrs)
    object.__setattr__(function, "_fingerprint", _hash(anonymous, canonical, skip_names=True))
    assert function._fingerprint is not None
    return function._fingerprint


def _exact(_node: object, _parts: list[bytes], _recurse: Any) -> bool:  # noqa: ANN401
    return False


def _hash(root: object, special: Any, *, skip_names: bool = False) -> str:  # noqa: ANN401
    parts: list[bytes] = []

    def add(value: Any) -> None:  # noqa: ANN401
        if special(value, parts, add):
            return
        if isinstance(value, tuple):
            parts.append(b"(")
            for item in value:
                add(item)
            parts.append(b")")
        elif isinstance(value, bool) or value is None:
            parts.append(repr(value).encode())
        elif isinstance(value, float):
            parts.append(b"f" + struct.pack("<d", value))
        elif isinstance(value, enum.Enum):
            parts.append(value.name.encode())
        elif isinstance(value, int | str):
            parts.append(f"{type(value).__name__[0]}{value!r},".encode())
        elif isinstance(value, Block) and skip_names:
            add(tuple(getattr(value, f) for f in node_fields(Block) if f not in {"id", "name"}))
        else:
            parts.append(type(value).__name__.encode() + b"{")
            for name in node_fields(type(value)):
                add(getattr(value, name))
            parts.append(b"}")

    add(root)
    return hashlib.blake2b(b"".join(parts), digest_size=16).hexdigest()
