"""What code is generated for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import llvmlite.binding as llvm


@dataclass(frozen=True, slots=True)
class Target:
    """A processor as LLVM names it; `vector_bits` is the width of the vectors to use.

    Reference: `tvm::Target` of kind `llvm`.
    """

    triple: str
    cpu: str
    features: str = ""
    vector_bits: int = 128

    def has(self, feature: str) -> bool:
        """Whether a feature, as LLVM names it, is switched on."""
        return f"+{feature}" in self.features.split(",")

    @property
    def has_fma(self) -> bool:
        """Whether fused multiply-add is an instruction; without it none is emitted."""
        return self.has("fma") or not self.is_x86

    @property
    def has_half(self) -> bool:
        """Whether conversion between float16 and float32 is an instruction."""
        return self.has("f16c") or not self.is_x86

    @property
    def is_x86(self) -> bool:
        """Whether this is an x86 processor, 32 or 64 bits."""
        return self.triple.startswith(("x86", "i386", "i686"))


@cache
def host_target() -> Target:
    """The processor that this process runs on."""
    features: Any = llvm.get_host_cpu_features()
    wide: bool = features.get("avx512f", False) and features.get("avx512vl", False)
    bits = 512 if wide else 256 if features.get("avx2", False) else 128
    return Target(
        llvm.get_process_triple(), llvm.get_host_cpu_name(), features.flatten(sort=True), bits
    )
