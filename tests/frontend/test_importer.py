"""ONNX import: the two networks against onnxruntime, names, origins, shapes, bad files."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from workbench.frontend import demo, load
from workbench.interpret import run
from workbench.ir import Alias, CallOp, GraphFunction, IRModule, Shape, TensorType, Var
from workbench.ir.verify import verify
from workbench.support import CompileError

onnxruntime = pytest.importorskip("onnxruntime")


def model_of(
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
    initializers: dict[str, np.ndarray] | None = None,
    opset: int = 17,
) -> onnx.ModelProto:
    weights = [onnx.numpy_helper.from_array(a, n) for n, a in (initializers or {}).items()]
    graph = helper.make_graph(nodes, "g", inputs, outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


def floats(name: str, *shape: int | str | None) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))


def main(module: IRModule) -> GraphFunction:
    function = module["main"]
    assert isinstance(function, GraphFunction)
    return function


def shape_of(var: Var) -> Shape:
    assert isinstance(var.type, TensorType)
    assert var.type.shape is not None
    return var.type.shape


def operators(module: IRModule) -> list[str]:
    return [b.value.op for b in main(module).bindings if isinstance(b.value, CallOp)]


def session(model: onnx.ModelProto | Path) -> Any:  # noqa: ANN401
    data = str(model) if isinstance(model, Path) else model.SerializeToString()
    return onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])


# --- the two networks -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def magika() -> IRModule:
    pytest.importorskip("magika")
    return load(demo.magika_path())


def test_magika_computes_what_onnxruntime_does(magika: IRModule, rng: np.random.Generator) -> None:
    assert verify(magika) == ()
    reference = session(demo.magika_path())
    for batch in (1, 3):
        x = rng.integers(0, 257, (batch, 2048)).astype("int32")
        (expected,) = reference.run(None, {"bytes": x})
        np.testing.assert_allclose(run(magika, x), expected, rtol=1e-4, atol=1e-6)


def test_magika_has_no_shape_arithmetic_and_one_batch_dimension(magika: IRModule) -> None:
    (param,) = main(magika).params
    assert param.name == "bytes"
    assert isinstance(param.type, TensorType)
    assert param.type.shape is not None
    batch = param.type.shape[0]
    assert isinstance(batch, Var)
    assert batch.name == "n"
    found = operators(magika)
    assert not {"shape_of", "strided_slice", "shape_to_tensor"} & set(found)
    assert len(found) == 75
    for binding in main(magika).bindings:
        if isinstance(binding.value, CallOp):
            assert shape_of(binding.var)[0] == batch


def test_names_are_short_unique_and_keep_their_origin(magika: IRModule) -> None:
    names = [b.var.name for b in main(magika).bindings]
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() and len(name) <= 48 for name in names)
    assert all(binding.span is not None for binding in main(magika).bindings)
    (conv,) = (b for b in main(magika).bindings if getattr(b.value, "op", "") == "nn.conv2d")
    assert conv.var.name == "Conv2D"
    assert conv.span is not None
    assert conv.span.source == "model.onnx"
    assert conv.span.label == "jax2tf_get_logits_/pjit_get_logits_/MagikaV2/Conv_0/Conv2D"
    assert conv.span.kind == "Conv"


def test_magika_tells_the_type_of_real_files(magika: IRModule, repository: Path) -> None:
    labels = demo.magika_labels()
    source = (repository / "workbench" / "ir" / "expr.py").read_bytes()
    assert labels[int(run(magika, demo.magika_features(source)).argmax())] == "python"


@pytest.mark.parametrize("size", [0, 8, 700, 2048, 4096, 9000])
def test_features_are_those_of_the_package(size: int, rng: np.random.Generator) -> None:
    magika_module = pytest.importorskip("magika.magika")
    seekable = pytest.importorskip("magika.types.seekable")
    data = b" \n\t" + rng.integers(0, 256, size).astype("uint8").tobytes() + b"\n  "
    expected = magika_module.Magika._extract_features_from_seekable(
        seekable.Seekable(io.BytesIO(data)), 1024, 0, 1024, 256, 4096, False
    )
    got = demo.magika_features(data)
    assert got.dtype == np.int32
    assert got.tolist() == [expected.beg + expected.end]


def test_squeezenet_computes_what_onnxruntime_does(rng: np.random.Generator) -> None:
    proto = demo.squeezenet()
    module = load(proto)
    assert verify(module) == ()
    assert [p.name for p in main(module).params] == ["data_0"]
    x = rng.normal(size=(1, 3, 224, 224)).astype("float32")
    (expected,) = session(proto).run(None, {"data_0": x})
    got = run(module, x)
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-6)
    assert expected.std() > 1e-3


def test_squeezenet_weights_depend_on_the_seed_alone() -> None:
    def weights(seed: int) -> dict[str, bytes]:
        return {t.name: t.raw_data for t in demo.squeezenet(seed).graph.initializer}

    assert weights(1) == weights(1)
    assert weights(1) != weights(2)
    assert len(set(weights(1).values())) == len(weights(1)) == 52


def test_the_topology_as_it_is_folds_its_constants() -> None:
    data = Path(onnx.__file__).parent / "backend/test/data/light/light_squeezenet.onnx"
    module = load(data)
    assert "full" not in operators(module)
    filled = [b for b in main(module).bindings if isinstance(b.value, Alias)]
    assert len(filled) == 52


# --- what goes wrong --------------------------------------------------------------------------


def test_truncated_files_are_a_diagnostic(tmp_path: Path) -> None:
    whole = demo.squeezenet().SerializeToString()
    for length in (0, 1, 1000, len(whole) // 2, len(whole) - 20, len(whole) - 1):
        path = tmp_path / "cut.onnx"
        path.write_bytes(whole[:length])
        with pytest.raises(CompileError, match=r"onnx/bad-file.*cut\.onnx"):
            load(path)


def test_files_that_are_no_models(tmp_path: Path) -> None:
    path = tmp_path / "notes.onnx"
    path.write_text("this is no model")
    for bad in (path, tmp_path, tmp_path / "missing.onnx"):
        with pytest.raises(CompileError, match="onnx/bad-file"):
            load(bad)


def test_a_tensor_with_too_few_bytes_is_named() -> None:
    model = model_of(
        [helper.make_node("Add", ["x", "w"], ["y"])],
        [floats("x", 4)],
        [floats("y", 4)],
        {"w": np.zeros(4, "float32")},
    )
    model.graph.initializer[0].raw_data = b"1234"
    with pytest.raises(CompileError, match=r"onnx/bad-file.*`w`"):
        load(model)


def test_all_unsupported_operators_are_listed() -> None:
    model = model_of(
        [
            helper.make_node("Frobnicate", ["x"], ["a"], name="first"),
            helper.make_node("Relu", ["a"], ["b"]),
            helper.make_node("Wibble", ["b"], ["y"], domain="com.acme"),
        ],
        [floats("x", 4)],
        [floats("y", 4)],
    )
    with pytest.raises(CompileError) as caught:
        load(model)
    messages = [d.message for d in caught.value.diagnostics]
    assert messages == [
        "operator `Frobnicate` of node `first` is not supported",
        "operator `com.acme.Wibble` of node `y` is not supported",
    ]
    assert {d.code for d in caught.value.diagnostics} == {"onnx/unsupported-operator"}


def test_shapes_that_do_not_fit_name_node_and_operator() -> None:
    model = model_of(
        [helper.make_node("MatMul", ["x", "w"], ["y"], name="dense/MatMul")],
        [floats("x", 2, 3)],
        [floats("y", 2, 5)],
        {"w": np.zeros((4, 5), "float32")},
    )
    with pytest.raises(CompileError) as caught:
        load(model)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "type/shape-mismatch"
    assert "`MatMul` (node `dense/MatMul`)" in diagnostic.message
    assert diagnostic.span is not None
    assert (diagnostic.span.label, diagnostic.span.kind) == ("dense/MatMul", "MatMul")


def test_undefined_inputs_and_dynamic_shapes_are_named() -> None:
    undefined = model_of(
        [helper.make_node("Relu", ["nowhere"], ["y"])], [floats("x", 4)], [floats("y", 4)]
    )
    with pytest.raises(CompileError, match=r"onnx/bad-file.*`nowhere` in node `y`"):
        load(undefined)
    shape = helper.make_tensor_value_info("s", TensorProto.INT64, [2])
    dynamic = model_of(
        [helper.make_node("Reshape", ["x", "s"], ["y"], name="r")],
        [floats("x", 4), shape],
        [floats("y", None, None)],
    )
    with pytest.raises(CompileError, match=r"onnx/dynamic-shape.*`Reshape` \(node `r`\).*`s`"):
        load(dynamic)


def test_hostile_names_stay_data() -> None:
    hostile = "__import__('os').system('false')"
    model = model_of(
        [helper.make_node("Relu", ["x; raise"], [hostile], name="<script>alert(1)</script>")],
        [floats("x; raise", "n; import os")],
        [floats(hostile, "n; import os")],
    )
    module = load(model)
    (binding,) = main(module).bindings
    assert binding.var.name.isidentifier()
    assert main(module).params[0].name.isidentifier()
    assert binding.span is not None
    assert binding.span.label == "<script>alert(1)</script>"
    assert run(module, np.array([-1, 2], "float32")).tolist() == [0, 2]


# --- symbolic shapes --------------------------------------------------------------------------


def test_shape_arithmetic_becomes_dimensions(rng: np.random.Generator) -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "zero"], ["rows"]),
        helper.make_node("Gather", ["shape", "one"], ["columns"]),
        helper.make_node("Mul", ["rows", "columns"], ["product"]),
        helper.make_node("Div", ["product", "two"], ["half"]),
        helper.make_node("Unsqueeze", ["half", "axes"], ["vector"]),
        helper.make_node("Concat", ["vector", "pair"], ["target"], axis=0),
        helper.make_node("Reshape", ["x", "target"], ["y"]),
    ]
    constants = {
        "zero": np.array(0, "int64"),
        "one": np.array(1, "int64"),
        "two": np.array(2, "int64"),
        "axes": np.array([0], "int64"),
        "pair": np.array([2], "int64"),
    }
    model = model_of(nodes, [floats("x", "batch", 6)], [floats("y", None, 2)], constants)
    module = load(model)
    assert operators(module) == ["reshape"]
    assert main(module).params[0].type.shape[0].name == "batch"  # pyright: ignore
    x = rng.normal(size=(5, 6)).astype("float32")
    np.testing.assert_array_equal(run(module, x), x.reshape(15, 2))


def test_dimensions_used_as_data_become_a_tensor() -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Cast", ["shape"], ["sizes"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["sizes", "w"], ["y"]),
    ]
    model = model_of(nodes, [floats("x", "n", 3)], [floats("y", 2)], {"w": np.zeros(2, "float32")})
    assert run(load(model), np.zeros((5, 3), "float32")).tolist() == [5, 3]


def test_expand_to_a_shape_with_unknown_parts(rng: np.random.Generator) -> None:
    """Exporters replace -1 by 1 at run time with `Where(Equal(shape, -1), ones, shape)`."""
    nodes = [
        helper.make_node("Equal", ["shape", "minus"], ["unknown"]),
        helper.make_node("Where", ["unknown", "ones", "shape"], ["target"]),
        helper.make_node("Expand", ["x", "target"], ["y"]),
    ]
    constants = {
        "shape": np.array([4, -1, -1], "int64"),
        "minus": np.array([-1, -1, -1], "int64"),
        "ones": np.array([1, 1, 1], "int64"),
    }
    model = model_of(nodes, [floats("x", "n", 3)], [floats("y", 4, None, 3)], constants)
    module = load(model)
    assert operators(module) == ["broadcast_to"]
    x = rng.normal(size=(2, 3)).astype("float32")
    np.testing.assert_array_equal(run(module, x), np.broadcast_to(x, (4, 2, 3)))


def test_several_outputs_and_unnamed_dimensions() -> None:
    model = model_of(
        [
            helper.make_node("Relu", ["x"], ["a"]),
            helper.make_node("Neg", ["x"], ["b"]),
        ],
        [floats("x", None, None)],
        [floats("a", None, None), floats("b", None, None)],
    )
    module = load(model)
    shape = shape_of(main(module).params[0])
    assert [dim.name for dim in shape if isinstance(dim, Var)] == ["n", "m"]
    a, b = run(module, np.array([[-1, 2]], "float32"))
    assert (a.tolist(), b.tolist()) == ([[0, 2]], [[1, -2]])


def test_negative_indices_of_a_symbolic_extent_count_from_the_end() -> None:
    indices = helper.make_tensor_value_info("i", TensorProto.INT32, [3])
    nodes = [helper.make_node("Gather", ["x", "i"], ["y"])]
    module = load(model_of(nodes, [floats("x", "n", 2), indices], [floats("y", 3, 2)]))
    x = np.arange(10, dtype="float32").reshape(5, 2)
    given = np.array([-1, 0, -5], "int32")
    np.testing.assert_array_equal(run(module, x, given), x[given])
    with pytest.raises(CompileError):
        run(module, x, np.array([-6, 0, 0], "int32"))


@pytest.mark.parametrize("opset", [99, 0, -3])
def test_operator_sets_that_do_not_exist(opset: int) -> None:
    model = model_of([helper.make_node("Relu", ["x"], ["y"])], [floats("x", 4)], [floats("y", 4)])
    model.opset_import[0].version = opset
    with pytest.raises(CompileError) as error:
        load(model)
    (one,) = error.value.diagnostics
    assert one.code == "onnx/unknown-opset"
    assert f"operator set `{opset}`" in one.message


def test_attributes_that_the_operator_does_not_have() -> None:
    nodes = [
        helper.make_node("Softmax", ["x"], ["a"], name="soft", axes=1),
        helper.make_node("Relu", ["a"], ["y"], name="act", alpha=0.5),
    ]
    with pytest.raises(CompileError) as error:
        load(model_of(nodes, [floats("x", 4)], [floats("y", 4)]))
    assert [d.code for d in error.value.diagnostics] == ["onnx/unknown-attribute"] * 2
    first, second = error.value.diagnostics
    assert first.message == "`Softmax` (node `soft`) has no attribute `axes`"
    assert "axis" in first.hint
    assert second.message == "`Relu` (node `act`) has no attribute `alpha`"
    assert first.span is not None
    assert first.span.label == "soft"


def test_attributes_of_older_versions_are_known() -> None:
    nodes = [helper.make_node("Squeeze", ["x"], ["y"], axes=[0])]
    module = load(model_of(nodes, [floats("x", 1, 4)], [floats("y", 4)], opset=11))
    assert run(module, np.ones((1, 4), "float32")).shape == (4,)
