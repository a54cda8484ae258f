"""Passes that cannot be trusted: each is named, with its node, and the session stays."""

from __future__ import annotations

import _thread
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, cast

import numpy as np
import pytest
from typing_extensions import override

import workbench as wb
from tests.session.blaming import MATRIX
from tests.session.faulty import InKernel, Rebind, first_operand
from workbench.analysis.patterns import Match, Pattern, anything, op
from workbench.ir import CallOp, GraphFunction, IRModule, module_digest
from workbench.passes import (
    BUILTIN_PASSES,
    BindParameters,
    BindSymbolicVariables,
    Implement,
    LegalizeOps,
    Pass,
    ReplaceFunction,
    TransformLayouts,
)
from workbench.rewrite import (
    ModuleEditor,
    PassResult,
    PatternRule,
    Refusal,
    Rule,
    Site,
    outline,
)
from workbench.schedule import PRIMITIVES
from workbench.session import Session
from workbench.session.catalogue import required_parameters
from workbench.support import CompileError, Diagnostic, NodeId


@pytest.fixture
def session() -> Session:
    opened = wb.open(wb.parse(MATRIX))
    opened.apply(LegalizeOps())
    return opened


def refused(session: Session, step: Any) -> Diagnostic:  # noqa: ANN401
    """The first diagnostic of a pass that cannot be applied; nothing else has happened."""
    digest, head, steps = module_digest(session.module), session.head.index, len(session.steps)
    with pytest.raises(CompileError) as caught:
        session.apply(step)
    assert (session.head.index, len(session.steps)) == (head, steps)
    assert module_digest(session.module) == digest
    text = caught.value.diagnostics[0].render()
    assert type(step).__name__ in text, text
    assert session.apply("FuseOps").index == steps, "the session goes on"
    session.checkout(head)
    return caught.value.diagnostics[0]


# --- parameters that do not fit ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "code"),
    [
        (LegalizeOps(only=("nobody",)), "pass/unknown-value"),
        (TransformLayouts((("matmul", "nobody", "lambda i, j: (j, i)"),)), "layout/unknown-place"),
        (TransformLayouts((("matmul", "x1", "lambda i, j: (i, i)"),)), "index-map/not-invertible"),
        (TransformLayouts((("matmul", "x1", "i, j"),)), "index-map/not-a-map"),
        (BindParameters({"nobody": np.zeros(3, "float32")}), ""),
        (BindParameters({"x": np.zeros((2, 2), "float32")}), ""),
        (BindSymbolicVariables({"n": 4}), ""),
        (Implement("main.h", "library of nobody"), ""),
        (ReplaceFunction("matmul", "@T.prim_func\ndef matmul(:"), ""),
        (ReplaceFunction("nobody", ""), ""),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Pass) else "",
)
def test_parameters_that_do_not_fit_are_refused(session: Session, step: Pass, code: str) -> None:
    found = refused(session, step)
    assert found.code.startswith(code)


KINDS = [
    (kind, field.name)
    for kind in (*BUILTIN_PASSES, *PRIMITIVES)
    for field in fields(cast("Any", kind))
    if field.init
]


@pytest.mark.parametrize(("kind", "field"), KINDS, ids=lambda v: getattr(v, "__name__", v))
def test_rubbish_in_any_parameter_of_any_pass_is_a_diagnostic(
    session: Session, kind: type[Pass], field: str
) -> None:
    for rubbish in (object(), -7, 2.5, "no such thing", ("x",), (("a", "b"),), None):
        needed = dict.fromkeys(required_parameters(kind), "matmul")
        with suppress(CompileError):
            session.apply(kind(**{**needed, field: rubbish}))
            session.checkout(1)
        assert session.head.index == 1


NUMBERS = [
    (kind, field.name)
    for kind in BUILTIN_PASSES
    for field in fields(cast("Any", kind))
    if type(field.default) in {int, float}
]


@pytest.mark.parametrize(("kind", "field"), NUMBERS, ids=lambda v: getattr(v, "__name__", v))
def test_every_number_of_a_pass_has_limits(session: Session, kind: type[Pass], field: str) -> None:
    needed = dict.fromkeys(required_parameters(kind), "matmul")
    for number in (-1, float("nan"), float("inf"), float("-inf")):
        with pytest.raises(CompileError, match=f"`{field}`"):
            session.apply(kind(**{**needed, field: number}))
        assert session.head.index == 1


# --- patterns that overlap ------------------------------------------------------------------------


@dataclass(frozen=True)
class PairOfAdditions(PatternRule):
    """Two additions in a row become one function."""

    name: ClassVar[str] = "pair-of-additions"
    pattern: ClassVar[Pattern] = op("add", op("add", anything(), anything()), anything())

    @override
    def rewrite_match(self, match: Match, editor: ModuleEditor) -> None:
        outline(editor, match.function, match.members, "pair", rule=self.name)


