"""What every layer needs: ids, positions in source text, diagnostics."""

from workbench.support.diagnostics import CompileError, Diagnostic, Severity
from workbench.support.ids import IdSource, NodeId
from workbench.support.kinds import check_calls_of
from workbench.support.spans import Span

__all__ = ["CompileError", "Diagnostic", "IdSource", "NodeId", "Severity", "Span"]

check_calls_of(globals(), ("CompileError", "Diagnostic"))
