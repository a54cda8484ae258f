from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from typing_extensions import override

from workbench.analysis.patterns import Match, Pattern, anything, constant, op
from workbench.interpret import run
from workbench.ir import CallFunction
from workbench.ir.verify import check
from workbench.rewrite import ModuleEditor, PatternRule, Relation, Site, outline
from workbench.script import parse
from workbench.support import CompileError

TEXT = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((4, 4), "float32"), w: R.Tensor((4, 4), "float32")):
        with R.dataflow():
            a = R.matmul(x, w)
            b = R.matmul(a, w)
            c = R.matmul(b, w)
            d = R.nn.relu(c)
            R.output(d)
        return d
"""


@dataclass(frozen=True)
class FuseTwo(PatternRule):
    """Two matmuls in a row."""

    name: ClassVar[str] = "fuse-two"
    pattern: ClassVar[Pattern] = op("matmul", op("matmul", anything(), anything()), anything())

    @override
    def rewrite_match(self, match: Match, editor: ModuleEditor) -> None:
        outline(editor, match.function, match.members, "two", rule=self.name)


def test_a_user_rule_outlines_its_matches_and_leaves_overlaps_out(
    rng: np.random.Generator,
) -> None:
    module = parse(TEXT)
    result = FuseTwo()(module)
    check(result.module)
    calls = [b.value for b in result.module.graph_functions["main"].bindings]
    assert sum(isinstance(call, CallFunction) for call in calls) == 1
    assert [r.code for r in result.remarks] == ["pattern/near-miss", "pattern/overlap"]
    assert {d.relation for d in result.derivations} == {Relation.SAME, Relation.MOVED}
    arrays = [rng.standard_normal((4, 4)).astype("float32") for _ in range(2)]
    np.testing.assert_array_equal(run(module, *arrays), run(result.module, *arrays))


def test_several_outputs_come_back_in_a_tuple(rng: np.random.Generator) -> None:
    module = parse(TEXT.replace("R.nn.relu(c)", "R.add(c, b)"))
    editor = ModuleEditor(module)
    _, b, c, _ = module.graph_functions["main"].bindings
    outline(editor, "main", (b, c), "pair", rule="by-hand", outputs=(b.var, c.var))
    changed = editor.commit()
    check(changed)
    arrays = [rng.standard_normal((4, 4)).astype("float32") for _ in range(2)]
    np.testing.assert_array_equal(run(module, *arrays), run(changed, *arrays))
    kept = {binding.var.id for binding in changed.graph_functions["main"].bindings}
    assert {b.var.id, c.var.id} <= kept


def test_a_value_that_is_read_outside_keeps_a_match_open() -> None:
    module = parse(TEXT.replace("R.nn.relu(c)", "R.add(b, c)"))
    result = FuseTwo(only=("c",))(module)
    assert "pattern/read-outside" in [r.code for r in result.remarks]


def test_the_first_in_program_order_wins_and_the_others_say_what_they_share() -> None:
    module = parse(TEXT)
    result = FuseTwo()(module)
    kept = [b.var.name for b in result.module.graph_functions["main"].bindings]
    assert kept == ["b", "c", "d"], "`a` went with the first match"
    (overlap,) = [r for r in result.remarks if r.code == "pattern/overlap"]
    assert overlap.message == "the match overlaps one that `fuse-two` rewrote before: `b`"
    assert FuseTwo(only=("c",))(module).remarks[-1].code != "pattern/overlap"
    again = FuseTwo()(result.module)
    assert not any(r.code == "pattern/overlap" for r in again.remarks), "`b` is a call now"


@dataclass(frozen=True)
class FuseSum(PatternRule):
    """A sum with what one of its arguments is computed from, whichever can be taken."""

    name: ClassVar[str] = "fuse-sum"
    pattern: ClassVar[Pattern] = op("add", op(("exp", "abs")), anything(), any_order=True)

    @override
    def rewrite_match(self, match: Match, editor: ModuleEditor) -> None:
        outline(editor, match.function, match.members, "sum", rule=self.name)


def test_a_match_that_is_not_closed_gives_way_to_the_next_order_of_arguments() -> None:
    text = TEXT.replace("R.matmul(x, w)", "R.exp(x)").replace("R.matmul(a, w)", "R.abs(w)")
    text = text.replace("R.matmul(b, w)", "R.add(a, b)").replace("R.nn.relu(c)", "R.multiply(a, c)")
    module = parse(text)
    (site,) = FuseSum().sites(module)
    assert isinstance(site, Site)
    names = {b.var.id: b.var.name for b in module.graph_functions["main"].bindings}
    assert [names[node] for node in site.nodes] == ["c", "b"], "`a` is read outside"
    check(FuseSum()(module).module)


@dataclass(frozen=True)
class Misspelt(FuseTwo):
    """A pattern that could never fit."""

    pattern: ClassVar[Pattern] = op("matmull", op("matmul"), constant())


def test_a_pattern_that_can_never_fit_is_a_fault_of_the_pass() -> None:
    with pytest.raises(CompileError, match="did you mean `matmul`"):
        Misspelt()(parse(TEXT))
