"""Recipes: a short script that makes the module of a step again, outside the notebook."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from workbench.ir import IRModule, module_digest
from workbench.ir.registry import find_tensor_intrinsic
from workbench.schedule.intrinsics import registration
from workbench.schedule.primitives import Tensorize
from workbench.session.catalogue import functions_in, is_builtin, pass_code
from workbench.session.snapshot import Snapshot
from workbench.session.sources import Source, is_demo, source_of
from workbench.support import CompileError, Diagnostic
from workbench.support.embed import Definitions, literal_text


def write_recipe(name: str, path: Sequence[Snapshot]) -> str:
    """The script that loads the import and applies the passes of `path`, the import first.

    Raises:
        CompileError: `session/recipe-source` where the import cannot be had again,
            `session/recipe-code` for code of a cell that cannot be embedded, by name.
    """
    definitions = Definitions()
    definitions.import_module("workbench", "wb")
    lines: list[str] = []
    intrinsics: dict[str, str] = {}
    for snapshot in path[1:]:
        assert snapshot.applied is not None
        if path[snapshot_parent(path, snapshot)].digest == snapshot.digest:
            continue
        if not is_builtin(type(snapshot.applied)):
            definitions.add(type(snapshot.applied))
        for function in functions_in(snapshot.applied):
            definitions.add(function)
        if isinstance(snapshot.applied, Tensorize):
            wanted = snapshot.applied.intrinsic
            if (own := find_tensor_intrinsic(wanted)) is not None:
                intrinsics[wanted] = registration(own)
        lines.append(f"    {pass_code(snapshot.applied)},")
    source = _source(path[0].module)
    steps = ["for step in (", *lines, "):", "    module = step(module).module"] if lines else []
    parts = [
        f'"""Step {path[-1].index} of the session `{_plain(name)}`, made again."""',
        "",
        *definitions.imports(),
        "",
        *definitions.code(),
        *intrinsics.values(),
        *source,
        *steps,
        "",
        f"# digest of the module: {module_digest(path[-1].module)}",
    ]
    return "\n".join(parts) + "\n"


def snapshot_parent(path: Sequence[Snapshot], snapshot: Snapshot) -> int:
    """Position in `path` of the step before."""
    return next(i for i, s in enumerate(path) if s.index == snapshot.parent)


def _source(module: IRModule) -> list[str]:
    known = source_of(module)
    if known is not None and known.kind == "path":
        return _file(Path(known.value), module_digest(module))
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
