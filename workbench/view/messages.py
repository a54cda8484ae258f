"""The messages of the view protocol: what the kernel says, and what a view asks for.

An `Intent` names the step that the view shows; answers carry its `id` as `reply_to`.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from workbench.view.protocol import (
    ActionView,
    ComparisonView,
    DetailView,
    DiagnosticView,
    DiffView,
    MemoryView,
    ModuleView,
    OfferView,
    Parameter,
    SessionView,
    Struct,
    TokenView,
)

# --- messages from the kernel -------------------------------------------------------------------


class Hello(Struct, tag="hello", frozen=True):
    """First answer: the whole session and the head's picture."""

    version: int
    session: SessionView
    module: ModuleView


class Unknown(Struct, tag="unknown", frozen=True):
    """The kernel does not know this key (restarted): the view says "run the cell again"."""

    message: str


class SessionChanged(Struct, tag="session", frozen=True):
    """Broadcast after any change of history or verdicts."""

    session: SessionView


class ModuleReply(Struct, tag="module", frozen=True):
    """Answer to `show`."""

    reply_to: int
    module: ModuleView


class DetailReply(Struct, tag="detail", frozen=True):
    """Answer to `detail`."""

    reply_to: int
    detail: DetailView


class ActionsReply(Struct, tag="actions", frozen=True):
    """Answer to `actions`."""

    reply_to: int
    step: int
    actions: list[ActionView]


class OffersReply(Struct, tag="offers", frozen=True):
    """Answer to `offers` and `try`."""

    reply_to: int
    step: int
    place: str
    offers: list[OfferView]
    facts: list[str] = msgspec.field(default_factory=list[str])
    """What the place reads and writes, and what a loop carries; with the last offers."""
    skip: int = 0
    next: int | None = None
    """Where to go on asking: not all primitives were looked at yet."""


class DiffReply(Struct, tag="diff", frozen=True):
    """Answer to `diff`."""

    reply_to: int
    diff: DiffView


class MemoryReply(Struct, tag="memory", frozen=True):
    """Answer to `memory`."""

    reply_to: int
    memory: MemoryView


class TextReply(Struct, tag="text", frozen=True):
    """Answer to `script` and `recipe`."""

    reply_to: int
    text: str
    tokens: list[TokenView] = msgspec.field(default_factory=list[TokenView])


class Applied(Struct, tag="applied", frozen=True):
    """Answer to `apply`, `swap`, `edit`, `checkout`: the step that is now the head."""

    reply_to: int
    step: int
    code: str


class JobProgress(Struct, tag="job", frozen=True):
    """Broadcast while a long job runs; `state` other than `running` ends it."""

    job: int
    phase: str
    done: int
    total: int
    state: Literal["running", "done", "cancelled", "failed"]
    reply_to: int | None = None


class ComparisonReply(Struct, tag="comparison", frozen=True):
    """Broadcast and answer of `measure` and `compare`."""

    reply_to: int | None
    comparison: ComparisonView
    node: str | None = None


class SelectionChanged(Struct, tag="selection", frozen=True):
    """Broadcast when code or another view selected a value (None: nothing)."""

    node: str | None


class Failed(Struct, tag="failed", frozen=True):
    """The intent was refused; nothing was lost."""

    reply_to: int
    diagnostics: list[DiagnosticView]


Message = (
    Hello
    | Unknown
    | SessionChanged
    | ModuleReply
    | DetailReply
    | ActionsReply
    | OffersReply
    | DiffReply
    | MemoryReply
    | TextReply
    | Applied
    | JobProgress
    | ComparisonReply
    | SelectionChanged
    | Failed
)


# --- intents from the view ----------------------------------------------------------------------


class Intent(Struct, frozen=True):
    """Base of what the view asks for; `id` comes back as `reply_to`, `step` is what it shows."""

    id: int
    step: int


class Open(Intent, tag="open", frozen=True):
    """Sent when the comm opens."""

    key: str


class Show(Intent, tag="show", frozen=True):
    """The picture of `step`."""


class Detail(Intent, tag="detail", frozen=True):
    """The details of one node."""

    node: str


class Select(Intent, tag="select", frozen=True):
    """The person selected this value, or nothing (None). Nothing is answered."""

    node: str | None = None


class Actions(Intent, tag="actions", frozen=True):
    """What applies at the selection, or to the module where `node` is None.

    `numbers` are parameters by name, for passes that have such (`ActionView.numbers`).
    """

    node: str | None = None
    numbers: dict[str, int] | None = None


class Apply(Intent, tag="apply", frozen=True):
    """Apply the pass of that name, at one node or everywhere, with numbers as in `Actions`."""

    name: str
    node: str | None = None
    numbers: dict[str, int] | None = None


class Offers(Intent, tag="offers", frozen=True):
    """Which schedule primitives apply at a loop or block (`matmul/12`), and why not the others.

    An answer takes a moment, no more; those from number `skip` on are looked at.
    """

    place: str
    skip: int = 0


class Try(Intent, tag="try", frozen=True):
    """Whether a primitive applies with these parameters, without applying it.

    A text for a parameter that is a tuple is read as its items: `None, 12`.
    """

    place: str
    name: str
    arguments: dict[str, Parameter]


class Perform(Intent, tag="perform", frozen=True):
    """Apply a schedule primitive with these parameters."""

    name: str
    arguments: dict[str, Parameter]


class Edit(Intent, tag="edit", frozen=True):
    """Replace the tensor function that `node` calls by the script text."""

    node: str
    text: str


class Swap(Intent, tag="swap", frozen=True):
    """Use this implementation for the call."""

    node: str
    implementation: str


class Measure(Intent, tag="measure", frozen=True):
    """Measure all implementations of a call."""

    node: str


class Compare(Intent, tag="compare", frozen=True):
    """Measure whole steps; empty means import and head."""

    steps: list[int] = msgspec.field(default_factory=list[int])


class Cancel(Intent, tag="cancel", frozen=True):
    """Stop the running job."""


class Checkout(Intent, tag="checkout", frozen=True):
    """Make `step` the head."""


class Diff(Intent, tag="diff", frozen=True):
    """Compare two steps."""

    a: int
    b: int


class Memory(Intent, tag="memory", frozen=True):
    """The memory plan of a graph function at `step`."""

    function: str


class Script(Intent, tag="script", frozen=True):
    """The module's script at `step`."""


class Recipe(Intent, tag="recipe", frozen=True):
    """The Python that reproduces the path to `step`."""


AnyIntent = (
    Open
    | Show
    | Detail
    | Select
    | Actions
    | Apply
    | Offers
    | Try
    | Perform
    | Edit
    | Swap
    | Measure
    | Compare
    | Cancel
    | Checkout
    | Diff
    | Memory
    | Script
    | Recipe
)


class SavedView(Struct, frozen=True):
    """What stands in a saved notebook: enough to draw without a kernel."""

    version: int
    session: SessionView
    module: ModuleView
    detail: DetailView | None = None


class Bundle(Struct, frozen=True):
    """The value of `application/vnd.workbench.v1+json`."""

    key: str
    data: SavedView
