"""Passes of users that fail: the diagnostic is at the value that they were at."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import pytest
from typing_extensions import override

import workbench as wb
from workbench.analysis.patterns import Match, Pattern, anything, op
from workbench.ir import IRModule, Type
from workbench.rewrite import (
    Derivation,
    ModuleEditor,
    NodeRef,
    Pass,
    PassResult,
    PatternRule,
)
from workbench.support import CompileError, Diagnostic, NodeId

TEXT = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((4, 4), "float32")):
        with R.dataflow():
            a = R.exp(x)
            b = R.nn.relu(a)
            y = R.tanh(b)
            R.output(y)
        return y
"""


def fault_of(item: Pass) -> Diagnostic:
    session = wb.open(wb.parse(TEXT))
    before = session.head.index
    with pytest.raises(CompileError) as caught:
        session.apply(item)
    assert session.head.index == before
    assert len(session.steps) == 1
    assert type(item).__name__ in str(caught.value)
    return caught.value.diagnostics[0]


def place_of(fault: Diagnostic) -> str:
    function = wb.parse(TEXT).graph_functions["main"]
    assert fault.function == "main"
    return next(b.var.name for b in function.bindings if b.var.id == fault.node)


class Own(Exception):  # noqa: N818
    pass


def failing(_: Type) -> bool:
    raise Own


@dataclass(frozen=True)
class RaisesInTest(PatternRule):
    name: ClassVar[str] = "raises-in-test"
    pattern: ClassVar[Pattern] = op("tanh", op("nn.relu").where("a good one", failing))

    @override
    def rewrite_match(self, match: Match, editor: ModuleEditor) -> None:
        del match, editor


@dataclass(frozen=True)
class RaisesInUnfit(PatternRule):
    name: ClassVar[str] = "raises-in-unfit"
    pattern: ClassVar[Pattern] = op("nn.relu", anything("x"))

    @override
    def unfit(self, match: Match, module: IRModule) -> str:
        raise Own

    @override
    def rewrite_match(self, match: Match, editor: ModuleEditor) -> None:
        del match, editor


@dataclass(frozen=True)
class AsksForNobody(PatternRule):
    name: ClassVar[str] = "asks-for-nobody"
    pattern: ClassVar[Pattern] = op("nn.relu", anything("x"))

    @override
    def rewrite_match(self, match: Match, editor: ModuleEditor) -> None:
        del editor
        assert match["nobody"]


class Tidier:
    """Somebody's own, with a method of the name that the last step of a rule has."""

    def finish(self) -> None:
        raise Own


@dataclass(frozen=True)
class AsksATidier(PatternRule):
    name: ClassVar[str] = "asks-a-tidier"
    pattern: ClassVar[Pattern] = op("nn.relu", anything("x"))

    @override
    def rewrite_match(self, match: Match, editor: ModuleEditor) -> None:
        del match, editor
        Tidier().finish()


@dataclass(frozen=True)
class RaisesAtTheEnd(PatternRule):
    name: ClassVar[str] = "raises-at-the-end"
    pattern: ClassVar[Pattern] = op("nn.relu", anything("x"))

    @override
    def rewrite_match(self, match: Match, editor: ModuleEditor) -> None:
        del match, editor

    @override
    def finish(self, editor: ModuleEditor) -> IRModule:
        raise Own


@dataclass(frozen=True)
class RunsAnother(PatternRule):
    name: ClassVar[str] = "runs-another"
    pattern: ClassVar[Pattern] = op("tanh", anything("x"))

    @override
    def rewrite_match(self, match: Match, editor: ModuleEditor) -> None:
        del match
        RaisesAtTheEnd()(editor.current)


@dataclass(frozen=True)
class ByFunction(Pass):
    name: ClassVar[str] = "by-function"
    function: Callable[[IRModule], PassResult]

    @override
    def run(self, module: IRModule) -> PassResult:
        return self.function(module)


def test_a_test_in_a_pattern_that_raises_is_told_at_the_value_it_was_tried_at() -> None:
    fault = fault_of(RaisesInTest())
    assert (fault.code, place_of(fault)) == ("session/pass-raised", "y")


def test_a_rule_that_raises_while_it_looks_is_told_at_the_match() -> None:
    fault = fault_of(RaisesInUnfit())
    assert (fault.code, place_of(fault)) == ("session/pass-raised", "b")


def test_a_diagnostic_without_a_place_gets_that_of_the_site() -> None:
    fault = fault_of(AsksForNobody())
    assert (fault.code, place_of(fault)) == ("pattern/unknown-name", "b")


def test_a_function_that_happens_to_be_called_finish_hides_no_place() -> None:
    fault = fault_of(AsksATidier())
    assert (fault.code, place_of(fault)) == ("session/pass-raised", "b")


def test_after_all_sites_a_rule_is_at_none() -> None:
    fault = fault_of(RaisesAtTheEnd())
    assert (fault.code, fault.function, fault.node) == ("session/pass-raised", None, None)


def test_a_rule_that_ends_inside_another_is_told_at_the_site_of_the_other() -> None:
    fault = fault_of(RunsAnother())
    assert (fault.code, place_of(fault)) == ("session/pass-raised", "y")


def test_a_pass_that_wants_to_end_the_program_is_refused() -> None:
    def leave(_: IRModule) -> PassResult:
        sys.exit(3)

    assert fault_of(ByFunction(leave)).message == "`ByFunction` raised `SystemExit: 3`"


@pytest.mark.parametrize("ref", [NodeRef("nobody", NodeId(1)), NodeRef("main", NodeId(999))])
@pytest.mark.parametrize("at", ["source", "result"])
def test_a_derivation_of_what_is_not_there_is_refused(ref: NodeRef, at: str) -> None:
    good = NodeRef("main", NodeId(1))
    pair = ((ref,), (good,)) if at == "source" else ((good,), (ref,))

    def derive(module: IRModule) -> PassResult:
        return PassResult(module, (Derivation("mine", *pair),))

    fault = fault_of(ByFunction(derive))
    assert fault.code == "pass/derivation"
    assert f"names `{ref}`, which is no value" in fault.message


def test_derivations_by_way_of_values_in_between_are_taken() -> None:
    between = NodeRef("gone", NodeId(5))

    def derive(module: IRModule) -> PassResult:
        first = Derivation("mine", (NodeRef("main", NodeId(1)),), (between,))
        second = Derivation("mine", (between,), (NodeRef("main", NodeId(2)),))
        return PassResult(module, (first, second))

    session = wb.open(wb.parse(TEXT))
    assert session.apply(ByFunction(derive)).index == 1
