"""From modules to results: build, executables, kernel cache, thread pool, profiles."""

from workbench.runtime.arguments import CopiedArgumentWarning
from workbench.runtime.build import build
from workbench.runtime.context import CancelToken
from workbench.runtime.executable import Executable
from workbench.runtime.faults import Cancelled
from workbench.runtime.report import BuildReport, Profile, Timing
from workbench.support import CompileError

__all__ = [
    "BuildReport",
    "CancelToken",
    "Cancelled",
    "CompileError",
    "CopiedArgumentWarning",
    "Executable",
    "Profile",
    "Timing",
    "build",
]