def test_regions_that_overlap_are_told_with_their_node() -> None:
    session = wb.open(
        wb.parse("""
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((4,), "float32")):
        with R.dataflow():
            a = R.add(x, x)
            b = R.add(a, x)
            c = R.add(b, x)
            R.output(c)
        return c
""")
    )
    step = session.apply(PairOfAdditions())
    (remark,) = [r for r in step.remarks if r.code == "pattern/overlap"]
    assert "pair-of-additions" in remark.message
    assert "`b`" in remark.message
    (c,) = [b.var for b in session.module.graph_functions["main"].bindings if b.var.name == "c"]
    assert (remark.function, remark.node) == ("main", c.id)
    assert session.blame(timeout=300) is None


# --- passes of a user -----------------------------------------------------------------------------


def user_pass(run: Callable[[IRModule], Any]) -> Pass:
    """A pass of a user that does so."""

    class Mine(Pass):
        name = "mine"

        def run(self, module: IRModule) -> PassResult:
            return run(module)

    return Mine()


@dataclass(frozen=True)
class FailsAtOne(Rule):
    """A rule with a bug at the second of its sites."""

    name: ClassVar[str] = "fails-at-one"

    @override
    def sites(self, module: IRModule) -> Iterator[Site | Refusal]:
        for binding in module.graph_functions["main"].bindings:
            yield Site("main", (binding.var.id,))

    @override
    def rewrite(self, site: Site, editor: ModuleEditor) -> None:
        binding = editor.binding(site.function, site.nodes[0])
        assert binding is not None
        if binding.var.name == "a":
            raise ZeroDivisionError("somebody divided")


def test_a_rule_that_raises_is_named_with_the_node_it_was_at(session: Session) -> None:
    found = refused(session, FailsAtOne())
    (a,) = [b.var for b in session.module.graph_functions["main"].bindings if b.var.name == "a"]
    assert (found.code, found.function, found.node) == ("session/pass-raised", "main", a.id)
    assert "ZeroDivisionError: somebody divided" in found.message
    assert "in `rewrite`" in found.render()


@pytest.mark.parametrize(
    ("run", "code"),
    [
        (lambda _: None, "pass/result"),
        (lambda module: module, "pass/result"),
        (lambda _: PassResult(None), "pass/result"),  # pyright: ignore[reportArgumentType]
        (lambda module: setattr(module, "functions", ()), "session/pass-raised"),
        (lambda module: module.pool.clear(), "session/pass-raised"),
        (lambda module: module["nobody"], ""),
        (lambda module: recursion(module), "session/pass-raised"),
    ],
)
def test_what_a_user_returns_or_does_is_refused(
    session: Session, run: Callable[[IRModule], Any], code: str
) -> None:
    assert refused(session, user_pass(run)).code.startswith(code)


def recursion(module: IRModule) -> PassResult:
    return recursion(module)


def test_constants_cannot_be_changed_in_place() -> None:
    session = wb.open(
        wb.parse(
            MATRIX.replace("g = R.exp(x)", 'g = R.const([1.0, 2.0], "float32")').replace(
                "z = R.subtract(g, k)", "z = R.subtract(k, k)"
            )
        )
    )
    session.apply(LegalizeOps())

    def overwrite(module: IRModule) -> PassResult:
        for array in module.pool.values():
            array[...] = 7
        return PassResult(module)

    assert refused(session, user_pass(overwrite)).code == "session/pass-raised"


def main_of(module: IRModule) -> GraphFunction:
    return module.graph_functions["main"]


def without_parameter(module: IRModule) -> PassResult:
    main = main_of(module)
    return PassResult(module.with_function("main", replace(main, params=main.params[:-1])))


def without_a_binding(module: IRModule) -> PassResult:
    main = main_of(module)
    block = main.blocks[0]
    return PassResult(
        module.with_function(
            "main", replace(main, blocks=(replace(block, bindings=block.bindings[1:]),))
        )
    )


def of_another_type(module: IRModule) -> PassResult:
    main = main_of(module)
    editor = ModuleEditor(module)
    value = next(b for b in main.bindings if b.var.name == "s")
    editor.replace_value("main", value.var.id, CallOp("exp", (main.params[0],)), "mine")
    return PassResult(editor.commit())


@pytest.mark.parametrize("run", [without_parameter, without_a_binding, of_another_type])
def test_an_ill_formed_module_is_refused_with_its_node(
    session: Session, run: Callable[[IRModule], PassResult]
) -> None:
    found = refused(session, user_pass(run))
    assert found.code == "session/ill-formed-result"
    assert found.function == "main"
    assert found.node is not None


