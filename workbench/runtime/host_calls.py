"""Calls that stay in Python: library functions, and operators on their numpy reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from workbench.interpret import check_kept, copied, writes_argument
from workbench.interpret.filled import check_filled
from workbench.interpret.foreign import as_array, foreign_fault
from workbench.ir import (
    CallOp,
    CallPacked,
    IRModule,
    PackedStyle,
    Var,
    bindings_in,
    library_keywords,
    library_name,
    library_of,
    operator,
    why_missing_in,
)
from workbench.ir.dtypes import numpy_dtype
from workbench.runtime.arrays import Array, is_array
from workbench.runtime.program import HostCall, Place
from workbench.runtime.reading import READ_ONLY, reading
from workbench.support import FOREIGN_FAULTS, CompileError, Diagnostic

MOST_NAMES = 50
"""Calls of a missing library that a message names for each function."""
PACKAGED = ("onednn", "torch")
"""Libraries that are extras of the package."""


def library_call(module: IRModule, called: CallPacked, *, guarded: bool = True) -> HostCall:
    """The callable behind a symbol of a module; its failures are diagnostics.

    One that is called as a pure function gets arguments that it cannot write, if `guarded`.

    Raises:
        CompileError: `library/unavailable`; the call itself `library/raised`, `run/returned-value`,
            `library/writes-argument`.
    """
    symbol = called.symbol
    library = library_of(module, symbol)
    if library is None or why_missing_in(module, symbol):
        raise CompileError(_missing(module, symbol))
    function, keywords = library.function, library_keywords(called)
    name = library_name(module, symbol)
    fills = len(called.out_types) if called.style is PackedStyle.DPS else 0
    reads = len(called.args) if guarded and called.style is not PackedStyle.EFFECT else 0
    run = reading(function, reads) if reads else function

    def call(*values: Any) -> Any:  # noqa: ANN401
        try:
            with np.errstate(all="ignore"):
                returned = run(*values, **keywords)
        except CompileError:
            raise
        except FOREIGN_FAULTS as error:  # the edge: code that is not ours may raise anything
            if reads and READ_ONLY in str(error):
                raise CompileError(writes_argument(name)) from error
            raise foreign_fault("library/raised", f"library function `{name}`", error) from error
        if fills and returned is not None:
            check_filled(name, returned, values[-fills:])
        return returned

    return call


def keeping_arguments(called: CallPacked, function: HostCall) -> HostCall:
    """The same call, refused where it writes into its arguments, which are copies.

    Raises:
        CompileError: the call itself `library/writes-argument`.
    """
    count = len(called.args)

    def call(*values: Any) -> Any:  # noqa: ANN401
        given = [copied(value) for value in values[:count]]
        returned = function(*given, *values[count:])
        check_kept(called.symbol, values[:count], given)
        return returned

    return call


def operator_call(call: CallOp) -> HostCall:
    """The numpy reference of an operator call; its failures are diagnostics.

    Raises:
        CompileError: `op/unknown`; the call itself `op/reference-raised`.
    """
    reference = operator(call.op).reference

    def run(*values: Any) -> Any:  # noqa: ANN401
        try:
            with np.errstate(all="ignore"):
                return reference(call, *values)
        except CompileError:
            raise
        except FOREIGN_FAULTS as error:  # the edge: code that is not ours may raise anything
            raise foreign_fault("op/reference-raised", f"operator `{call.op}`", error) from error

    return run


def check_libraries(module: IRModule) -> None:
    """Refuse a module that calls what is not there.

    Raises:
        CompileError: `library/unavailable`, one diagnostic a symbol, with the calls of it.
    """
    calls: dict[str, list[tuple[str, Var]]] = {}
    for name, function in module.graph_functions.items():
        for binding in bindings_in(function.blocks):
            value = binding.value
            if isinstance(value, CallPacked) and why_missing_in(module, value.symbol):
                calls.setdefault(value.symbol, []).append((name, binding.var))
    if calls:
        raise CompileError(_missing(module, symbol, where) for symbol, where in calls.items())


def _missing(module: IRModule, symbol: str, calls: Sequence[tuple[str, Var]] = ()) -> Diagnostic:
    known = library_of(module, symbol)
    hint = "choose another implementation of the call"
    if known is None:
        hint = f"register it with `register_library`, or {hint}"
    elif known.library in PACKAGED:
        hint = f"`pip install 'compiler-workbench[{known.library}]'`, or {hint}"
    return Diagnostic(
        "library/unavailable",
        f"cannot call library function `{symbol}`: {why_missing_in(module, symbol)}",
        function=calls[0][0] if calls else None,
        node=calls[0][1].id if calls else None,
        notes=_calling(calls),
        hint=hint,
    )


def _calling(calls: Sequence[tuple[str, Var]]) -> tuple[str, ...]:
    """Which calls those are: many of one function stand in one note."""
    names: dict[str, list[str]] = {}
    for function, var in calls:
        names.setdefault(function, []).append(f"`{var.name}`")
    return tuple(
        f"{_listed(found)} in `{function}` call{'s' if len(found) == 1 else ''} it"
        for function, found in names.items()
    )


def _listed(names: Sequence[str]) -> str:
    """The names, or of very many the first and how many more there are."""
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and `{more}` more" if more > 0 else "")


def checked_result(
    label: str,
    value: Any,  # noqa: ANN401
    dtype: str | None,
    shape: tuple[int, ...] | None,
    rank: int | None,
    code: str = "run/wrong-result",
) -> Array:
    """What a host call returned, as an array of the declared type.

    Raises:
        CompileError: with the code `code`.
    """
    array = as_array(value)
    if not isinstance(array, np.ndarray | np.generic | int | float):
        raise wrong_result(label, "an array", value, code)
    array = np.asarray(array)
    if dtype is not None and array.dtype != numpy_dtype(dtype):
        raise wrong_result(label, f"dtype `{dtype}`", array, code)
    if shape is not None and array.shape != shape:
        raise wrong_result(label, f"shape `{shape}`", array, code)
    if rank is not None and array.ndim != rank:
        raise wrong_result(label, f"{rank} dimensions", array, code)
    return array


def wrong_result(
    label: str,
    expected: str,
    found: Any,  # noqa: ANN401
    code: str = "run/wrong-result",
) -> CompileError:
    """The error that a host call did not return what the module says."""
    shown = (
        f"`{found.dtype}` with shape `{found.shape}`"
        if is_array(found)
        else f"`{type(found).__name__}`"
    )
    verb = "return"
    if code != "run/wrong-result":  # `label` is then a value, not what was called
        verb = "be" if expected.startswith(("a ", "an ")) else "have"
    return CompileError(Diagnostic(code, f"`{label}` must {verb} {expected}, got {shown}"))


def placed(error: CompileError, place: Place, called: tuple[str, ...] = ()) -> CompileError:
    """The same faults; those that have no place yet are at `place`, with notes on the call."""
    if all(d.function for d in error.diagnostics):
        return error
    return CompileError(
        d
        if d.function
        else replace(d, function=place.function, node=place.node, notes=(*d.notes, *called))
        for d in error.diagnostics
    )
