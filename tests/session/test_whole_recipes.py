"""A recipe is a script that runs and makes the same module, or a refusal that names the step."""

from __future__ import annotations

import functools
import linecache
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import workbench as wb
from tests.session.programs import small
from tests.session.test_recipe import run_outside
from workbench.ir import module_digest
from workbench.session import Session

Cell = Callable[[str], None]
RELU = "np.maximum(x, 0, out=out)"
PATTERN = """
from dataclasses import dataclass
from typing import ClassVar
from workbench.analysis.patterns import LibraryPattern, Pattern, anything, op
from workbench.analysis.patterns import register_library_pattern
from workbench.ir import LibraryFunction, register_library
from workbench.rewrite import PatternRule, outline

product = op("matmul", anything("x"), anything("w"))
whole = op("nn.relu", op("add", product, anything("b")))
"""


@pytest.fixture
def session() -> Session:
    return wb.open(small())


@pytest.fixture
def cell(session: Session, monkeypatch: pytest.MonkeyPatch) -> Cell:
    """Runs a text as a cell of a notebook whose variables are those of `__main__`."""
    main = SimpleNamespace(__name__="__main__")
    monkeypatch.setitem(sys.modules, "__main__", main)
    vars(main).update(np=np, wb=wb, s=session, functools=functools)

    def run(text: str) -> None:
        name = f"<whole recipe {len(linecache.cache)}>"
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
        exec(compile(text, name, "exec"), vars(main))

    return run


def refusal(session: Session) -> str:
    with pytest.raises(wb.CompileError) as caught:
        session.recipe()
    assert {d.code for d in caught.value.diagnostics} == {"session/recipe-code"}
    return str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        f's.apply("LegalizeOps")\nf = lambda x, out: {RELU}\ns.swap("y", f)',
        f'def f(x, out): {RELU}\ng = f\ndef h(x, out): g(x, out)\ns.swap("y", h)',
        f'def f(x, out): {RELU}\ns.swap("y", f)\ndef f(x, out): {RELU}\ns.swap("y", f)',
        'T = np.array([[0, np.nan]], "float32")\nF, N = np.float32(3), float("nan")\n'
        'def f(x, out): np.add(x, F * T[0, 0], out=out); N\ns.swap("y", f)',
        's.swap("y", np.abs)',
    ],
    ids=["lambda", "alias", "cell ran twice", "numbers", "ufunc"],
)
def test_functions_of_cells_are_written(
    text: str, session: Session, cell: Cell, tmp_path: Path
) -> None:
    cell(text)
    assert session.head.index > 0
    assert run_outside(session.recipe(), tmp_path) == module_digest(session.module)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f's.swap("y", lambda x, out: {RELU})', ("`<lambda>`", "`def`")),
        (f'f, g = lambda x, out: {RELU}, lambda: 0\ns.swap("y", f)', ("`<lambda>`",)),
        ('s.swap("y", functools.partial(np.maximum, 0))', ("`partial`", "`def`")),
        (f'class C:\n    def f(self, x, out): {RELU}\ns.swap("y", C().f)', ("`f`", "`C`")),
        (f'class C:\n    def __call__(self, x, out): {RELU}\ns.swap("y", C())', ("`C`",)),
        (
            "def make():\n    k = 2\n    def f(x, out): np.multiply(x, k, out=out)\n    return f\n"
            's.swap("y", make())',
            ("`f`", "`k`"),
        ),
        (
            "BIG = np.zeros((64, 64))\n"
            'def f(x, out): np.add(x, BIG[0, 0], out=out)\ns.swap("y", f)',
            ("`f` uses `BIG`", "(64, 64)"),
        ),
    ],
    ids=["lambda", "two lambdas", "partial", "method", "object", "closure", "large array"],
)
def test_what_cannot_be_written_is_refused_by_name(
    text: str, words: tuple[str, ...], session: Session, cell: Cell, tmp_path: Path
) -> None:
    session.apply("LegalizeOps")
    cell(text)
    said = refusal(session)
    for word in ("step 2 `ImplementByFunction`", "`recipe(1)`", *words):
        assert word in said
    before = module_digest(session.steps[1].module)
    assert run_outside(session.recipe(1), tmp_path) == before


def test_two_functions_of_one_name_are_refused(session: Session, cell: Cell) -> None:
    cell(f'def f(x, out): {RELU}\ns.swap("y", f)')
    cell('def f(x, w, out): np.matmul(x, w, out=out)\ns.swap("h", f)')
    assert "two different things are called `f`" in refusal(session)


