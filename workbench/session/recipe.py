"""Recipes: a short script that makes the module of a step again, outside the notebook."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from workbench.ir import IRModule, externals, module_digest
from workbench.passes.weights import Weights
from workbench.schedule.trace import Decision, Sampled
from workbench.script import load_saved
from workbench.session.catalogue import functions_in, is_builtin, pass_code
from workbench.session.registrations import registrations
from workbench.session.snapshot import Snapshot
from workbench.session.sources import Source, is_demo, source_of
from workbench.support import CompileError, Diagnostic
from workbench.support.embed import Definitions, is_code, literal_text


def write_recipe(name: str, path: Sequence[Snapshot]) -> str:
    """The script that loads the import and applies the passes of `path`, the import first.

    Where a step cannot be written, the script starts with a later one that was saved to a file.

    Raises:
        CompileError: `session/recipe-source` where the import cannot be had again,
            `session/recipe-code` for what cannot be embedded, by name of step and thing.
    """
    faults: list[CompileError] = []
    for start in _starts(path):
        try:
            return _script(name, path[start:])
        except CompileError as error:
            faults.append(error)
    raise faults[0]


def _starts(path: Sequence[Snapshot]) -> Iterator[int]:
    """The import, then the steps that stand in files."""
    yield 0
    for position, snapshot in enumerate(path[1:], 1):
        known = source_of(snapshot.module)
        if known is not None and _saved_digest(Path(known.value), snapshot.module):
            yield position


def _saved_digest(path: Path, module: IRModule) -> str:
    """Digest of what a file holds, whose nodes may have other ids; empty if not this module."""
    try:
        saved = load_saved(path)
    except (CompileError, OSError):
        return ""
    return module_digest(saved) if saved.script() == module.script() else ""


def _script(name: str, path: Sequence[Snapshot]) -> str:
    definitions = Definitions()
    definitions.import_module("workbench", "wb")
    source = _source(path[0].module)
    registered = dict.fromkeys(registrations(None, path[0].module, definitions))
    lines: list[str] = []
    decisions: list[Decision] = []
    for before, snapshot in pairwise(path):
        if before.digest != snapshot.digest:
            try:
                lines.append(f"    {_step(snapshot, definitions, decisions)},")
                found = registrations(snapshot.applied, snapshot.module, definitions)
                registered |= dict.fromkeys(found)
            except CompileError as error:
                raise _named(error, before, snapshot) from error
    steps = ["for step in (", *lines, "):", "    module = step(module).module"] if lines else []
    exact = _source_digest(path[0].module) == module_digest(path[0].module)
    end = f"# digest of the module: {module_digest(path[-1].module)}"
    parts = [
        f'"""Step {path[-1].index} of the session `{_plain(name)}`, made again."""',
        "",
        *definitions.imports(),
        "",
        *definitions.code(),
        *registered,
        *source,
        *_brought(path[0].module),
        *_sampled(decisions),
        *steps,
        *(["", end] if exact else []),
    ]
    return "\n".join(parts) + "\n"


def _step(snapshot: Snapshot, definitions: Definitions, decisions: list[Decision]) -> str:
    applied = snapshot.applied
    assert applied is not None
    if is_builtin(type(applied)):
        for function in functions_in(applied):
            definitions.add(function)
        return pass_code(applied, lambda part: _part(part, definitions, decisions))
    if dataclasses.is_dataclass(applied):
        return definitions.text(applied)
    if vars(applied):
        kind = type(applied).__name__
        message = f"the parameters of `{kind}` are not known: it is no dataclass"
        hint = f"put `@dataclass(frozen=True)` before `class {kind}` and give it fields"
        raise CompileError(Diagnostic("session/recipe-code", message, hint=hint))
    return f"{definitions.add(type(applied))}()"


def _part(part: object, definitions: Definitions, decisions: list[Decision]) -> str:
    """What a script defines or imports for a parameter of our own passes."""
    if isinstance(part, Sampled):
        known = [n for n, item in enumerate(decisions) if item is part.origin]
        if not known:
            decisions.append(part.origin)
        return _variable(known[0] if known else len(decisions) - 1, part.index)
    unshown = isinstance(part, Weights) and part.array is not None
    unshown = unshown and repr(part).startswith("wb.passes.Weights(")
    return definitions.text(part) if unshown or is_code(part) else ""


def _sampled(decisions: list[Decision]) -> list[str]:
    """Numbers that schedules sampled, by name: change one, and all that uses it changes."""
    lines = [
        f"{', '.join(_variable(n, index) for index in range(len(decision.values)))}"
        f" = {', '.join(map(str, decision.values))}  # {decision.call}"
        for n, decision in enumerate(decisions)
    ]
    note = "# decisions of schedules: change one, and the steps that use it follow"
    return ["", note, *lines, ""] if lines else []


def _variable(decision: int, index: int) -> str:
    return f"sampled{decision}_{index}"


def _named(error: CompileError, before: Snapshot, snapshot: Snapshot) -> CompileError:
    """The fault with the step, and the two ways around it."""
    first = error.diagnostics[0]
    ways = [f"`recipe({before.index})` writes the steps before"]
    if all(item.kind != "process" for item in externals(snapshot.module)):
        step = snapshot.index
        ways.append(
            f'after `wb.save(session.steps[{step}].module, "step{step}.wb")` it starts there'
        )
    message = f"step {snapshot.index} `{snapshot.name}`: {first.message}"
    return CompileError(
        dataclasses.replace(first, message=message, notes=(*first.notes, *ways)),
    )


def _brought(module: IRModule) -> list[str]:
    """How to let code run that came with the import: nobody but the reader allows that."""
    names = ", ".join(f"`{item.entry}`" for item in externals(module))
    if not names:
        return []
    return [
        f"# The module brings code, which runs only when allowed: {names}.",
        "# Read it in `wb.externals(module)`, then take the next line in.",
        "# wb.allow(module)",
        "",
    ]


def _source(module: IRModule) -> list[str]:
    known = source_of(module)
    if known is not None and known.kind == "path":
        return _file(Path(known.value), _source_digest(module))
    if known is not None:
        return _text(known)
    missing = len(module.pool)
    if missing:
        raise CompileError(
            Diagnostic(
                "session/recipe-source",
                f"the import holds `{missing}` constants and came from no file",
                hint='save it first: `wb.save(module, "model.wb")`, then the recipe loads it',
            )
        )
    return _text(Source("text", module.script()))


def _source_digest(module: IRModule) -> str:
    """Digest of the module as it comes out of its source."""
    known = source_of(module)
    path = Path(known.value) if known is not None and known.kind == "path" else None
    saved = _saved_digest(path, module) if path is not None and path.suffix == ".wb" else ""
    return saved or module_digest(module)


def _file(path: Path, digest: str) -> list[str]:
    """The import by what a colleague has: the file by name, or the demo by its package."""
    if is_demo(path):
        return [
            "from workbench.frontend.demo import magika_path",
            "",
            _load("magika_path()", digest),
        ]
    here = Path.cwd()
    inside = path.resolve().is_relative_to(here)
    name = path.resolve().relative_to(here).as_posix() if inside else path.name
    return [f"MODEL = {name!r}  # the place of the file", "", _load("MODEL", digest)]


def _load(place: str, digest: str) -> str:
    return f'module = wb.load({place}, digest="{digest}")'


def _text(source: Source) -> list[str]:
    return [f"SOURCE = {literal_text(source.value)}", "", "module = wb.parse(SOURCE)"]


def _plain(name: str) -> str:
    return "".join(c if c.isprintable() and c not in '"\\' else "?" for c in name)
