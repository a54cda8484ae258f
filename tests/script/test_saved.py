"""Modules in files, with their constants."""

import zipfile
from dataclasses import replace
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from workbench.ir import Alias, CallOp, GraphBuilder, IRModule, TensorType, structurally_equal
from workbench.script import load_saved, save
from workbench.support import CompileError


@pytest.fixture
def module() -> IRModule:
    rng = np.random.default_rng(0)
    builder = GraphBuilder()
    x = builder.param("x", TensorType((3, 4), "float32"))
    w = builder.constant(rng.standard_normal((3, 4)).astype(np.float32), "w")
    half = builder.constant(rng.standard_normal((2,)).astype(ml_dtypes.bfloat16), "half")
    flags = builder.constant(np.array([True, False]), "flags")
    scalar = builder.constant(np.float32(2), "scalar")
    builder.constant(np.zeros((0, 3), np.int64), "empty")
    y = builder.emit(CallOp("add", (x, w)), "y")
    builder.emit(Alias(half), "h")
    builder.emit(Alias(flags), "f")
    z = builder.emit(CallOp("multiply", (y, scalar)), "z")
    _, with_spare = builder.module.pool.with_array(np.arange(1000))
    function = builder.build(z)
    return replace(builder.module, functions=(("main", function),), pool=with_spare)


def test_a_module_comes_back_with_its_constants(module: IRModule, tmp_path: Path) -> None:
    path = tmp_path / "model.wb"
    save(module, path)
    again = load_saved(path)
    assert structurally_equal(module, again)
    assert len(again.pool) == 5
    for digest, array in again.pool.items():
        assert array.dtype == module.pool[digest].dtype
        np.testing.assert_array_equal(array, module.pool[digest])
        assert not array.flags.writeable


def test_the_same_module_gives_the_same_file(module: IRModule, tmp_path: Path) -> None:
    for name in "ab":
        save(module, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"]


def test_damaged_files_are_refused(module: IRModule, tmp_path: Path) -> None:
    path = tmp_path / "model.wb"
    save(module, path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(CompileError, match="script/bad-file"):
        load_saved(path)
    path.write_bytes(b"no archive")
    with pytest.raises(CompileError, match="script/bad-file"):
        load_saved(path)
    changed = bytearray(data)
    digest = next(d for d, a in module.pool.items() if a.shape == (3, 4))
    place = data.index(b"constants/" + digest.encode()) + 60
    changed[place] ^= 1
    path.write_bytes(bytes(changed))
    with pytest.raises(CompileError, match="script/bad-file"):
        load_saved(path)


def test_an_archive_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "other.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(CompileError, match="script/bad-file"):
        load_saved(path)


def test_a_constant_that_is_not_there(module: IRModule, tmp_path: Path) -> None:
    with pytest.raises(CompileError, match="script/missing-constant"):
        save(IRModule(module.functions), tmp_path / "model.wb")
    assert list(tmp_path.iterdir()) == []


def test_a_path_that_cannot_be_written_is_named(module: IRModule, tmp_path: Path) -> None:
    for path, why in (
        (tmp_path / "missing" / "model.wb", "there is no folder `{}/missing`"),
        (tmp_path, "`{}` is a folder"),
    ):
        with pytest.raises(CompileError) as caught:
            save(module, path)
        (found,) = caught.value.diagnostics
        assert found.code == "save/bad-path"
        assert why.format(tmp_path) in found.message
    assert list(tmp_path.iterdir()) == []
