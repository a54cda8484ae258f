"""External modules: code of libraries that comes with a module and is saved with it.

The module attribute `external_mods` lists them. Code in Python stands in the attribute as text, a
shared object is an array of bytes in the module's pool. What a call's symbol means is looked up
here first, then in the table of registered libraries. Nothing runs because it came with a file:
code that did not come from a callable of this process has to be allowed. Reference: the attribute
`external_mods` of Relax modules.
"""

from __future__ import annotations

import itertools
import linecache
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np

from workbench.ir.module import IRModule
from workbench.ir.pool import Array
from workbench.ir.registry import LibraryFunction, count_registration, find_library, why_missing
from workbench.support.diagnostics import FOREIGN_FAULTS, CompileError, Diagnostic
from workbench.support.embed import Definitions, home_of, own_name
from workbench.support.kinds import checks_kinds

EXTERNALS = "external_mods"
Kind: TypeAlias = Literal["python", "object", "process"]
Loader: TypeAlias = Callable[[Array, str], Callable[..., Any]]
Adapter: TypeAlias = Callable[[Callable[..., Any]], Callable[..., Any] | None]


@dataclass(frozen=True, slots=True)
class External:
    """One library function that comes with a module.

    `symbol` is its name in calls, `entry` its name in the code. `content` is the text of
    `python`, the digest of the bytes of a shared `object`, or the number of a callable that only
    this `process` has, since it has no source text.
    """

    symbol: str
    kind: Kind
    entry: str
    content: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What the code is, whatever calls name it."""
        return self.kind, self.entry, self.content


_CALLABLES: dict[tuple[str, str, str], Callable[..., Any]] = {}
"""Callables of this process by the code that they are; what is here may run."""
_ADAPTERS: list[Adapter] = []
_LOADERS: list[Loader] = []
_NUMBERS = itertools.count()


def register_adapter(adapter: Adapter) -> None:
    """Let `adapter` wrap callables that take other arrays than numpy's; None for all others."""
    _ADAPTERS.append(adapter)


def register_loader(loader: Loader) -> None:
    """Let `loader(bytes, entry)` load functions of shared objects."""
    _LOADERS.append(loader)


@checks_kinds
def externals(module: IRModule) -> tuple[External, ...]:
    """The external code of a module."""
    found = dict(module.attrs).get(EXTERNALS, ())
    return tuple(_read(item) for item in found) if isinstance(found, tuple) else ()


def _read(item: object) -> External:
    match item:
        case (str(symbol), str(kind), str(entry), str(content)) if kind in _KINDS:
            return External(symbol, _KINDS[kind], entry, content)
        case _:
            raise CompileError(
                Diagnostic(
                    "library/external",
                    f"`{EXTERNALS}` lists symbol, kind, entry and content of code, found `{item}`",
                )
            )


_KINDS: dict[str, Kind] = {"python": "python", "object": "object", "process": "process"}


def with_externals(module: IRModule, added: Sequence[External]) -> IRModule:
    """The module with more external code; what it has already is not listed twice."""
    known = externals(module)
    listed = (*known, *(item for item in dict.fromkeys(added) if item not in known))
    if not listed:
        return module
    table = tuple((e.symbol, e.kind, e.entry, e.content) for e in listed)
    attrs = {**dict(module.attrs), EXTERNALS: table}
    return replace(module, attrs=tuple(sorted(attrs.items())))


def external_of(function: Callable[..., Any], known: Sequence[External] = ()) -> External:
    """A callable as external code, ready to be called.

    The symbol is its name, with a number where `known` code has that name. A callable without
    source text, such as a closure, works in this process only.
    """
    entry, kind, content = _code_of(function)
    wanted = _symbol(function, entry)
    symbol, count = wanted, 0
    taken = {item.symbol: item.key for item in known}
    own = kind, entry, content
    while taken.get(symbol, own) != own or (symbol not in taken and find_library(symbol)):
        count += 1
        symbol = f"{wanted}_{count}"
    found = External(symbol, kind, entry, content)
    _CALLABLES[found.key] = _adapted(function)
    count_registration(symbol)
    return found