def fewer_results(module: IRModule) -> PassResult:
    editor = ModuleEditor(module)
    result: Any = main_of(module).result
    editor.set_signature("main", result=replace(result, fields=result.fields[:1]))
    return PassResult(editor.commit())


def other_order(module: IRModule) -> PassResult:
    main = main_of(module)
    editor = ModuleEditor(module)
    editor.set_signature("main", params=(main.params[1], main.params[0], *main.params[2:]))
    return PassResult(editor.commit())


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (fewer_results, "returns 1 values, expected 3"),
        (other_order, "takes `w`, `x`, `b`, expected"),
    ],
)
def test_another_signature_is_red(
    session: Session, run: Callable[[IRModule], PassResult], words: str
) -> None:
    step = session.apply(user_pass(run))
    session.apply("FuseOps")
    found = session.blame(timeout=300)
    assert found is not None
    assert found.index == step.index
    assert words in str(found)


def test_a_module_without_its_entry_is_told(session: Session) -> None:
    def lost(module: IRModule) -> PassResult:
        kept = tuple((name, f) for name, f in module.functions if name != "main")
        return PassResult(replace(module, functions=kept))

    step = session.apply(user_pass(lost))
    session.wait(60)
    assert step.verdict.state == "wrong"
    assert "`main`" in str(step.verdict)
    assert session.checkout(1).index == 1


def test_a_pass_that_never_ends_can_be_interrupted(session: Session) -> None:
    started = threading.Event()

    def forever(module: IRModule) -> PassResult:
        del module
        started.set()
        while True:
            pass

    def interrupt() -> None:
        started.wait(30)
        _thread.interrupt_main()

    helper = threading.Thread(target=interrupt)
    helper.start()
    with pytest.raises(KeyboardInterrupt):
        session.apply(user_pass(forever))
    helper.join()
    assert (session.head.index, len(session.steps)) == (1, 2)
    assert session.apply("FuseOps").index == 2


def test_a_wrong_pass_between_does_not_stop_the_others(session: Session) -> None:
    session.apply(Rebind("u", first_operand))
    with pytest.raises(CompileError):
        session.apply(InKernel("matmul", lambda _: 1 / 0))
    assert session.apply("FuseOps").index == 3


# --- rules that say or do nothing ----------------------------------------------------------------


@dataclass(frozen=True)
class Gives(Rule):
    """Its sites are whatever was given, and it rewrites nothing."""

    name: ClassVar[str] = "gives"
    given: Any = None

    @override
    def sites(self, module: IRModule) -> Iterator[Site | Refusal]:
        return self.given

    @override
    def rewrite(self, site: Site, editor: ModuleEditor) -> None:
        pass


@pytest.mark.parametrize("given", [None, (1, 2), (Site("main", None),), ("main",)])  # pyright: ignore[reportArgumentType]
def test_what_is_no_site_is_said(session: Session, given: object) -> None:
    found = refused(session, Gives(given=given))
    assert found.code == "pass/result"
    assert "must give `Site`s" in found.message


@pytest.mark.parametrize(
    ("site", "lacks"),
    [
        (Site("nobody", (NodeId(1),)), "no function `nobody`"),
        (Site("main", (NodeId(999),)), "no value `999` in `main`"),
    ],
)
def test_sites_that_are_not_there_give_a_remark(session: Session, site: Site, lacks: str) -> None:
    (remark,) = session.apply(Gives(given=(site,))).remarks
    assert remark.code == "pass/unknown-site"
    assert lacks in remark.message


@dataclass(frozen=True)
class EditsNothing(Pass):
    """Names values that are not there."""

    name: ClassVar[str] = "edits-nothing"
    edit: str = "replace"

    @override
    def run(self, module: IRModule) -> PassResult:
        editor = ModuleEditor(module)
        binding = next(iter(module.graph_functions["main"].bindings))
        match self.edit:
            case "replace":
                editor.replace_value("main", NodeId(9999), binding.value, self.name)
            case "remove":
                editor.remove("main", NodeId(9999))
            case _:
                editor.insert_before("main", NodeId(9999), binding)
        return PassResult(editor.commit())


@pytest.mark.parametrize("edit", ["replace", "remove", "insert"])
def test_edits_of_values_that_are_not_there_are_refused(session: Session, edit: str) -> None:
    found = refused(session, EditsNothing(edit))
    assert found.code == "pass/unknown-value"
    assert "`9999`" in found.message


def test_a_rewrite_that_does_nothing_gives_a_remark(session: Session) -> None:
    value = session.module.graph_functions["main"].bindings[0].var.id
    (remark,) = session.apply(Gives(given=(Site("main", (value,)),))).remarks
    assert (remark.code, remark.node) == ("pass/no-effect", value)
    assert "1 site" in remark.message
