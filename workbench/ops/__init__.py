"""Operators: type rule, numpy reference and tensor form of each, registered on import."""

from workbench.ops import (
    activation,
    arithmetic,
    batch_norm,
    convolution,
    creation,
    datatype,
    elementwise,
    indexing,
    join,
    libraries,
    matmul,
    normalization,
    padding,
    pooling,
    reduce,
    reshape,
    scatter,
    slicing,
    sorting,
)
from workbench.ops.call import OpCall
from workbench.ops.datatype import array_dtype
from workbench.ops.definition import define, scalar_arguments, tensor_arguments

__all__ = [
    "OpCall",
    "activation",
    "arithmetic",
    "array_dtype",
    "batch_norm",
    "convolution",
    "creation",
    "datatype",
    "define",
    "elementwise",
    "indexing",
    "join",
    "libraries",
    "matmul",
    "normalization",
    "padding",
    "pooling",
    "reduce",
    "reshape",
    "scalar_arguments",
    "scatter",
    "slicing",
    "sorting",
    "tensor_arguments",
]