def test_own_patterns_are_written_by_value(session: Session, cell: Cell, tmp_path: Path) -> None:
    cell(
        PATTERN + "@dataclass(frozen=True)\nclass Mine(PatternRule):\n"
        '    name: ClassVar[str] = "mine"\n'
        "    pattern: ClassVar[Pattern] = whole\n    part: ClassVar[Pattern] = product\n"
        "    def rewrite_match(self, match, editor):\n"
        '        outline(editor, match.function, match.members, "own", rule=self.name)\n'
        "s.apply(Mine())"
    )
    assert session.head.changed
    recipe = session.recipe()
    assert recipe.count("'matmul'") == 1  # one object stays one object
    assert run_outside(recipe, tmp_path) == module_digest(session.module)


@pytest.mark.parametrize(
    ("step", "register"),
    [
        (
            "PartitionForLibrary('mine')",
            "def f(x, w, b, out): np.maximum(x @ w + b, 0, out=out)\n"
            'register_library(LibraryFunction("mine.f", f, "mine"))\n'
            'offer = LibraryPattern("mine", "mine.f", whole, ("x", "w", "b"))\n'
            "register_library_pattern(offer)\n",
        ),
        (
            "Implement('h', 'library own.f')",
            "def f(x, w, out): np.matmul(x, w, out=out)\n"
            'register_library(LibraryFunction("own.f", f, "own", computes="matmul"))\n',
        ),
    ],
    ids=["pattern", "loops"],
)
def test_own_libraries_are_registered_again(
    step: str, register: str, session: Session, cell: Cell, tmp_path: Path
) -> None:
    cell(f"{PATTERN}{register}s.apply('LegalizeOps') if 'Impl' in {step!r} else None")
    cell(f"s.apply(wb.passes.{step})")
    assert session.head.changed
    recipe = session.recipe() + "\nwb.build(module)\n"
    assert "register_library(LibraryFunction(" in recipe
    assert run_outside(recipe, tmp_path) == module_digest(session.module)


LARGE = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((2, 8), "float32"), w: R.Tensor((8, 512), "float32")):
        with R.dataflow():
            y = R.matmul(x, w)
            R.output(y)
        return y
"""


@pytest.fixture
def bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    """A session whose first step holds a large array."""
    monkeypatch.chdir(tmp_path)
    session = wb.open(wb.parse(LARGE))
    w = np.arange(8 * 512, dtype="float32").reshape(8, 512)
    session.apply(wb.passes.BindParameters({"w": w}))
    session.apply("LegalizeOps")
    return session


def test_large_weights_need_the_step_in_a_file(bound: Session, tmp_path: Path) -> None:
    said = refusal(bound)
    assert "step 1 `BindParameters`" in said
    assert 'wb.save(session.steps[1].module, "step1.wb")' in said
    wb.save(bound.steps[1].module, "step1.wb")
    recipe = bound.recipe()
    assert "BindParameters" not in recipe
    out = "\nimport numpy as np\nprint(wb.build(module)(np.ones((2, 8), 'float32')).sum())\n"
    seen = run_outside(recipe + out, tmp_path).splitlines()[0]
    assert float(seen) == float(bound.run(np.ones((2, 8), "float32")).sum())


def test_a_file_that_holds_another_module_now_is_no_start(bound: Session) -> None:
    wb.save(bound.steps[1].module, "step.wb")
    assert "MODEL = 'step.wb'" in bound.recipe()
    wb.save(small(), "step.wb")
    assert "step 1 `BindParameters`" in refusal(bound)


def test_a_recipe_says_how_code_of_the_import_is_allowed(session: Session, cell: Cell) -> None:
    cell('def own(x): return np.maximum(x, 0)\ns.swap("y", own)')
    again = wb.open(wb.parse(session.module.script()))
    recipe = again.recipe()
    assert "# wb.allow(module)" in recipe
    assert "`own`" in recipe
    space: dict[str, Any] = {}
    exec(recipe.replace("# wb.allow", "wb.allow"), space)
    assert wb.build(space["module"])


def test_what_a_function_raises_is_told_under_the_name_of_the_step(session: Session) -> None:
    session.apply("LegalizeOps")
    step = session.swap("h", lambda x, w: x.no_such_thing(w))
    assert session.wait()
    assert "<lambda>" in step.title
    blame = session.blame()
    assert blame is not None
    for text in (step.verdict.text, str(blame)):
        assert "library function `<lambda>` raised `AttributeError`: " in text
        assert "no_such_thing" in text