def _code_of(function: Callable[..., Any]) -> tuple[str, Kind, str]:
    name = own_name(function)
    if not getattr(function, "__closure__", None):
        definitions = Definitions()
        try:
            definitions.add(function)
        except CompileError:
            return name, "process", str(next(_NUMBERS))
        lines = [*definitions.imports(), *definitions.code()]
        return name, "python", "\n".join(lines).strip() + "\n"
    return name, "process", str(next(_NUMBERS))


def _symbol(function: Callable[..., Any], entry: str) -> str:
    home = home_of(function)
    name = entry if entry.isidentifier() else "function"
    return f"{home}.{name}" if home else name


def _adapted(function: Callable[..., Any]) -> Callable[..., Any]:
    for adapter in _ADAPTERS:
        found = adapter(function)
        if found is not None:
            return found
    return function


@checks_kinds
def add_shared_object(module: IRModule, data: bytes, symbols: Sequence[str]) -> IRModule:
    """The module with a shared object; `symbols` are functions of it.

    They take pointers to DLPack's `DLTensor`, one for each input and each output, and return 0 or
    a number that tells what went wrong. What the caller gives is allowed to run.
    """
    digest, pool = module.pool.with_array(np.frombuffer(data, np.uint8))
    added = [External(symbol, "object", symbol.rsplit(".")[-1], digest) for symbol in symbols]
    found = with_externals(replace(module, pool=pool), added)
    allow(found)
    return found


@checks_kinds
def allow(module: IRModule) -> IRModule:
    """Let the code that came with a module run in this process; read it first (`externals`).

    Raises:
        CompileError: `library/external` where it cannot be loaded; what the code itself finds
            wrong, with a note.
    """
    for external in externals(module):
        if external.key not in _CALLABLES and external.kind != "process":
            _CALLABLES[external.key] = _adapted(_loaded(module, external))
            count_registration(external.symbol)
    return module


def _loaded(module: IRModule, external: External) -> Callable[..., Any]:
    try:
        if external.kind == "object":
            return _LOADERS[0](module.pool[external.content], external.entry)
        name = f"<external {external.symbol}>"
        space: dict[str, Any] = {"__name__": name}
        exec(compile(external.content, name, "exec"), space)  # allowed by the user
        lines = external.content.splitlines(keepends=True)
        linecache.cache[name] = (len(external.content), None, lines, name)
        return space[external.entry]
    except CompileError as error:
        note = f"while the code of `{external.symbol}`, which came with the module, was loaded"
        raise CompileError(replace(d, notes=(*d.notes, note)) for d in error.diagnostics) from error
    except FOREIGN_FAULTS as error:  # the edge: code that is not ours may raise anything
        text = f"{type(error).__name__}: {error}"
        message = f"the code of `{external.symbol}` cannot be loaded: {text}"
        hint = ""
        if isinstance(error, ModuleNotFoundError):
            hint = f"install `{error.name}`; only what a notebook defines comes as text"
        raise CompileError(Diagnostic("library/external", message, hint=hint)) from error


def library_of(module: IRModule, symbol: str) -> LibraryFunction | None:
    """What a symbol means in a module: code that came with it, else what is registered."""
    for external in externals(module):
        if external.symbol == symbol:
            found = _CALLABLES.get(external.key)
            if found is None:
                return LibraryFunction(symbol, _refused, "external", _why_not(external))
            return LibraryFunction(symbol, found, "external")
    return find_library(symbol)


def library_name(module: IRModule, symbol: str) -> str:
    """What people call a library function: one that came with the module by its name there."""
    names = (item.entry for item in externals(module) if item.symbol == symbol)
    return next(names, symbol)


def why_missing_in(module: IRModule, symbol: str) -> str:
    """Why a library function of a module cannot be called here, empty where it can."""
    found = library_of(module, symbol)
    if found is not None and found.library == "external":
        return found.unavailable
    return why_missing(symbol)


def _why_not(external: External) -> str:
    if external.kind == "process":
        return "it had no source text, so it could not come with the module"
    return (
        "the module brings its code, which was not allowed here: read it, then `wb.allow(module)`"
    )


def _refused(*_: object, **__: object) -> None:
    message = "code that was not allowed"
    raise RuntimeError(message)
