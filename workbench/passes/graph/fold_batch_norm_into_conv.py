"""FoldBatchNormIntoConv: scale the weights instead of the result.

Rewrite::

    a = R.nn.conv2d(x, w)
    b = R.nn.batch_norm(a, gamma, beta, mean, variance)
    y = b[0]
    =>
    a = R.nn.conv2d(x, w1)      # w1 = w * gamma / sqrt(variance + epsilon), by output channel
    y = R.add(a, b1)            # b1 = beta - mean * gamma / sqrt(variance + epsilon)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from workbench.analysis.patterns import CallTo, Match, Pattern, anything, constant, item, op
from workbench.ir import (
    Alias,
    Binding,
    CallOp,
    Constant,
    IRModule,
    TensorType,
    Type,
    Var,
    operator,
    type_of,
)
from workbench.rewrite import ModuleEditor, NodeRef, PatternRule, Relation

Array = NDArray[Any]

_conv: CallTo = op(
    ("nn.conv1d", "nn.conv2d", "nn.conv3d"), anything("data"), constant("weight")
).used(1)
_biased = op("add", _conv, constant("bias"), any_order=True).used(1)
_norm = op(
    "nn.batch_norm",
    _conv | _biased,
    constant("gamma"),
    constant("beta"),
    constant("mean"),
    constant("variance"),
).used(1)
"""A normalisation of a convolution, which may have a bias by channel."""


@dataclass(frozen=True)
class FoldBatchNormIntoConv(PatternRule):
    """Fold a batch normalisation at inference into the convolution before it.

    The weights and the four parameters must be constants; the new weights are computed in
    float64 and rounded once. Any layout, any number of groups, with a bias or without. The result
    keeps its id up to rounding; the convolution gets a new one. Reference: Jacob et al.,
    "Quantization and Training of Neural Networks", 2018, section 3.2; TVM's `SimplifyInference`
    with `FoldScaleAxis`.
    """

    name: ClassVar[str] = "fold-batch-norm-into-conv"
    absent: ClassVar[str] = "no convolution is followed by a batch normalisation"
    pattern: ClassVar[Pattern] = item(_norm, 0)

    @override
    def unfit(self, match: Match, module: IRModule) -> str:
        calls = _calls(match)
        conv, norm = calls["conv"].value, calls["norm"].value
        assert isinstance(conv, CallOp)
        assert isinstance(norm, CallOp)
        weight, out = type_of(match["weight"]), calls["conv"].var.type
        if not isinstance(out, TensorType) or out.rank is None:
            return f"`{calls['conv'].var.name}` has an unknown number of dimensions"
        normal = _attributes(norm)
        if normal["training"]:
            return f"`{calls['norm'].var.name}` normalises with the moments of the batch"
        channel, rank = _channel(_attributes(conv)), out.rank
        if normal["axis"] % rank != channel:
            return f"`{calls['norm'].var.name}` does not normalise the channels"
        if not isinstance(weight, TensorType) or weight.dtype != out.dtype:
            return f"`{calls['conv'].var.name}` has another dtype than its weights"
        bias = match.values.get("bias")
        if bias is not None and not _by_channel(type_of(bias), rank, channel):
            return f"what is added to `{calls['conv'].var.name}` is no bias by channel"
        return ""

    @override
    def rewrite_match(self, match: Match, editor: ModuleEditor) -> None:
        calls = _calls(match)
        conv, norm, out = calls["conv"].value, calls["norm"].value, calls["conv"].var
        assert isinstance(conv, CallOp)
        assert isinstance(norm, CallOp)
        assert isinstance(out.type, TensorType)
        arrays = {name: _array(match, editor, name) for name in match.values if name != "data"}
        scale, shift = _scale_and_shift(_attributes(norm), arrays)
        weight, given = arrays["weight"], _attributes(conv)
        output = str(given["kernel_layout"]).index("O")
        weights = weight * _along(scale, output, weight.ndim)
        offset = _along(shift, _channel(given), out.type.rank or 0)
        dtype = np.dtype(out.type.dtype)
        args = (match["data"], _emit(match, editor, f"{out.name}_weights", weights.astype(dtype)))
        bias = _emit(match, editor, f"{out.name}_bias", offset.astype(dtype))
        scaled = editor.new_var(match.function, out.name, out.type)
        root = match.root.var.id
        editor.insert_before(
            match.function, root, Binding(scaled, CallOp(conv.op, args, conv.attrs))
        )
        editor.replace_value(match.function, root, CallOp("add", (scaled, bias)), self.name)
        for member in match.members:
            if member.var.id != root:
                editor.remove(match.function, member.var.id)
        sources = [NodeRef(match.function, calls[name].var.id) for name in ("conv", "norm")]
        result = NodeRef(match.function, scaled.id)
        editor.derive(self.name, sources, (result,), Relation.PART)


def _calls(match: Match) -> dict[str, Binding]:
    """The convolution and the normalisation of a match."""
    calls = {b.value.op: b for b in match.members if isinstance(b.value, CallOp)}
    norm = calls.pop("nn.batch_norm")
    calls.pop("add", None)
    return {"norm": norm, "conv": next(iter(calls.values()))}


def _attributes(call: CallOp) -> dict[str, Any]:
    """The attributes of a call, those that are not given included."""
    return {**dict(operator(call.op).attributes), **dict(call.attrs)}


def _channel(conv: Mapping[str, Any]) -> int:
    """The position of the output channels in the result."""
    return str(conv["out_layout"] or conv["data_layout"]).index("C")


def _by_channel(type_: Type, rank: int, channel: int) -> bool:
    """Whether a value that is added has one number for each channel, or one for all."""
    shape = type_.shape if isinstance(type_, TensorType) else None
    if shape is None or len(shape) > rank:
        return False
    aligned = (1,) * (rank - len(shape)) + shape
    return all(extent == 1 for axis, extent in enumerate(aligned) if axis != channel)


def _array(match: Match, editor: ModuleEditor, name: str) -> Array:
    """A constant of the match as float64."""
    leaf = match[name]
    if isinstance(leaf, Var):
        binding = editor.binding(match.function, leaf.id)
        assert binding is not None
        assert isinstance(binding.value, Alias)
        leaf = binding.value.value
    assert isinstance(leaf, Constant)
    return editor.array(leaf.digest).astype(np.float64)


def _scale_and_shift(norm: Mapping[str, Any], arrays: Mapping[str, Array]) -> tuple[Array, Array]:
    """What the normalisation multiplies each channel with, and what it adds then.

    The bias that was added before it included.
    """
    scale = 1 / np.sqrt(arrays["variance"] + norm["epsilon"])
    if norm["scale"]:
        scale = scale * arrays["gamma"]
    moved = -arrays["mean"]
    if "bias" in arrays:
        moved = moved + arrays["bias"].reshape(-1)
    shift = moved * scale
    return scale, shift + arrays["beta"] if norm["center"] else shift


def _along(values: Array, axis: int, rank: int) -> Array:
    """A vector along one of `rank` dimensions."""
    return values.reshape([-1 if position == axis else 1 for position in range(rank)])


def _emit(match: Match, editor: ModuleEditor, name: str, array: Array) -> Var:
    leaf = editor.add_constant(array)
    var = editor.new_var(match.function, name, leaf.type)
    editor.insert_before(match.function, match.root.var.id, Binding(var, Alias(leaf)))
    return var
