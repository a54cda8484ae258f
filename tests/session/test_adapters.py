from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import workbench as wb
from workbench.frontend import demo
from workbench.session.adapters import adapter_for

onnxruntime = pytest.importorskip("onnxruntime")

SAMPLES = {
    "page.html": b"<!DOCTYPE html><html><head><title>x</title></head><body>hello</body></html>\n"
    * 9,
    "code.py": b"from __future__ import annotations\n\n\ndef f(x: int) -> int:\n    return x + 1\n"
    * 9,
    "data.json": b'{"name": "x", "items": [1, 2, 3], "nested": {"a": null}}\n' * 9,
}


def test_run_on_files_gives_what_onnxruntime_gives(tmp_path: Path) -> None:
    paths: list[Path] = []
    for name, data in SAMPLES.items():
        paths.append(tmp_path / name)
        paths[-1].write_bytes(data)
    session = wb.open(demo.magika_path())
    for step in wb.default_pipeline():
        session.apply(step)
    session.cancel()
    features = np.concatenate([demo.magika_features(data) for data in SAMPLES.values()])
    other = onnxruntime.InferenceSession(str(demo.magika_path()))
    (scores,) = other.run(None, {other.get_inputs()[0].name: features})
    expected = [demo.magika_labels()[int(i)] for i in np.argmax(scores, axis=1)]
    assert session.run(paths) == expected
    assert session.run(*paths) == expected
    assert session.run(SAMPLES["code.py"]) == [expected[1]]
    assert expected[1] == "python"
    np.testing.assert_allclose(session.run(features), scores, rtol=1e-3, atol=1e-5)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    session = wb.open(demo.magika_path())
    with pytest.raises(wb.CompileError, match=r"nothing\.txt"):
        session.run(tmp_path / "nothing.txt")


def test_other_models_have_no_adapter(tmp_path: Path) -> None:
    assert adapter_for(tmp_path / "model.onnx") is None
    assert adapter_for(tmp_path / "model.wb") is None
