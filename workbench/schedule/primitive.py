"""Primitives: one rewrite of one tensor function at one place, proved legal or refused.

A primitive is a pass whose parameters name the function and the place. It is a rule as well:
`sites` says where in a module it applies and why not elsewhere, `offers` proposes parameters.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, fields
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.dependence import Answer, AnswerKind, applies
from workbench.ir import Block, For, IRModule, TensorFunction
from workbench.rewrite import Derivation, NodeRef, Pass, PassResult, Refusal, Relation, Site
from workbench.schedule.empties import inits_kept, some_may_be_empty
from workbench.schedule.scope import Scope, place_id
from workbench.support import CompileError, Diagnostic, NodeId, Severity
from workbench.support.plain_values import frozen

CODES = {
    AnswerKind.ILLEGAL: "schedule/illegal",
    AnswerKind.UNPROVED: "schedule/unproved",
    AnswerKind.INAPPLICABLE: "schedule/inapplicable",
}


@dataclass(frozen=True, slots=True)
class Derived:
    """Loops, blocks or buffers `results` took the place of `sources`."""

    sources: tuple[NodeId, ...]
    results: tuple[NodeId, ...]
    relation: Relation = Relation.PART


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What a rewrite gives: the function, and the loops, blocks or buffers that it made.

    `results` are ids in the order that the method of `Schedule` gives them to the user.
    """

    function: TensorFunction
    results: tuple[NodeId, ...] = ()
    derived: tuple[Derived, ...] = ()
    remarks: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Primitive(Pass):
    """One rewrite of one tensor function; a frozen dataclass whose fields say where and how.

    `function` names the tensor function, empty for the only one. Places are named as `Scope`
    says. Reference: `tvm.tir.Schedule`; the four answers are those of Exo's safety checks
    (Ikarashi et al., "Exocompilation for Productive Programming of Hardware Accelerators",
    PLDI 2022) with the witness of a dependence polyhedron.
    """

    halide: ClassVar[str] = ""
    """What Halide calls it, empty where it has none."""
    tvm: ClassVar[str] = ""
    exo: ClassVar[str] = ""
    spread: ClassVar[str] = ""
    """The field whose items the method of `Schedule` takes as its positional arguments."""

    asked: ClassVar[tuple[str, ...]] = ()
    """Fields with a default that the method of `Schedule` asks for: a trace always has them."""

    function: str = ""

    def __post_init__(self) -> None:
        """Lists are kept as tuples, numbers and arrays of numpy as those of Python."""
        for f in fields(self):
            given = getattr(self, f.name)
            if not isinstance(given, str | int):
                object.__setattr__(self, f.name, frozen(given))

    @abstractmethod
    def check(self, scope: Scope) -> Answer:
        """Whether the rewrite is legal here: applies, illegal, unproved or inapplicable.

        Raises:
            CompileError: `schedule/no-such-loop`, `schedule/no-such-block`,
                `schedule/ambiguous-name` for names, `schedule/bad-factor` and such for parameters
                that fit nowhere.
        """

    @abstractmethod
    def rewrite(self, scope: Scope) -> Rewritten:
        """The function rewritten; `check` has said that it applies."""

    @classmethod
    @abstractmethod
    def offers(cls, scope: Scope, node: For | Block) -> Iterator[Primitive]:
        """The primitive with likely parameters at a loop or block, best first; not checked.

        Nothing where the primitive is not about such a place.
        """

    def answer(self, scope: Scope) -> Answer:
        """The answer of `check`, and whether reductions of nothing are initialised as before.

        Raises:
            CompileError: what `check` raises.
        """
        answer = self.check(scope)
        if not answer.applies or not some_may_be_empty(scope.function):
            return answer
        done = self.rewrite(Scope(scope.name, scope.function))
        return all_apply(answer, inits_kept(scope.function, done.function, self.compared(scope)))

    def compared(self, scope: Scope) -> Collection[NodeId]:  # noqa: ARG002
        """The blocks of which `check` has compared when they initialise with nothing to reduce."""
        return ()

    def checked(self, scope: Scope) -> Answer:
        """The answer of `check`, which applies.

        Raises:
            CompileError: `schedule/illegal`, `schedule/unproved`, `schedule/inapplicable`, or
                what `check` raises.
        """
        answer = self.answer(scope)
        if not answer.applies:
            raise CompileError(diagnostic_of(answer, scope))
        return answer

    @override
    def run(self, module: IRModule) -> PassResult:
        """The module with the function rewritten.

        Raises:
            CompileError: as `checked`; `schedule/which-function`.
        """
        scope = Scope.of(module, self.function)
        answer = self.checked(scope)
        done = self.rewrite(scope)
        changed = module.with_function(scope.name, done.function)
        remarks = [
            Diagnostic("schedule/note", text, Severity.NOTE, function=scope.name)
            for text in (*answer.notes, *done.remarks)
        ]
        if answer.reassociates:
            remarks.append(
                Diagnostic(
                    "schedule/reassociates",
                    "a floating-point reduction sums in another order: results may differ by "
                    "rounding",
                    Severity.NOTE,
                    function=scope.name,
                )
            )
        return PassResult(
            changed,
            tuple(_derivation(self.name, scope.name, d) for d in done.derived),
            tuple(remarks),
            reassociates=answer.reassociates,
        )

    def sites(self, module: IRModule) -> Iterator[Site | Refusal]:
        """Every loop or block where the primitive with its best offer applies, or why not."""
        names = [self.function] if self.function else list(module.tensor_functions)
        for name in names:
            scope = Scope.of(module, name)
            for node in (*scope.loops, *scope.blocks):
                found = site_at(type(self), scope, node)
                if found is not None:
                    yield found


