"""The verifier: is a module well formed?

It finds all faults of all functions. A module that passes can be printed, interpreted and built.
Reference: `tvm::relax::WellFormed`, `tvm::tir::VerifyWellFormed`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from workbench.ir.digest import function_digest
from workbench.ir.faults import MAX_DEPTH, too_deep
from workbench.ir.module import Function, IRModule
from workbench.ir.node_kinds import module_kind_faults
from workbench.ir.registry import graph_checks, tensor_checks
from workbench.ir.tensor import TensorFunction
from workbench.ir.verify_graph import verify_graph_function
from workbench.ir.verify_tensor import verify_tensor_function
from workbench.support.diagnostics import CompileError, Diagnostic, Severity
from workbench.support.identity_memo import LARGE_MODULE

_CACHE: dict[str, tuple[Diagnostic, ...]] = {}


def verify(module: IRModule) -> tuple[Diagnostic, ...]:
    """All faults of a module, in program order; empty where it is well formed. Warnings included.

    Ids are unique in a function and below its `next_id`; values are defined before use and in
    scope; calls agree with their callees and types with type rules; dataflow blocks are pure;
    accesses have the rank of their buffer; dtypes agree; constants are in the pool. Fields hold
    what their annotations say: where they do not, only that is told.
    """
    if wrong := module_kind_faults(module):
        return wrong
    found = list(_duplicate_names(module))
    deep = {name for name, function in module.functions if _too_deep(function)}
    for name, function in module.functions:
        if name in deep:
            message = f"nodes are nested more than {MAX_DEPTH} deep"
            found.append(Diagnostic("ir/too-deep", message, function=name))
        elif isinstance(function, TensorFunction):
            found += _verify_tensor(name, function)
        else:
            found += verify_graph_function(module, name, function)
    if not any(fault.severity is Severity.ERROR for fault in found):
        for check in graph_checks():
            for name, function in module.graph_functions.items():
                found += check(module, name, function)
    return tuple(found)


def check(module: IRModule) -> None:
    """Refuse a module that is not well formed.

    Raises:
        CompileError: with every error that `verify` finds.
    """
    errors = [d for d in verify(module) if d.severity is Severity.ERROR]
    if errors:
        raise CompileError(errors)


def _duplicate_names(module: IRModule) -> list[Diagnostic]:
    counts = Counter(name for name, _ in module.functions)
    return [
        Diagnostic("module/duplicate-name", f"{count} functions are called `{name}`", function=name)
        for name, count in counts.items()
        if count > 1
    ]


def _too_deep(function: Function) -> bool:
    digest = function._digest  # pyright: ignore[reportPrivateUsage]
    return digest is None and too_deep(function)  # a digest was made by recursion


def _verify_tensor(name: str, function: TensorFunction) -> tuple[Diagnostic, ...]:
    """Faults depend on the function alone: kept by digest, named afterwards."""
    digest = function_digest(function)
    if digest not in _CACHE:
        if len(_CACHE) >= LARGE_MODULE:
            _CACHE.clear()
        _CACHE[digest] = _faults(function)
    return tuple(replace(d, function=name) for d in _CACHE[digest])


def _faults(function: TensorFunction) -> tuple[Diagnostic, ...]:
    """What is not well formed; else what analyses find, which rely on that."""
    found = verify_tensor_function("", function)
    if any(fault.severity is Severity.ERROR for fault in found):
        return found
    return (*found, *(fault for check in tensor_checks() for fault in check(function)))
