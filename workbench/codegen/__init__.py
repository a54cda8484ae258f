"""Code generation: tensor function to LLVM text to native code."""

from workbench.codegen.compile import assembly, compile_object
from workbench.codegen.faults import FaultSite
from workbench.codegen.kernel import CODEGEN_VERSION, KernelCode, emit
from workbench.codegen.target import Target, host_target

__all__ = [
    "CODEGEN_VERSION",
    "FaultSite",
    "KernelCode",
    "Target",
    "assembly",
    "compile_object",
    "emit",
    "host_target",
]
