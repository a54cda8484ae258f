"""Values of the generated code and how dtypes are represented.

`bool` is `i1` as a value and `i8` in memory; `float16` and `bfloat16` are `float` as values,
always rounded, and `i16` in memory.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache

from workbench.ir.expr import DType

_VALUE_TYPES = {"bool": "i1", "float16": "float", "bfloat16": "float", "float32": "float"}
_VALUE_TYPES["float64"] = "double"
_MEMORY_TYPES = _VALUE_TYPES | {"bool": "i8", "float16": "i16", "bfloat16": "i16"}


@dataclass(frozen=True, slots=True)
class Value:
    """An LLVM value: operand text, element type, number of lanes (1 is a scalar).

    `level` is the depth of the frame that defines it; `const` its value where it is an integer
    constant.
    """

    ref: str
    element: str
    lanes: int = 1
    level: int = 0
    const: int | None = None

    @property
    def type(self) -> str:
        """The LLVM type."""
        return self.element if self.lanes == 1 else f"<{self.lanes} x {self.element}>"

    @property
    def typed(self) -> str:
        """Type and operand."""
        return f"{self.type} {self.ref}"

    @property
    def is_float(self) -> bool:
        """Whether the elements are floating point."""
        return self.element in {"float", "double"}


def value_type(dtype: DType) -> str:
    """The LLVM type of values of `dtype`."""
    return _VALUE_TYPES.get(dtype) or "i" + dtype.removeprefix("u").removeprefix("int")


def memory_type(dtype: DType) -> str:
    """The LLVM type of elements of `dtype` in memory."""
    return _MEMORY_TYPES.get(dtype) or value_type(dtype)


def byte_size(dtype: DType) -> int:
    """Bytes of one element of `dtype` in memory."""
    sizes = {"i8": 1, "i16": 2, "i32": 4, "i64": 8, "float": 4, "double": 8}
    return sizes[memory_type(dtype)]


def is_unsigned(dtype: DType) -> bool:
    """Whether integers of `dtype` (`bool` too) have no sign."""
    return dtype.startswith("u") or dtype == "bool"


@lru_cache(maxsize=4096)
def integer(value: int, element: str = "i64") -> Value:
    """An integer constant, wrapped into its type."""
    bits = int(element[1:])
    wrapped = value & ((1 << bits) - 1)
    if bits == 1:
        return Value("true" if wrapped else "false", element, const=wrapped)
    if wrapped >> (bits - 1):
        wrapped -= 1 << bits
    return Value(str(wrapped), element, const=wrapped)


def floating(value: float, element: str) -> Value:
    """A floating point constant, rounded to its type."""
    if element == "float":
        value = _to_single(value)
    return Value("0x" + struct.pack(">d", value).hex().upper(), element)


def _to_single(value: float) -> float:
    try:
        return struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
