// Generated from workbench/view/protocol.py by `make protocol`. Do not edit.

/** Version of the protocol that these types describe. */
export const VERSION = 4;

export type NodeKind = 'branch' | 'constant' | 'function' | 'input' | 'library' | 'op' | 'other' | 'tensor';

export type Change = 'fused' | 'new' | 'none' | 'rewritten';

export type VerdictState = 'amber' | 'cancelled' | 'checking' | 'exact' | 'none' | 'uncheckable' | 'within' | 'wrong';

export type LoopKind = 'block' | 'parallel' | 'serial' | 'statement' | 'thread' | 'unrolled' | 'vectorized' | 'while';

export type Answer = 'applies' | 'illegal' | 'inapplicable' | 'unproved';

/** A diagnostic as the user sees it: `text` is the whole short message, with carets if any. */
export interface DiagnosticView {
  readonly code: string;
  readonly severity: 'error' | 'note' | 'warning';
  readonly message: string;
  readonly node: string | null;
  readonly notes: readonly string[];
  readonly hint: string;
  readonly text: string;
}

/** A piece of script text; `style` is a highlight class, `node` the key of what it names. */
export interface TokenView {
  readonly text: string;
  readonly style: 'comment' | 'keyword' | 'name' | 'number' | 'operator' | 'plain' | 'string' | 'type';
  readonly node: string | null;
}

/** One box. Sizes are integer pixels from the fixed table of character widths. */
export interface NodeView {
  readonly key: string;
  readonly stable: string;
  readonly name: string;
  readonly label: string;
  readonly type: string;
  readonly kind: NodeKind;
  readonly inputs: readonly string[];
  readonly effect: boolean;
  readonly after: readonly string[];
  readonly group: string | null;
  readonly change: Change;
  readonly stub: boolean;
  readonly callee: string | null;
  readonly width: number;
  readonly height: number;
}

/** A collapsible set of boxes: a layer of the imported model, a fused function, an `if`. */
export interface GroupView {
  readonly key: string;
  readonly label: string;
  readonly kind: 'arm' | 'branch' | 'fused' | 'layer';
  readonly parent: string | null;
  readonly collapsed: boolean;
  readonly type: string;
  readonly ops: number;
  readonly kinds: Readonly<Record<string, number>>;
  readonly change: Change;
  readonly width: number;
  readonly height: number;
}

/** One graph function as a picture; nodes stand in program order. */
export interface FunctionView {
  readonly name: string;
  readonly nodes: readonly NodeView[];
  readonly groups: readonly GroupView[];
  readonly outputs: readonly string[];
  readonly gone: readonly string[];
}

/** One line of the module's table of contents. */
export interface FunctionCard {
  readonly name: string;
  readonly kind: 'graph' | 'library' | 'tensor';
  readonly signature: string;
  readonly uses: number;
  readonly change: Change;
}

/** What one step looks like. */
export interface ModuleView {
  readonly step: number;
  readonly functions: readonly FunctionView[];
  readonly cards: readonly FunctionCard[];
  readonly calls: Readonly<Record<string, number>>;
  readonly calls_before: Readonly<Record<string, number>>;
}

/** One row of the loop nest: `code` tokens indented by `depth`, its kind, what it touches. */
export interface LoopRow {
  readonly depth: number;
  readonly code: readonly TokenView[];
  readonly kind: LoopKind;
  readonly node: string | null;
  readonly extent: string;
  readonly reads: readonly string[];
  readonly writes: readonly string[];
  readonly note: string;
  readonly name: string;
  readonly cost: string;
  readonly cost_detail: string;
}

/** Where a value came from: the node of the imported model, and the steps that touched it. */
export interface OriginView {
  readonly source: string;
  readonly detail: string;
  readonly step: number | null;
}

/** A parameter that is a natural number, or nothing. */
export interface NumberView {
  readonly name: string;
  readonly value: number | null;
}

/** A pass that could be applied here, or the reason why not. */
export interface ActionView {
  readonly name: string;
  readonly applies: boolean;
  readonly reason: string;
  readonly sites: number;
  readonly code: string;
  readonly scope: 'module' | 'selection';
  readonly doc: string;
  readonly numbers: readonly NumberView[];
}

