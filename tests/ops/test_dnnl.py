from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path
from shutil import which

import pytest

from workbench.ops.libraries import dnnl

SOURCE = """
typedef struct {{ int major, minor, patch; const char *hash; unsigned cpu, gpu; }} version_t;
const version_t *dnnl_version(void) {{
    static const version_t version = {{{version}, "", 2, 0}};
    return &version;
}}
{functions}
"""
COMPILER = which("cc")
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="no C compiler")


def build(folder: Path, version: str, functions: tuple[str, ...]) -> Path:
    assert COMPILER is not None
    bodies = "\n".join(f"int dnnl_{name}(void) {{ return 5; }}" for name in functions)
    source = folder / "fake.c"
    source.write_text(SOURCE.format(version=version, functions=bodies))
    made = folder / f"libfake-{version.replace(',', '-')}.so"
    subprocess.run([COMPILER, "-shared", "-fPIC", "-o", str(made), str(source)], check=True)
    return made


@needs_compiler
@pytest.mark.parametrize("version", ["3,2,0", "3,6,9", "2,7,0", "4,0,0"])
def test_versions_that_nobody_tried_are_refused(tmp_path: Path, version: str) -> None:
    path = build(tmp_path, version, dnnl.FUNCTIONS)
    with pytest.raises(OSError, match=rf"oneDNN {version.replace(',', '.')}, needed is 3\.7"):
        dnnl.Library(path)


@needs_compiler
def test_a_missing_function_is_named(tmp_path: Path) -> None:
    path = build(tmp_path, "3,7,1", tuple(f for f in dnnl.FUNCTIONS if "softmax" not in f))
    with pytest.raises(OSError, match="lacks dnnl_softmax_forward_primitive_desc_create"):
        dnnl.Library(path)


@needs_compiler
def test_what_fails_in_the_library_is_said(tmp_path: Path) -> None:
    path = build(tmp_path, "3,7,1", dnnl.FUNCTIONS)
    with pytest.raises(OSError, match="dnnl_engine_create: run-time error"):
        dnnl.Library(path)


def test_another_library_is_refused() -> None:
    with pytest.raises(OSError, match="no `dnnl_version`"):
        dnnl.functions_of(ctypes.CDLL(None))


@needs_compiler
def test_the_next_package_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = build(tmp_path, "3,2,0", dnnl.FUNCTIONS)
    bad = build(tmp_path, "3,7,0", ())
    monkeypatch.setattr(dnnl, "_paths", lambda: iter((old, bad)))
    with pytest.raises(OSError, match=r"oneDNN 3\.2\.0.*; libfake-3-7-0\.so: it lacks"):
        dnnl.library.__wrapped__()


def test_the_library_that_is_there_was_tried() -> None:
    if dnnl.path() is None:
        pytest.skip("no package brings oneDNN")
    assert dnnl.reason() == ""
