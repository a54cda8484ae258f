"""Every public name, called with what it does not take: one short diagnostic, or a value."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import workbench as wb
from workbench.ir import externals, registry
from workbench.passes import registered_passes
from workbench.support import CompileError, Severity, Span
from workbench.support.diagnostics import MAX_PRINTED_LINES

HOMES: dict[str, Any] = {
    "wb": wb,
    "analysis": wb.analysis,
    "te": wb.te,
    "passes": wb.passes,
    "schedule": wb.schedule,
}
REGISTRIES = (
    "register_graph_check",
    "register_library",
    "register_operator",
    "register_source",
    "register_tensor_check",
    "register_tensor_intrinsic",
)
RUBBISH = (None, 3, "x", object())
NOT_CALLED = {
    "wb.I": "a namespace of the language",
    "wb.R": "a namespace of the language",
    "wb.T": "a namespace of the language",
    "wb.analysis": "a module",
    "wb.passes": "a module",
    "wb.schedule": "a module",
    "wb.te": "a module",
    "passes.BUILTIN_PASSES": "a tuple",
    "schedule.PRIMITIVES": "a tuple",
}

ANSWERS = ("Answer", "AnswerKind", "Carried", "Cost", "Dependences", "Region", "Regions")
MADE_BY_ANALYSES = {f"analysis.{name}" for name in (*ANSWERS, "Facts", "Interval")}
"""Answers, which nobody else makes, and what analyses make by the million: no checks there."""


def public() -> dict[str, Any]:
    found = {f"{home}.{n}": getattr(made, n) for home, made in HOMES.items() for n in made.__all__}
    found |= {f"registry.{name}": getattr(registry, name) for name in REGISTRIES}
    return found | {"registry.LibraryFunction": registry.LibraryFunction}


NAMES = public()


def parameters(item: Any) -> list[inspect.Parameter]:  # noqa: ANN401
    try:
        return list(inspect.signature(item).parameters.values())
    except ValueError:
        return []


def calls(item: Any) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:  # noqa: ANN401
    given = parameters(item)
    kinds = inspect.Parameter
    named = [p.name for p in given if p.kind in {kinds.KEYWORD_ONLY, kinds.POSITIONAL_OR_KEYWORD}]
    needed = sum(p.default is p.empty and p.name in named for p in given)
    yield (), {}
    for rubbish in RUBBISH:
        for count in {1, needed, needed + 1, len(given)}:
            yield (rubbish,) * count, {}
        for name in (*named, "no_such_parameter"):
            yield (), {name: rubbish}


def registered() -> tuple[object, ...]:
    tables = (registry._OPERATORS, registry._LIBRARIES, registry._INTRINSICS)  # pyright: ignore[reportPrivateUsage]
    checks = (registry.graph_checks(), registry.tensor_checks(), tuple(registry._SOURCES))  # pyright: ignore[reportPrivateUsage]
    return (*map(len, tables), *checks, registered_passes())


@pytest.mark.parametrize("name", sorted(NAMES.keys() - NOT_CALLED.keys() - MADE_BY_ANALYSES))
def test_any_public_name_takes_rubbish_or_refuses_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = NAMES[name]
    assert inspect.isroutine(item) or inspect.isclass(item) or isinstance(item, functools.partial)
    monkeypatch.chdir(tmp_path)
    before = registered()
    told: list[CompileError] = []
    for args, keywords in calls(item):
        try:
            made = item(*args, **keywords)
        except CompileError as error:
            told.append(error)
        else:
            assert isinstance(repr(made), str)
    for error in told:
        assert error.diagnostics
        lines = [len(diagnostic.render().split("\n")) for diagnostic in error.diagnostics]
        assert max(lines) <= MAX_PRINTED_LINES
    assert told, "no argument of that name, at least, is refused"
    assert registered() == before, "nothing was registered"


def test_what_is_not_called_cannot_be() -> None:
    for name in NOT_CALLED:
        assert not inspect.isroutine(NAMES[name])
        assert not inspect.isclass(NAMES[name])


def applied(kind: Any, needed: int, module: object) -> object:  # noqa: ANN401
    return kind(*("x" * needed))(module)


def test_passes_and_primitives_say_what_they_have() -> None:
    kinds = [k for k in NAMES.values() if inspect.isclass(k) and issubclass(k, wb.passes.Pass)]
    assert len(kinds) > 50
    for kind in kinds:
        if inspect.isabstract(kind):
            continue
        needed = [p for p in parameters(kind.__init__)[1:] if p.default is p.empty]
        for rubbish in RUBBISH:
            with pytest.raises(CompileError):
                applied(kind, len(needed), rubbish)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: wb.passes.LegalizeOps(onyl=("a",)), "did you mean `only`?"),
        (lambda: wb.passes.Implement("a"), "missing a required argument: 'implementation'"),
        (lambda: wb.passes.Pass(), "it lacks `run`"),
        (lambda: wb.passes.LegalizeOps()("m"), "takes an `IRModule` as `module`, got `'m'`"),
        (lambda: wb.te.compute((4,), lambda i: i, axis=("i",)), "did you mean `axes`?"),
        (lambda: wb.IRModule(5), "pairs of a name and a function, got `5`"),  # pyright: ignore[reportArgumentType]
        (lambda: wb.passes.weights([1], "f32"), "did you mean `float32`?"),
        (lambda: wb.passes.weights("ab", "float32"), "an array of numbers, got `str`"),
        (lambda: wb.Diagnostic("a/b", "c", "error"), "has a `Severity`"),  # pyright: ignore[reportArgumentType]
        (lambda: wb.Diagnostic("a/b", "c", notes=["d"]), "a tuple of notes"),  # pyright: ignore[reportArgumentType]
    ],
)
def test_the_message_helps(call: Any, words: str) -> None:  # noqa: ANN401
    with pytest.raises(CompileError) as caught:
        call()
    assert words in str(caught.value)


def test_an_error_made_of_something_else_says_how_one_is_made() -> None:
    wrong: Any = "my pass failed"
    error = CompileError(wrong)
    assert error.diagnostics[0].code == "call/wrong-kind"
    assert "`'my pass failed'`" in str(error)
    assert "`CompileError(Diagnostic(" in str(error)
    fine = wb.Diagnostic("a/b", "c", Severity.NOTE, span=Span("f", 1, 0, 1, 2), notes=("d",))
    assert CompileError([fine, fine]).diagnostics == (fine, fine)


def test_modules_that_are_not_well_formed_can_be_shown() -> None:
    main = wb.GraphFunction((), 3, 4, 5)  # pyright: ignore[reportArgumentType]
    wrong: Any = (("main", main), ("f", None), (3, "x"))
    text = repr(wb.IRModule(wrong, pool=None))  # pyright: ignore[reportArgumentType]
    assert "3 functions" in text
    assert "f     no function, but `None`" in text
    assert len(text.split("\n")) == 4
    assert externals(wb.IRModule()) == ()
