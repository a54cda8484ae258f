"""The patterns that libraries are offered for, and when a library can take a match of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from workbench.analysis.patterns import (
    CallTo,
    LibraryPattern,
    Match,
    Pattern,
    anything,
    op,
    register_library_pattern,
)
from workbench.ir import Attrs, CallOp, Dim, TensorType, Type, Var, find_operator, type_of
from workbench.ir.dims import same_dim
from workbench.ops.call import OpCall
from workbench.ops.windows import windows

ACTIVATION = {"nn.relu": "relu", "nn.gelu": "gelu", "nn.gelu_tanh": "gelu_tanh"}


def offer_matmul(library: str, symbol: str, dtypes: tuple[str, ...]) -> None:
    """Let a library have matrix products: `symbol(a, b, out)`."""
    pattern = _product(dtypes)
    _offer(library, symbol, pattern, ("a", "b"), _no_attrs, _no_product)


def offer_matmul_with(
    library: str, symbol: str, dtypes: tuple[str, ...], activations: tuple[str, ...]
) -> None:
    """Let a library have products with bias and activation: `symbol(a, b, bias, out)`."""
    for pattern, names in _extended(lambda: _product(dtypes), activations):
        _offer(library, symbol, pattern, ("a", "b", *names), _activation, _no_product)


def offer_conv2d(library: str, symbol: str, dtypes: tuple[str, ...], *, groups: bool) -> None:
    """Let a library have convolutions: `symbol(data, weight, out, strides=, padding=, ...)`."""
    reason = _no_convolution if groups else _no_plain_convolution
    _offer(library, symbol, _convolution(dtypes), ("a", "b"), _window, reason)


def offer_conv2d_with(
    library: str, symbol: str, dtypes: tuple[str, ...], activations: tuple[str, ...]
) -> None:
    """Let a library have convolutions with bias and activation."""

    def attrs(match: Match) -> Attrs:
        return tuple(sorted((*_window(match), *_activation(match))))

    for pattern, names in _extended(lambda: _convolution(dtypes), activations):
        _offer(library, symbol, pattern, ("a", "b", *names), attrs, _no_convolution)


def offer_softmax(library: str, symbol: str, dtypes: tuple[str, ...]) -> None:
    """Let a library have softmax: `symbol(data, out, axis=)`."""

    def attrs(match: Match) -> Attrs:
        return (("axis", operator_call(match.root.value)["axis"]),)

    _offer(library, symbol, op("nn.softmax", _value("data", dtypes)), ("data",), attrs, _no_reason)


def offer_layer_norm(library: str, symbol: str, dtypes: tuple[str, ...]) -> None:
    """Let a library have layer normalisation: `symbol(data, gamma, beta, out, epsilon=)`."""
    names = ("data", "gamma", "beta")
    pattern = op("nn.layer_norm", *(_value(name, dtypes) for name in names))

    def attrs(match: Match) -> Attrs:
        return (("epsilon", operator_call(match.root.value)["epsilon"]),)

    _offer(library, symbol, pattern, names, attrs, _no_last_axis)


def operator_call(value: object) -> OpCall:
    """An operator call with its default attributes."""
    assert isinstance(value, CallOp)
    operator = find_operator(value.op)
    assert operator is not None
    return OpCall(value, None, operator.attributes)


def _offer(
    library: str,
    symbol: str,
    pattern: Pattern,
    arguments: tuple[str, ...],
    attrs: Callable[[Match], Attrs],
    reason: Callable[[Match], str],
) -> None:
    register_library_pattern(LibraryPattern(library, symbol, pattern, arguments, attrs, reason))


def _value(name: str, dtypes: tuple[str, ...]) -> Pattern:
    def has(type_: Type) -> bool:
        return isinstance(type_, TensorType) and type_.dtype in dtypes

    return anything(name).where("a tensor of " + " or ".join(f"`{d}`" for d in dtypes), has)


def _product(dtypes: tuple[str, ...]) -> CallTo:
    return op("matmul", _value("a", dtypes), _value("b", dtypes)).named("first")


def _convolution(dtypes: tuple[str, ...]) -> CallTo:
    return op("nn.conv2d", _value("a", dtypes), _value("b", dtypes)).named("first")


def _extended(
    first: Callable[[], CallTo], activations: tuple[str, ...]
) -> Iterator[tuple[CallTo, tuple[str, ...]]]:
    """Bias with activation, bias alone, activation alone: what is larger comes first."""
    yield op(activations, _with_bias(first())), ("bias",)
    yield _with_bias(first()), ("bias",)
    yield op(activations, first()), ()


def _with_bias(first: CallTo) -> CallTo:
    return op("add", first, anything("bias"), any_order=True)


def _no_attrs(_: Match) -> Attrs:
    return ()


def _no_reason(_: Match) -> str:
    return ""


def _activation(match: Match) -> Attrs:
    value = match.root.value
    name = ACTIVATION.get(value.op, "") if isinstance(value, CallOp) else ""
    return (("activation", name),) if name else ()


def _first(match: Match) -> CallOp:
    """The product or convolution of a match."""
    found = match["first"]
    assert isinstance(found, Var)
    for member in match.members:
        if member.var.id == found.id:
            assert isinstance(member.value, CallOp)
            return member.value
    raise AssertionError


def _no_product(match: Match) -> str:
    call = operator_call(_first(match))
    a, b = call.tensor(0), call.tensor(1)
    if a.shape is None or b.shape is None or min(len(a.shape), len(b.shape)) < 2:
        return "the operands need two dimensions or more"
    if call["out_dtype"] not in ("", "void", None, a.dtype):
        return f"the product is of `{call['out_dtype']}`"
    same_batch = len(a.shape) == len(b.shape) and _all_same(a.shape[:-2], b.shape[:-2])
    if len(b.shape) != 2 and not same_batch:
        return "one operand is repeated over the batch of the other"
    return _no_bias(match, b.shape[-1], -1)


def _no_plain_convolution(match: Match) -> str:
    groups = operator_call(_first(match))["groups"]
    return f"the convolution has `{groups}` groups" if groups != 1 else _no_convolution(match)


def _no_convolution(match: Match) -> str:
    call = operator_call(_first(match))
    layouts = (call["data_layout"], call["kernel_layout"], call["out_layout"] or "NCHW")
    if layouts != ("NCHW", "OIHW", "NCHW"):
        return "the layouts are " + ", ".join(f"`{name}`" for name in layouts)
    weight = call.tensor(1)
    if call["out_dtype"] not in ("", "void", None, weight.dtype):
        return f"the result is of `{call['out_dtype']}`"
    if weight.shape is None or not isinstance(match.root.var.type, TensorType):
        return "the shape is not known"
    return _no_bias(match, weight.shape[0], -3)


def _no_bias(match: Match, extent: Dim, axis: int) -> str:
    """Whether what is added is one number for each `extent` of dimension `axis`."""
    if "bias" not in match.values:
        return ""
    type_ = type_of(match["bias"])
    shape = type_.shape if isinstance(type_, TensorType) else None
    if shape is None or len(shape) < -axis or same_dim(shape[axis], extent) is not True:
        return "what is added is no bias of one number for each column or channel"
    others = (*shape[:axis], *(shape[axis + 1 :] if axis != -1 else ()))
    if any(dim != 1 for dim in others):
        return "what is added is no bias of one number for each column or channel"
    return "" if len(shape) <= _rank(match) else "what is added has more dimensions"


def _rank(match: Match) -> int:
    type_ = type_of(match["first"])
    assert isinstance(type_, TensorType)
    return len(type_.shape or ())


def _all_same(a: tuple[Dim, ...], b: tuple[Dim, ...]) -> bool:
    return a == b or all(same_dim(x, y) is True for x, y in zip(a, b, strict=True))


def _no_last_axis(match: Match) -> str:
    call = operator_call(match.root.value)
    shape = call.tensor(0).shape
    if shape is None:
        return "the rank is not known"
    if call.axes(call["axes"], len(shape)) != (len(shape) - 1,):
        return "it normalises other axes than the last"
    return "" if call["center"] and call["scale"] else "it has no scale or no shift"


def _window(match: Match) -> Attrs:
    """`strides`, `padding` (top, left, bottom, right), `dilation`, and `groups` where several."""
    call = operator_call(_first(match))
    weight = call.tensor(1)
    assert weight.shape is not None
    rows, columns = windows(call, weight.shape[2:])
    groups = call["groups"]
    found: Attrs = (
        ("dilation", (rows.dilation, columns.dilation)),
        ("padding", (rows.before, columns.before, rows.after, columns.after)),
        ("strides", (rows.stride, columns.stride)),
    )
    return found if groups == 1 else tuple(sorted((*found, ("groups", groups))))
