"""The session: history, verdicts, implementations, comparisons, recipes."""

from workbench.session.blame import Blame, Rewrite
from workbench.session.comparison import Bar, Comparison, OperatorRow
from workbench.session.diff import Diff
from workbench.session.display import register_display
from workbench.session.events import Changed, Event, Measured, Progress, Selected
from workbench.session.implementations import Implementation
from workbench.session.provenance import Node
from workbench.session.session import Adapter, Session
from workbench.session.snapshot import Snapshot
from workbench.session.sources import Source, remember_source, source_of
from workbench.session.step import Step
from workbench.session.verdict import Verdict

__all__ = [
    "Adapter",
    "Bar",
    "Blame",
    "Changed",
    "Comparison",
    "Diff",
    "Event",
    "Implementation",
    "Measured",
    "Node",
    "OperatorRow",
    "Progress",
    "Rewrite",
    "Selected",
    "Session",
    "Snapshot",
    "Source",
    "Step",
    "Verdict",
    "register_display",
    "remember_source",
    "source_of",
]
