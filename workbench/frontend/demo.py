"""The two networks that the tour works on, and the input of the first.

`magika` tells the type of a file from its bytes; its PyPI package carries the network. The topology
of SqueezeNet comes with the `onnx` package, whose constant weights are replaced by random ones.

Reference: Fratantonio et al., "Magika: AI-Powered Content-Type Detection", ICSE 2025; Iandola et
al., "SqueezeNet", 2016; He et al., "Delving Deep into Rectifiers", ICCV 2015 (scale of weights).
"""

from __future__ import annotations

import importlib.util
import json
import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from workbench.support import CompileError, Diagnostic

_MODEL = "standard_v3_3"


def magika_path() -> Path:
    """Where the `magika` package keeps its network.

    Raises:
        CompileError: `demo/not-installed`.
    """
    found = importlib.util.find_spec("magika")
    if found is None or found.origin is None:
        raise CompileError(
            Diagnostic(
                "demo/not-installed",
                "the package `magika` is not installed",
                hint="install the extra `demo`",
            )
        )
    return Path(found.origin).parent / "models" / _MODEL / "model.onnx"


@cache
def _magika_config() -> dict[str, Any]:
    return json.loads((magika_path().parent / "config.min.json").read_text(encoding="utf-8"))


def magika_labels() -> tuple[str, ...]:
    """The file types that the outputs of the network stand for, in order."""
    return tuple(_magika_config()["target_labels_space"])


def magika_features(data: bytes) -> NDArray[np.int32]:
    """The network's input for the contents of a file: `(1, 2048) int32`.

    Its first and last bytes without white space at the ends, 1 024 of each, as numbers 0 to 255;
    256 fills what is missing, after the first and before the last ones.
    """
    config = _magika_config()
    block, padding = config["block_size"], config["padding_token"]
    first = list(data[:block].lstrip())[: config["beg_size"]]
    last = list(data[max(0, len(data) - block) :].rstrip())[-config["end_size"] :]
    first += [padding] * (config["beg_size"] - len(first))
    last = [padding] * (config["end_size"] - len(last)) + last
    return np.array([first + last], dtype=np.int32)


def squeezenet(seed: int = 0) -> onnx.ModelProto:
    """SqueezeNet 1.1 for `(1, 3, 224, 224) float32` with random weights.

    As the file has them, all weights are equal, so are all outputs, and every comparison would be
    empty: kernels and biases become normal, with deviation `sqrt(2 / fan_in)` of the kernel.
    """
    data = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
    model = onnx.load(str(data / "light_squeezenet.onnx"))  # pyright: ignore[reportUnknownMemberType]
    shapes = _weight_shapes(model.graph)
    rng = np.random.default_rng(seed)
    kept = [node for node in model.graph.node if node.op_type != "ConstantOfShape"]
    weights: list[onnx.TensorProto] = []
    for node in kept:
        if node.op_type != "Conv":
            continue
        scale = math.sqrt(2 / math.prod(shapes[node.input[1]][1:]))
        for name in node.input[1:]:
            values = (rng.standard_normal(shapes[name]) * scale).astype(np.float32)
            weights.append(onnx.numpy_helper.from_array(values, name))
    named = {tensor.name for tensor in weights}
    used = {name for node in kept for name in node.input}
    inputs = [v for v in model.graph.input if v.name in used - named]
    for field in (model.graph.node, model.graph.initializer, model.graph.input):
        del field[:]
    model.graph.node.extend(kept)
    model.graph.initializer.extend(weights)
    model.graph.input.extend(inputs)
    model.graph.name = "squeezenet"
    return model


def _weight_shapes(graph: onnx.GraphProto) -> dict[str, tuple[int, ...]]:
    """Shapes of initializers, and of what `ConstantOfShape` makes of them."""
    arrays = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    shapes = {name: tuple(array.shape) for name, array in arrays.items()}
    for node in graph.node:
        if node.op_type == "ConstantOfShape":
            shapes[node.output[0]] = tuple(int(extent) for extent in arrays[node.input[0]])
    return shapes