def site_at(kind: type[Primitive], scope: Scope, node: For | Block) -> Site | Refusal | None:
    """The first offer of a primitive at a place that applies, else why the best one does not.

    None where the primitive is not about such a place.
    """
    first: Refusal | None = None
    for offer in kind.offers(scope, node):
        answer = answer_of(offer, scope)
        if answer.applies:
            return Site(scope.name, (place_id(node),), "; ".join(answer.notes))
        first = first or Refusal(diagnostic_of(answer, scope, Severity.NOTE))
    return first


def answer_of(primitive: Primitive, scope: Scope) -> Answer:
    """The answer of `check`, faults of the parameters as *inapplicable*."""
    try:
        return primitive.answer(scope)
    except CompileError as error:
        first = error.diagnostics[0]
        return Answer(
            AnswerKind.INAPPLICABLE, first.message, first.node, notes=first.notes, hint=first.hint
        )


def diagnostic_of(answer: Answer, scope: Scope, severity: Severity = Severity.ERROR) -> Diagnostic:
    """An answer that refuses, as a diagnostic."""
    return Diagnostic(
        CODES[answer.kind],
        answer.message,
        severity,
        node=answer.node,
        function=scope.name,
        notes=answer.notes,
        hint=answer.hint,
    )


def bad_parameter(scope: Scope, code: str, message: str, hint: str = "") -> CompileError:
    """An error for a parameter that fits nowhere."""
    return CompileError(Diagnostic(code, message, function=scope.name, hint=hint))


def all_apply(*answers: Answer) -> Answer:
    """The first that refuses, else one that applies with the notes and marks of all."""
    for answer in answers:
        if not answer.applies:
            return answer
    notes = tuple(dict.fromkeys(note for answer in answers for note in answer.notes))
    merged = applies(notes=notes)
    return Answer(
        merged.kind, notes=notes, reassociates=any(answer.reassociates for answer in answers)
    )


def _derivation(rule: str, function: str, derived: Derived) -> Derivation:
    return Derivation(
        rule,
        tuple(NodeRef(function, node) for node in derived.sources),
        tuple(NodeRef(function, node) for node in derived.results),
        derived.relation,
    )
