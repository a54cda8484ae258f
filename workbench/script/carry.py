"""Ids of an edited script: values that stayed the same keep theirs."""

from __future__ import annotations

from workbench.ir import Function, IRModule


def carry_module(module: IRModule, like: IRModule) -> IRModule:
    """`module` with the ids of `like` where values are the same."""
    raise NotImplementedError


def carry_function(name: str, function: Function, like: Function) -> Function:
    """`function` with the ids of `like` where values are the same."""
    raise NotImplementedError
