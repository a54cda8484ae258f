from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

import workbench as wb
from tests.session.programs import SMALL, small
from workbench.frontend import demo
from workbench.ir import IRModule, module_digest
from workbench.rewrite import Pass, PassResult
from workbench.session import Session

CHECK = """
from workbench.ir import module_digest
print(module_digest(module))
"""


def run_outside(recipe: str, folder: Path) -> str:
    """The digest of the module that the recipe makes in a process of its own."""
    script = folder / "recipe.py"
    script.write_text(recipe + CHECK, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={"PYTHONPATH": str(Path(wb.__file__).parent.parent), "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_recipe_makes_the_same_module_elsewhere(tmp_path: Path) -> None:
    session = wb.open(small())
    session.apply("LegalizeOps")
    session.swap("h", "library numpy.matmul")
    session.apply("FuseOps")
    recipe = session.recipe()
    assert "wb.passes.Implement(value='main.h', implementation='library numpy.matmul')" in recipe
    assert run_outside(recipe, tmp_path) == module_digest(session.module)


def test_steps_that_changed_nothing_and_other_branches_are_left_out() -> None:
    session = wb.open(small())
    session.apply("FoldConstant")
    session.apply("LegalizeOps")
    session.apply("FuseOps")
    session.checkout(2)
    session.apply("ScheduleDefault")
    recipe = session.recipe()
    assert "FoldConstant" not in recipe
    assert "FuseOps" not in recipe
    assert recipe.index("LegalizeOps") < recipe.index("ScheduleDefault")
    assert "ScheduleDefault" not in session.recipe(3)


def test_an_edited_text_is_part_of_the_recipe(tmp_path: Path) -> None:
    from workbench.script import print_function

    session = wb.open(small())
    session.apply("LegalizeOps")
    text = print_function("relu", session.module["relu"], session.module)
    session.edit("y", text.replace("T.float32(0.0)", "T.float32(0.5)"))
    assert run_outside(session.recipe(), tmp_path) == module_digest(session.module)


def test_a_saved_module_is_loaded_by_path(tmp_path: Path) -> None:
    builder = wb.parse(SMALL)
    weights = np.arange(32, dtype="float32").reshape(8, 4)
    module = _with_weights(builder, weights)
    session = wb.open(module)
    with pytest.raises(wb.CompileError) as caught:
        session.recipe()
    assert caught.value.diagnostics[0].code == "session/recipe-source"
    wb.save(module, tmp_path / "model.wb")
    session.apply("LegalizeOps")
    recipe = session.recipe()
    assert run_outside(recipe, tmp_path) == module_digest(session.module)
    assert str(tmp_path) not in recipe
    assert "MODEL = 'model.wb'" in recipe


def test_a_recipe_names_a_file_below_the_current_folder_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models").mkdir()
    monkeypatch.chdir(tmp_path)
    wb.save(small(), "models/small.wb")
    session = wb.open("models/small.wb")
    session.apply("LegalizeOps")
    assert "MODEL = 'models/small.wb'" in session.recipe()
    assert run_outside(session.recipe(), tmp_path) == module_digest(session.module)


def test_the_recipe_of_the_demo_names_its_package(tmp_path: Path) -> None:
    pytest.importorskip("magika")
    session = wb.open(demo.magika_path())
    recipe = session.recipe()
    assert str(demo.magika_path().parent) not in recipe
    assert run_outside(recipe, tmp_path) == module_digest(session.module)


def test_a_recipe_refuses_another_module_of_that_name(tmp_path: Path) -> None:
    wb.save(small(), tmp_path / "model.wb")
    with pytest.raises(wb.CompileError) as caught:
        wb.load(tmp_path / "model.wb", digest="0" * 32)
    assert [d.code for d in caught.value.diagnostics] == ["load/other-module"]
    assert wb.load(tmp_path / "model.wb", digest=module_digest(small()))


def _with_weights(module: IRModule, weights: np.ndarray) -> IRModule:
    from workbench.ir import CallOp, GraphBuilder, TensorType

    builder = GraphBuilder(IRModule())
    x = builder.param("x", TensorType((2, 8)))
    w = builder.constant(weights, "w")
    y = builder.emit(CallOp("matmul", (x, w)), "y")
    assert module.graph_functions
    return builder.module.with_function("main", builder.build(y))


def helper(module: IRModule) -> IRModule:
    return module


LIMIT = 3


@dataclass(frozen=True)
class FromCell(Pass):
    """Uses a helper, a constant and an import of its module."""

    name: ClassVar[str] = "from-cell"
    times: int = 1

    def run(self, module: IRModule) -> PassResult:
        assert self.times < LIMIT
        assert np.float32(1) == 1
        main = module.graph_functions["main"]
        return PassResult(helper(module).with_function("copy", main))


def test_code_of_a_cell_is_embedded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A class whose module cannot be imported stands for one that was defined in a cell."""
    for item in (FromCell, helper):
        monkeypatch.setattr(item, "__module__", "__main__")
    main = sys.modules["__main__"]
    for name in (
        "np",
        "helper",
        "LIMIT",
        "IRModule",
        "Pass",
        "PassResult",
        "dataclass",
        "ClassVar",
    ):
        monkeypatch.setattr(main, name, globals()[name], raising=False)
    session = wb.open(small())
    session.apply(FromCell(times=2))
    recipe = session.recipe()
    assert "class FromCell(Pass):" in recipe
    assert "def helper(" in recipe
    assert "LIMIT = 3" in recipe
    assert "import numpy as np" in recipe
    assert run_outside(recipe, tmp_path) == module_digest(session.module)


def test_code_without_source_is_refused_by_name() -> None:
    space: dict[str, object] = {"Pass": Pass, "PassResult": PassResult}
    exec(  # a class without a file is what this test is about
        "class Hidden(Pass):\n    name = 'hidden'\n"
        "    def run(self, module):\n"
        "        return PassResult(module.with_function('copy', module['main']))\n",
        space,
    )
    session: Session = wb.open(small())
    session.apply(space["Hidden"]())  # pyright: ignore[reportCallIssue]
    with pytest.raises(wb.CompileError, match="`Hidden` has no source text"):
        session.recipe()