/** One way to compute the selected call. */
export interface ImplementationView {
  readonly name: string;
  readonly kind: 'generated' | 'library' | 'reference' | 'schedule' | 'user';
  readonly description: string;
  readonly current: boolean;
  readonly available: boolean;
  readonly reason: string;
  readonly code: string;
}

/** Parameters that a primitive could be applied with. */
export interface ChoiceView {
  readonly label: string;
  readonly arguments: Readonly<Record<string, number | string | boolean | null | readonly (number | string | boolean | null | readonly (number | string | boolean | null)[])[]>>;
  readonly code: string;
}

/** A schedule primitive at one loop or block: what it would do, or why it does not apply. */
export interface OfferView {
  readonly name: string;
  readonly answer: Answer;
  readonly doc: string;
  readonly reason: string;
  readonly notes: readonly string[];
  readonly hint: string;
  readonly choices: readonly ChoiceView[];
  readonly own: string;
}

/** Everything the right pane shows about one node of one step. */
export interface DetailView {
  readonly step: number;
  readonly node: string;
  readonly title: string;
  readonly kind: NodeKind;
  readonly type: string;
  readonly arguments: readonly string[];
  readonly callee: string | null;
  readonly script: readonly TokenView[];
  readonly loops: readonly LoopRow[];
  readonly origin: readonly OriginView[];
  readonly actions: readonly ActionView[];
  readonly implementations: readonly ImplementationView[];
  readonly llvm: string;
  readonly assembly: string;
  readonly facts: readonly string[];
  readonly editable: boolean;
}

/** The first value that is wrong. */
export interface FirstDifference {
  readonly node: string;
  readonly name: string;
  readonly index: readonly number[];
  readonly expected: string;
  readonly found: string;
}

/** Whether a step still computes the same; `text` is ready to show: `✓ max error 2.4e-07`. */
export interface VerdictView {
  readonly state: VerdictState;
  readonly text: string;
  readonly local_error: number | null;
  readonly drift: number | null;
  readonly inputs: string;
  readonly at: string;
  readonly first: FirstDifference | null;
  readonly checked: number;
}

/** One dot of the history. `label` is the row's name: `LegalizeOps ~3`. */
export interface StepView {
  readonly index: number;
  readonly parent: number | null;
  readonly name: string;
  readonly label: string;
  readonly code: string;
  readonly verdict: VerdictView;
  readonly new: number;
  readonly gone: number;
  readonly rewritten: number;
  readonly fused: number;
  readonly changed: boolean;
  readonly seconds: number;
  readonly remarks: readonly DiagnosticView[];
  readonly milliseconds: number | null;
  readonly became: Readonly<Record<string, string>>;
}

/** The whole history; sent on connection and after every change. */
export interface SessionView {
  readonly name: string;
  readonly head: number;
  readonly steps: readonly StepView[];
  readonly path: readonly number[];
  readonly kernel_note: string;
  readonly variable: string;
  readonly catalogue: number;
}

/** One line of a text diff. */
export interface DiffLine {
  readonly sign: ' ' | '+' | '-' | '@';
  readonly text: string;
}

/** What differs between two steps: graph nodes by key, and text. */
export interface DiffView {
  readonly a: number;
  readonly b: number;
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly rewritten: readonly string[];
  readonly fused: readonly string[];
  readonly names: Readonly<Record<string, string>>;
  readonly lines: readonly DiffLine[];
  readonly summary: string;
}

/** One bar of a comparison: times in milliseconds, median and quartiles of `runs` runs. */
export interface BarView {
  readonly name: string;
  readonly milliseconds: number;
  readonly low: number;
  readonly high: number;
  readonly runs: number;
  readonly error: number | null;
  readonly best: boolean;
  readonly current: boolean;
  readonly note: string;
  readonly failed: string;
  readonly implementation: string | null;
  readonly step: number | null;
}

/** A titled set of bars; `per_operator` lists the rows of the slowest operators by step. */
export interface ComparisonView {
  readonly title: string;
  readonly bars: readonly BarView[];
  readonly per_operator: readonly OperatorTimes[];
  readonly conditions: string;
}

/** Times of one value in the steps compared, in milliseconds; None where it is not computed. */
export interface OperatorTimes {
  readonly node: string;
  readonly name: string;
  readonly milliseconds: readonly (number | null)[];
}

