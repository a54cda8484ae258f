"""The view protocol: plain data that the kernel sends and the front end draws.

Everything here is a msgspec struct that becomes JSON, and TypeScript types by `make protocol`.
The kernel owns the truth: the front end sends an `Intent` and draws what comes back; it derives
no fact about the program. A node is named by its *key*, the call path of its value:
`main/12` is value 12 of `main`; `main/12>7` is value 7 of the function that call 12 calls;
`main/12?then` is an arm of the `if` that binds value 12;
`matmul/` is the tensor function `matmul` itself, `matmul/3` its loop or block 3.

`VERSION` changes whenever a saved output of an older version could not be drawn any more.
"""

from __future__ import annotations

from typing import Literal

import msgspec

VERSION = 4

NodeKind = Literal["input", "constant", "op", "tensor", "library", "function", "branch", "other"]
Change = Literal["none", "new", "rewritten", "fused"]
VerdictState = Literal[
    "none", "checking", "exact", "within", "amber", "wrong", "uncheckable", "cancelled"
]
LoopKind = Literal[
    "serial", "parallel", "vectorized", "unrolled", "thread", "while", "block", "statement"
]

Answer = Literal["applies", "illegal", "unproved", "inapplicable"]
Scalar = int | float | str | bool | None
Parameter = Scalar | list[Scalar | list[Scalar]]
"""A parameter of a schedule primitive: names of places, numbers, orders."""


