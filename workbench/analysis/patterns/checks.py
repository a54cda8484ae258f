"""Checks of patterns: what can never match, because nothing is called so, is said at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from workbench.analysis.calls import bindings_in
from workbench.analysis.patterns.language import AnyOf, CallTo, Item, Pattern, Several
from workbench.ir import CallPacked, IRModule, find_library, find_operator, operators
from workbench.ir.dtypes import DTYPES, dtype_hint
from workbench.ir.externals import externals
from workbench.ir.registry import libraries
from workbench.support import CompileError, Diagnostic
from workbench.support.spelling import near

_KEYWORDS = ("any_order",)


def check_patterns(patterns: Sequence[Pattern], module: IRModule) -> None:
    """Look for names in patterns that nothing has.

    A library function that nobody knows may be one that is not installed: it is a fault only where
    its name looks like one that is known.

    Raises:
        CompileError: `pattern/unknown-operator`, `pattern/unknown-attribute`,
        `pattern/unknown-library-function`, `pattern/unknown-dtype`, `pattern/same-name`; all
        faults at once.
    """
    parts = {id(part): part for pattern in patterns for part in _parts(pattern)}
    faults = [fault for part in parts.values() for fault in _faults(part, module)]
    for pattern in patterns:
        faults += _same_names(pattern)
    if faults:
        raise CompileError(dict.fromkeys(faults))


def names_of(pattern: Pattern) -> frozenset[str]:
    """The names that a pattern gives, those in alternatives included."""
    return frozenset(part.name for part in _parts(pattern) if part.name)


def _parts(pattern: Pattern) -> Iterator[Pattern]:
    """A pattern and those in it, each once."""
    seen: set[int] = set()
    pending = [pattern]
    while pending:
        part = pending.pop()
        if id(part) not in seen:
            seen.add(id(part))
            yield part
            pending += reversed(_below(part))


def _below(pattern: Pattern) -> tuple[Pattern, ...]:
    match pattern:
        case CallTo(args=args):
            return args or ()
        case Item(value=value):
            return (value,)
        case AnyOf(choices=below) | Several(outputs=below):
            return below
        case _:
            return ()


def _faults(part: Pattern, module: IRModule) -> Iterator[Diagnostic]:
    if part.dtype and part.dtype not in DTYPES:
        text = f"no tensor holds `{part.dtype}`"
        yield Diagnostic("pattern/unknown-dtype", text, hint=dtype_hint(part.dtype))
    if not isinstance(part, CallTo):
        return
    if part.kind == "op":
        yield from _operator_faults(part)
    elif part.kind == "library":
        yield from _library_faults(part, module)


def _operator_faults(part: CallTo) -> Iterator[Diagnostic]:
    known = [operator.name for operator in operators()]
    if not known:  # nobody brought any
        return
    found = [find_operator(name) for name in part.target]
    for name, operator in zip(part.target, found, strict=True):
        if operator is None:
            text = f"no operator `{name}` is registered"
            yield Diagnostic("pattern/unknown-operator", text, hint=near(name, known))
    if None in found:
        return
    attributes = {key for operator in found if operator for key, _ in operator.attributes}
    shown = " or ".join(f"`{name}`" for name in part.target)
    for key, _ in part.attrs:
        if key not in attributes:
            listed = ", ".join(f"`{a}`" for a in sorted(attributes))
            yield Diagnostic(
                "pattern/unknown-attribute",
                f"{shown} has no attribute `{key}`",
                notes=(f"there are {listed or 'none'}",),
                hint=near(key, [*attributes, *_KEYWORDS]),
            )


def _library_faults(part: CallTo, module: IRModule) -> Iterator[Diagnostic]:
    unknown = [name for name in part.target if find_library(name) is None]
    if not unknown:
        return
    here = {e.symbol for e in externals(module)}
    here |= {
        binding.value.symbol
        for function in module.graph_functions.values()
        for binding in bindings_in(function.blocks)
        if isinstance(binding.value, CallPacked)
    }
    known = {library.symbol for library in libraries()} | here
    for name in unknown:
        hint = "" if name in here else near(name, known)
        if hint:
            text = f"no library function `{name}` is known"
            yield Diagnostic("pattern/unknown-library-function", text, hint=hint)


def _same_names(pattern: Pattern) -> Iterator[Diagnostic]:
    """Names that stand for two values at once: the second would hide the first."""
    named: dict[int, dict[str, set[int]]] = {}
    faults: dict[str, None] = {}
    for part in _parts_below_first(pattern):
        found: dict[str, set[int]] = {part.name: {id(part)}} if part.name else {}
        for below in _below(part):
            for name, parts in named[id(below)].items():
                if name in found and not isinstance(part, AnyOf) and found[name].isdisjoint(parts):
                    faults[name] = None
                found[name] = found.get(name, set()) | parts
        named[id(part)] = found
    for name in faults:
        yield Diagnostic(
            "pattern/same-name",
            f"two parts of the pattern are named `{name}`",
            hint="use one object at both places for one value, two names for two",
        )


def _parts_below_first(pattern: Pattern) -> Iterator[Pattern]:
    """A pattern and those in it, each once, after those in it."""
    done: set[int] = set()
    pending = [(pattern, False)]
    while pending:
        part, entered = pending.pop()
        if id(part) in done:
            continue
        if entered:
            done.add(id(part))
            yield part
        else:
            pending.append((part, True))
            pending += [(below, False) for below in _below(part)]
