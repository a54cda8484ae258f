"""What people registered and a step depends on, as the lines of a recipe that register it again."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from workbench.analysis.patterns import (
    LibraryPattern,
    library_patterns,
    offering_libraries,
    register_library_pattern,
)
from workbench.ir import (
    CallOp,
    CallPacked,
    IRModule,
    LibraryFunction,
    Operator,
    externals,
    find_operator,
    register_library,
    register_operator,
)
from workbench.ir.registry import find_tensor_intrinsic, libraries
from workbench.rewrite import Pass, all_bindings
from workbench.schedule.intrinsics import registration
from workbench.schedule.primitives import Tensorize
from workbench.support.embed import Definitions

OURS = "workbench."
OFFERS = "workbench.ops."


def registrations(
    applied: Pass | None, module: IRModule, definitions: Definitions
) -> Iterator[str]:
    """The lines for a step and the module that it gave, or for the import (`applied` None).

    They register the operators and library functions that the module calls, the library that a
    parameter of the pass names, and the intrinsic of a `Tensorize`, where they are not ours.

    Raises:
        CompileError: `session/recipe-code` for what cannot be embedded, by name.
    """
    called, operators = _called(module)
    named = _named(applied) if applied is not None else set[str]()
    for name in sorted(operators):
        known = find_operator(name)
        if known is not None and _is_own(known.infer):
            yield _line(register_operator, known, definitions)
    for function in libraries():
        wanted = function.symbol in called or function.library in named
        if wanted and _is_own(function.function):
            yield _line(register_library, function, definitions)
    for library in sorted(named & set(offering_libraries())):
        for offered in library_patterns(library):
            if not offered.reason.__module__.startswith(OFFERS):
                yield _line(register_library_pattern, offered, definitions)
    if isinstance(applied, Tensorize):
        own = find_tensor_intrinsic(applied.intrinsic)
        if own is not None:
            yield registration(own)


def _called(module: IRModule) -> tuple[set[str], set[str]]:
    """Symbols of libraries that are not in the module itself, and operators."""
    values = [b.value for f in module.graph_functions.values() for b in all_bindings(f)]
    brought = {item.symbol for item in externals(module)}
    symbols = {value.symbol for value in values if isinstance(value, CallPacked)}
    return symbols - brought, {value.op for value in values if isinstance(value, CallOp)}


def _named(applied: Pass) -> set[str]:
    """Texts among the parameters of a pass, and their last words: `library mine.f` too."""
    fields = dataclasses.fields(applied) if dataclasses.is_dataclass(applied) else ()
    found = {v for f in fields if isinstance(v := getattr(applied, f.name), str)}
    return found | {text.rpartition(" ")[2].partition(".")[0] for text in found}


def _is_own(function: object) -> bool:
    return not str(getattr(function, "__module__", "")).startswith(OURS)


def _line(
    register: object, item: Operator | LibraryFunction | LibraryPattern, definitions: Definitions
) -> str:
    return f"{definitions.add(register)}({definitions.text(item)})"
