from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from typing_extensions import override

from workbench.analysis.patterns import Match, Pattern, anything, op
from workbench.interpret import run
from workbench.ir import CallFunction
from workbench.ir.verify import check
from workbench.rewrite import ModuleEditor, PatternRule, Relation, outline
from workbench.script import parse

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