/** A value in the memory plan: `bytes` from `offset` on, from step `first` to step `last`. */
export interface BlockView {
  readonly name: string;
  readonly node: string;
  readonly type: string;
  readonly first: number;
  readonly last: number;
  readonly offset: number;
  readonly bytes: number;
  readonly size: string;
  readonly reuse: 'fresh' | 'in-place' | 'reuse';
  readonly source: string;
  readonly missed: readonly string[];
  readonly returned: boolean;
}

/** Where the values of a graph function lie while it runs; steps are bindings that compute. */
export interface MemoryView {
  readonly step: number;
  readonly function: string;
  readonly steps: readonly string[];
  readonly blocks: readonly BlockView[];
  readonly peak: number;
  readonly live: readonly number[];
  readonly total: number;
  readonly summary: string;
  readonly notes: readonly string[];
  readonly written: boolean;
}

/** First answer: the whole session and the head's picture. */
export interface Hello {
  readonly type: 'hello';
  readonly version: number;
  readonly session: SessionView;
  readonly module: ModuleView;
}

/** The kernel does not know this key (restarted): the view says "run the cell again". */
export interface Unknown {
  readonly type: 'unknown';
  readonly message: string;
}

/** Broadcast after any change of history or verdicts. */
export interface SessionChanged {
  readonly type: 'session';
  readonly session: SessionView;
}

/** Answer to `show`. */
export interface ModuleReply {
  readonly type: 'module';
  readonly reply_to: number;
  readonly module: ModuleView;
}

/** Answer to `detail`. */
export interface DetailReply {
  readonly type: 'detail';
  readonly reply_to: number;
  readonly detail: DetailView;
}

/** Answer to `actions`. */
export interface ActionsReply {
  readonly type: 'actions';
  readonly reply_to: number;
  readonly step: number;
  readonly actions: readonly ActionView[];
}

/** Answer to `offers` and `try`. */
export interface OffersReply {
  readonly type: 'offers';
  readonly reply_to: number;
  readonly step: number;
  readonly place: string;
  readonly offers: readonly OfferView[];
  readonly facts: readonly string[];
  readonly skip: number;
  readonly next: number | null;
}

/** Answer to `diff`. */
export interface DiffReply {
  readonly type: 'diff';
  readonly reply_to: number;
  readonly diff: DiffView;
}

/** Answer to `memory`. */
export interface MemoryReply {
  readonly type: 'memory';
  readonly reply_to: number;
  readonly memory: MemoryView;
}

/** Answer to `script` and `recipe`. */
export interface TextReply {
  readonly type: 'text';
  readonly reply_to: number;
  readonly text: string;
  readonly tokens: readonly TokenView[];
}

/** Answer to `apply`, `swap`, `edit`, `checkout`: the step that is now the head. */
export interface Applied {
  readonly type: 'applied';
  readonly reply_to: number;
  readonly step: number;
  readonly code: string;
}

/** Broadcast while a long job runs; `state` other than `running` ends it. */
export interface JobProgress {
  readonly type: 'job';
  readonly job: number;
  readonly phase: string;
  readonly done: number;
  readonly total: number;
  readonly state: 'cancelled' | 'done' | 'failed' | 'running';
  readonly reply_to: number | null;
}

/** Broadcast and answer of `measure` and `compare`. */
export interface ComparisonReply {
  readonly type: 'comparison';
  readonly reply_to: number | null;
  readonly comparison: ComparisonView;
  readonly node: string | null;
}

/** Broadcast when code or another view selected a value (None: nothing). */
export interface SelectionChanged {
  readonly type: 'selection';
  readonly node: string | null;
}

/** The intent was refused; nothing was lost. */
export interface Failed {
  readonly type: 'failed';
  readonly reply_to: number;
  readonly diagnostics: readonly DiagnosticView[];
}

/** Sent when the comm opens. */
export interface Open {
  readonly type: 'open';
  readonly id: number;
  readonly step: number;
  readonly key: string;
}

/** The picture of `step`. */
export interface Show {
  readonly type: 'show';
  readonly id: number;
  readonly step: number;
}