class Struct(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all protocol structs: immutable, keywords only."""


# --- diagnostics and text -----------------------------------------------------------------------


class DiagnosticView(Struct, frozen=True):
    """A diagnostic as the user sees it: `text` is the whole short message, with carets if any."""

    code: str
    severity: Literal["error", "warning", "note"]
    message: str
    node: str | None = None
    notes: list[str] = []
    hint: str = ""
    text: str = ""


class TokenView(Struct, frozen=True):
    """A piece of script text; `style` is a highlight class, `node` the key of what it names."""

    text: str
    style: Literal[
        "plain", "keyword", "name", "number", "string", "comment", "type", "operator"
    ] = "plain"
    node: str | None = None


# --- the picture --------------------------------------------------------------------------------


class NodeView(Struct, frozen=True):
    """One box. Sizes are integer pixels from the fixed table of character widths."""

    key: str
    stable: str
    """Identity over steps: a value moved into a fused function keeps the key it had before."""
    name: str
    label: str
    type: str
    kind: NodeKind
    inputs: list[str] = []
    """Keys of the producers in argument order; repeated when used twice."""
    effect: bool = False
    """Whether it has effects, so that its place in the order matters."""
    after: list[str] = []
    """Keys of the values with effects that come right before this one, which has effects too."""
    group: str | None = None
    change: Change = "none"
    stub: bool = False
    """Drawn as a small stub beside its consumer (weights, values used everywhere)."""
    callee: str | None = None
    width: int = 150
    height: int = 40


class GroupView(Struct, frozen=True):
    """A collapsible set of boxes: a layer of the imported model, a fused function, an `if`.

    An `if` (`branch`) has the key of its value, which is one of its members, and holds two groups
    for its arms. Arms stand side by side; what they read from outside is named there.
    """

    key: str
    label: str
    kind: Literal["layer", "fused", "branch", "arm"]
    parent: str | None = None
    collapsed: bool = False
    """What to start with; folds belong to the view afterwards."""
    type: str = ""
    ops: int = 0
    kinds: dict[str, int] = {}
    """How many members are of each kind now, the most frequent first."""
    change: Change = "none"
    width: int = 150
    height: int = 40


class FunctionView(Struct, frozen=True):
    """One graph function as a picture; nodes stand in program order.

    A module without graph functions has one picture, named by the empty text: a box for each
    tensor function.
    """

    name: str
    nodes: list[NodeView] = []
    groups: list[GroupView] = []
    outputs: list[str] = []
    gone: list[str] = []
    """Labels of the boxes of the step before that are not here any more."""


class FunctionCard(Struct, frozen=True):
    """One line of the module's table of contents."""

    name: str
    kind: Literal["graph", "tensor", "library"]
    signature: str
    uses: int = 0
    change: Change = "none"


class ModuleView(Struct, frozen=True):
    """What one step looks like."""

    step: int
    functions: list[FunctionView]
    cards: list[FunctionCard]
    calls: dict[str, int] = {}
    """How many calls are `op`, `tensor`, `library`, for the title line."""
    calls_before: dict[str, int] = {}
    """The same for the imported module."""


# --- one node in detail -------------------------------------------------------------------------


class LoopRow(Struct, frozen=True):
    """One row of the loop nest: `code` tokens indented by `depth`, its kind, what it touches."""

    depth: int
    code: list[TokenView]
    kind: LoopKind
    node: str | None = None
    extent: str = ""
    reads: list[str] = []
    writes: list[str] = []
    note: str = ""
    name: str = ""
    """How schedule primitives name the loop or block: `j`, `C.j`, `j#2`; else empty."""
    cost: str = ""
    """Operations and working set of one run: `268 Mop · 3 MiB`."""
    cost_detail: str = ""
    """The same with what is read and written, in words."""


class OriginView(Struct, frozen=True):
    """Where a value came from: the node of the imported model, and the steps that touched it."""

    source: str
    detail: str
    step: int | None = None


class NumberView(Struct, frozen=True):
    """A parameter that is a natural number, or nothing."""

    name: str
    value: int | None


class ActionView(Struct, frozen=True):
    """A pass that could be applied here, or the reason why not."""

    name: str
    """Class name of the pass, such as `LegalizeOps`."""
    applies: bool
    reason: str
    """What it would change (`3 calls`), or why it does not apply."""
    sites: int = 0
    code: str = ""
    """The line of Python for it: `s.apply(wb.passes.LegalizeOps())`."""
    scope: Literal["module", "selection"] = "module"
    doc: str = ""
    """What it does, in one line."""
    numbers: list[NumberView] = []
    """Parameters that a person may set: the answers are for these."""


class ImplementationView(Struct, frozen=True):
    """One way to compute the selected call."""

    name: str
    kind: Literal["generated", "schedule", "library", "reference", "user"]
    description: str
    current: bool = False
    available: bool = True
    reason: str = ""
    code: str = ""


class ChoiceView(Struct, frozen=True):
    """Parameters that a primitive could be applied with."""

    label: str
    """What distinguishes it: `[None, 8]`."""
    arguments: dict[str, Parameter]
    """Parameters by name, as `Perform` takes them."""
    code: str
    """The line of Python for it."""


class OfferView(Struct, frozen=True):
    """A schedule primitive at one loop or block: what it would do, or why it does not apply."""

    name: str
    """Class name of the primitive, such as `Split`."""
    answer: Answer
    doc: str
    """What it does, in one line."""
    reason: str = ""
    """Why it does not apply; or what to know where it does."""
    notes: list[str] = []
    """The witness: `i=3 reads C[2, 0], which i=2 writes`."""
    hint: str = ""
    choices: list[ChoiceView] = []
    """Likely parameters, best first; only the first that applies is checked."""
    own: str = ""
    """The parameter that a person may give as text (`factors`: `None, 12`), else empty."""


class DetailView(Struct, frozen=True):
    """Everything the right pane shows about one node of one step."""

    step: int
    node: str
    title: str
    kind: NodeKind
    type: str
    arguments: list[str] = []
    """`name: type` of each argument."""
    callee: str | None = None
    script: list[TokenView] = []
    loops: list[LoopRow] = []
    origin: list[OriginView] = []
    actions: list[ActionView] = []
    implementations: list[ImplementationView] = []
    llvm: str = ""
    assembly: str = ""
    facts: list[str] = []
    editable: bool = False
    """True where `script` is the text of a tensor function that `edit` accepts."""


# --- history ------------------------------------------------------------------------------------


class FirstDifference(Struct, frozen=True):
    """The first value that is wrong."""

    node: str
    name: str
    index: list[int]
    expected: str
    found: str


class VerdictView(Struct, frozen=True):
    """Whether a step still computes the same; `text` is ready to show: `✓ max error 2.4e-07`."""

    state: VerdictState
    text: str
    local_error: float | None = None
    drift: float | None = None
    inputs: str = ""
    """Where the inputs came from: `given`, `seeded bytes 0..255` and so on."""
    at: str = ""
    """Extents of symbolic dimensions on which it was found: `at n = 3 and 37`."""
    first: FirstDifference | None = None
    checked: int = 0
    """How many values were compared."""


class StepView(Struct, frozen=True):
    """One dot of the history. `label` is the row's name: `LegalizeOps ~3`."""

    index: int
    parent: int | None
    name: str
    label: str
    code: str
    verdict: VerdictView
    new: int = 0
    gone: int = 0
    rewritten: int = 0
    fused: int = 0
    changed: bool = True
    seconds: float = 0.0
    remarks: list[DiagnosticView] = []
    milliseconds: float | None = None
    """Median run time of the step's module, where measured."""
    became: dict[str, str] = {}
    """Loops and blocks of the step before that a primitive replaced, with the first they became."""


class SessionView(Struct, frozen=True):
    """The whole history; sent on connection and after every change."""

    name: str
    head: int
    steps: list[StepView]
    path: list[int]
    """Steps from the import to the head."""
    kernel_note: str = ""
    variable: str = "s"
    """The name under which the user's code knows the session."""
    catalogue: int = 0
    """Changes when passes, operators or libraries are registered: ask anew what applies."""


# --- diff and measurements ----------------------------------------------------------------------


class DiffLine(Struct, frozen=True):
    """One line of a text diff."""

    sign: Literal[" ", "+", "-", "@"]
    text: str


class DiffView(Struct, frozen=True):
    """What differs between two steps: graph nodes by key, and text."""

    a: int
    b: int
    added: list[str]
    removed: list[str]
    rewritten: list[str]
    fused: list[str]
    names: dict[str, str]
    """Label of every key above."""
    lines: list[DiffLine]
    summary: str


class BarView(Struct, frozen=True):
    """One bar of a comparison: times in milliseconds, median and quartiles of `runs` runs."""

    name: str
    milliseconds: float
    low: float
    high: float
    runs: int
    error: float | None = None
    """Largest absolute difference against the reference."""
    best: bool = False
    current: bool = False
    note: str = ""
    failed: str = ""
    """Why there is no time."""
    implementation: str | None = None
    step: int | None = None


class ComparisonView(Struct, frozen=True):
    """A titled set of bars; `per_operator` lists the rows of the slowest operators by step."""

    title: str
    bars: list[BarView]
    per_operator: list[OperatorTimes] = []
    conditions: str = ""
    """Threads, inputs, load of the machine."""


class OperatorTimes(Struct, frozen=True):
    """Times of one value in the steps compared, in milliseconds; None where it is not computed."""

    node: str
    name: str
    milliseconds: list[float | None]


# --- memory -------------------------------------------------------------------------------------


class BlockView(Struct, frozen=True):
    """A value in the memory plan: `bytes` from `offset` on, from step `first` to step `last`.

    What is returned lies above the arena, in memory of its own.
    """

    name: str
    node: str
    """Key of the value, to select it."""
    type: str
    first: int
    last: int
    offset: int
    bytes: int
    size: str
    """The bytes in words: `48 KiB`, with the formula where it is symbolic."""
    reuse: Literal["fresh", "reuse", "in-place"]
    source: str = ""
    """The value that lay there before."""
    missed: list[str] = []
    """Why it is not computed in place: `not in place of a: b reads it later`."""
    returned: bool = False


class MemoryView(Struct, frozen=True):
    """Where the values of a graph function lie while it runs; steps are bindings that compute."""

    step: int
    function: str
    steps: list[str] = []
    blocks: list[BlockView] = []
    peak: int = 0
    """Bytes of the arena."""
    live: list[int] = []
    """Bytes of the arena that are in use at each step."""
    total: int = 0
    """Bytes with the memory of what is returned."""
    summary: str = ""
    """`arena 32 KiB instead of 96 KiB`."""
    notes: list[str] = []
    """What is assumed, what has no place in the plan."""
    written: bool = False
    """Whether the module has this plan, so that a build follows it."""
