"""What every layer needs: ids, positions in source text, diagnostics."""

from workbench.support.diagnostics import FOREIGN_FAULTS, CompileError, Diagnostic, Severity
from workbench.support.ids import IdSource, NodeId
from workbench.support.kinds import check_calls_of
from workbench.support.spans import Span

__all__ = [
    "FOREIGN_FAULTS",
    "CompileError",
    "Diagnostic",
    "IdSource",
    "NodeId",
    "Severity",
    "Span",
]

check_calls_of(globals(), ("CompileError", "Diagnostic"))