/** The details of one node. */
export interface Detail {
  readonly type: 'detail';
  readonly id: number;
  readonly step: number;
  readonly node: string;
}

/** The person selected this value, or nothing (None). Nothing is answered. */
export interface Select {
  readonly type: 'select';
  readonly id: number;
  readonly step: number;
  readonly node: string | null;
}

/** What applies at the selection, or to the module where `node` is None. */
export interface Actions {
  readonly type: 'actions';
  readonly id: number;
  readonly step: number;
  readonly node: string | null;
  readonly numbers: Readonly<Record<string, number>> | null;
}

/** Apply the pass of that name, at one node or everywhere, with numbers as in `Actions`. */
export interface Apply {
  readonly type: 'apply';
  readonly id: number;
  readonly step: number;
  readonly name: string;
  readonly node: string | null;
  readonly numbers: Readonly<Record<string, number>> | null;
}

/** Which schedule primitives apply at a loop or block (`matmul/12`), and why not the others. */
export interface Offers {
  readonly type: 'offers';
  readonly id: number;
  readonly step: number;
  readonly place: string;
  readonly skip: number;
}

/** Whether a primitive applies with these parameters, without applying it. */
export interface Try {
  readonly type: 'try';
  readonly id: number;
  readonly step: number;
  readonly place: string;
  readonly name: string;
  readonly arguments: Readonly<Record<string, number | string | boolean | null | readonly (number | string | boolean | null | readonly (number | string | boolean | null)[])[]>>;
}

/** Apply a schedule primitive with these parameters. */
export interface Perform {
  readonly type: 'perform';
  readonly id: number;
  readonly step: number;
  readonly name: string;
  readonly arguments: Readonly<Record<string, number | string | boolean | null | readonly (number | string | boolean | null | readonly (number | string | boolean | null)[])[]>>;
}

/** Replace the tensor function that `node` calls by the script text. */
export interface Edit {
  readonly type: 'edit';
  readonly id: number;
  readonly step: number;
  readonly node: string;
  readonly text: string;
}

/** Use this implementation for the call. */
export interface Swap {
  readonly type: 'swap';
  readonly id: number;
  readonly step: number;
  readonly node: string;
  readonly implementation: string;
}

/** Measure all implementations of a call. */
export interface Measure {
  readonly type: 'measure';
  readonly id: number;
  readonly step: number;
  readonly node: string;
}

/** Measure whole steps; empty means import and head. */
export interface Compare {
  readonly type: 'compare';
  readonly id: number;
  readonly step: number;
  readonly steps: readonly number[];
}

/** Stop the running job. */
export interface Cancel {
  readonly type: 'cancel';
  readonly id: number;
  readonly step: number;
}

/** Make `step` the head. */
export interface Checkout {
  readonly type: 'checkout';
  readonly id: number;
  readonly step: number;
}

/** Compare two steps. */
export interface Diff {
  readonly type: 'diff';
  readonly id: number;
  readonly step: number;
  readonly a: number;
  readonly b: number;
}

/** The memory plan of a graph function at `step`. */
export interface Memory {
  readonly type: 'memory';
  readonly id: number;
  readonly step: number;
  readonly function: string;
}

/** The module's script at `step`. */
export interface Script {
  readonly type: 'script';
  readonly id: number;
  readonly step: number;
}

/** The Python that reproduces the path to `step`. */
export interface Recipe {
  readonly type: 'recipe';
  readonly id: number;
  readonly step: number;
}

/** What stands in a saved notebook: enough to draw without a kernel. */
export interface SavedView {
  readonly version: number;
  readonly session: SessionView;
  readonly module: ModuleView;
  readonly detail: DetailView | null;
}

/** The value of `application/vnd.workbench.v1+json`. */
export interface Bundle {
  readonly key: string;
  readonly data: SavedView;
}

export type Message = Hello | Unknown | SessionChanged | ModuleReply | DetailReply | ActionsReply | OffersReply | DiffReply | MemoryReply | TextReply | Applied | JobProgress | ComparisonReply | SelectionChanged | Failed;

export type AnyIntent = Open | Show | Detail | Select | Actions | Apply | Offers | Try | Perform | Edit | Swap | Measure | Compare | Cancel | Checkout | Diff | Memory | Script | Recipe;
