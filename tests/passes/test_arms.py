"""Arms of branches: passes do to a block there what they do to it anywhere, or say why not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from typing_extensions import override

import workbench as wb
from tests.passes.test_golden import CASES, array_of, missing_libraries, read, the_pass
from workbench.analysis.patterns import Match, NearMiss, Pattern, find, op
from workbench.interpret import run
from workbench.ir import (
    Binding,
    BindingBlock,
    Body,
    CallFunction,
    CallPacked,
    CallTIR,
    IfThenElse,
    IRModule,
    LibraryFunction,
    PackedStyle,
    TensorType,
    TupleType,
    Type,
    Var,
    register_library,
)
from workbench.ir.verify import verify
from workbench.passes import (
    AnnotateForLibrary,
    FuseOps,
    LegalizeOps,
    LiftTransformParams,
)
from workbench.rewrite import ModuleEditor, PatternRule, all_bindings, outline
from workbench.support import NodeId


def _never(*arrays: np.ndarray) -> None:
    """Stands in the arm that is not taken."""
    raise AssertionError(len(arrays))


register_library(LibraryFunction("test.arms.never", _never, "test"))

OF_WHOLE_FUNCTIONS = {
    "bind-parameters": "constants come first in the function",
    "bind-symbolic-variables": "parameters change",
    "lift-transform-params": "an arm may not be taken: a remark says so",
    "remove-unused-parameters": "parameters change",
    "lambda-lift": "takes the arms out",
    "plan-memory": "writes an attribute of the function",
    "inline-private-functions": "joins blocks of callees that have blocks of their own",
    "legalize-ops": "all bindings, in blocks or not",
}
"""Passes whose cases are not compared, and why."""


def in_an_arm(module: IRModule) -> IRModule:
    """The module with all that `main` does in the first arm of a branch."""
    main = module.graph_functions["main"]
    outs = main.return_type.fields if isinstance(main.return_type, TupleType) else ()
    ids = main.next_id
    names = ("is_taken", "of_an_arm", "of_another")
    types: tuple[Type, ...] = (TensorType((), "bool"), main.return_type, main.return_type)
    made = [Var(NodeId(ids + i), n, t) for i, (n, t) in enumerate(zip(names, types, strict=True))]
    condition, value, other = made
    never = CallPacked(
        "test.arms.never", main.params, outs or (main.return_type,), PackedStyle.PURE
    )
    otherwise = Body((BindingBlock((Binding(other, never),)),), other)
    whole = IfThenElse(condition, Body(main.blocks, main.result), otherwise)
    blocks = (BindingBlock((Binding(value, whole),)),)
    wrapped = replace(
        main,
        params=(*main.params, condition),
        blocks=blocks,
        result=value,
        next_id=ids + 3,
        attrs=(),
    )
    found = module.with_function("main", wrapped)
    assert verify(found) == ()
    return found


def first_arm(module: IRModule) -> Body:
    last = module.graph_functions["main"].blocks[-1].bindings[-1].value
    assert isinstance(last, IfThenElse)
    return last.then


def operations(blocks: tuple[BindingBlock, ...]) -> list[tuple[bool, list[str]]]:
    """What blocks call, without the names of functions."""
    return [(b.dataflow, [type(x.value).__name__ for x in b.bindings]) for b in blocks]


COMPARED = [p for p in CASES if p.parent.name.replace("_", "-") not in OF_WHOLE_FUNCTIONS]


@pytest.mark.parametrize("path", COMPARED, ids=[f"{p.parent.name}/{p.stem}" for p in COMPARED])
def test_a_pass_does_in_an_arm_what_it_does_anywhere(path: Path, rng: np.random.Generator) -> None:
    case = read(path)
    step, module = the_pass(case["pass"].strip()), wb.parse(case["input"])
    wrapped = in_an_arm(module)
    plain, inside = step(module), step(wrapped)
    assert verify(inside.module) == ()
    arm = first_arm(inside.module)
    assert operations(arm.blocks) == operations(plain.module.graph_functions["main"].blocks)
    assert {d.code for d in plain.remarks} <= {d.code for d in inside.remarks}
    if missing_libraries(plain.module):
        return
    given = [array_of(p.type, rng) for p in module.graph_functions["main"].params]
    expected = run(module, *given)
    got = run(inside.module, *given, np.array(True))
    for a, b in zip(flat(expected), flat(got), strict=True):
        np.testing.assert_allclose(b, a, rtol=2e-5, atol=1e-5)


def flat(value: object) -> Iterator[np.ndarray]:
    if isinstance(value, tuple):
        for item in value:
            yield from flat(item)
    elif isinstance(value, np.ndarray):
        yield value


# --- the border of a branch -------------------------------------------------------------------

BRANCH = """
@R.function
def main(x: R.Tensor((4, 4), "float32"), w: R.Tensor((4, 4), "float32"), c: R.Tensor((), "bool")):
    with R.dataflow():
        a = R.exp(x)
        R.output(a)
    if c:
        with R.dataflow():
            h = R.matmul(a, w)
            e = R.exp(h)
            f = R.nn.relu(e)
            R.output(f)
        r = R.negative(f)
    else:
        with R.dataflow():
            k = R.tanh(a)
            l = R.nn.relu(k)
            R.output(l)
        r = R.abs(l)
    return r
"""


def same(module: IRModule, original: IRModule) -> None:
    assert verify(module) == ()
    rng = np.random.default_rng(0)
    x, w = (rng.normal(size=(4, 4)).astype("float32") for _ in range(2))
    built = wb.build(module)
    for taken in (True, False):
        given = (x, w, np.array(taken))
        expected = run(original, *given)
        np.testing.assert_allclose(run(module, *given), expected, rtol=1e-5)
        np.testing.assert_allclose(built(*given), expected, rtol=1e-4)


def callees(module: IRModule) -> list[str]:
    values = [b.value for b in all_bindings(module.graph_functions["main"])]
    return [v.callee for v in values if isinstance(v, CallTIR | CallFunction)]


def test_groups_form_in_arms_and_cross_no_border() -> None:
    module = LegalizeOps()(wb.parse(BRANCH)).module
    fused = FuseOps()(module)
    assert "fused_matmul_exp_relu" in callees(fused.module)
    assert "fused_tanh_relu" in callees(fused.module)
    said = [d.message for d in fused.remarks]
    border = "arm of `r` and `a` is not: no group crosses the border"
    assert f"`a` -> `h`: `h` is in the `then` {border}" in said
    assert f"`a` -> `k`: `k` is in the `else` {border}" in said
    assert "`f` -> `r`: `r` is in no dataflow block: there the order may matter" in said
    assert said.count("`r` of the `then` arm -> `r`: it is what the arm gives") == 1
    assert said.count("`r` of the `else` arm -> `r`: it is what the arm gives") == 1
    same(fused.module, wb.parse(BRANCH))
    same(wb.optimize(wb.parse(BRANCH)), wb.parse(BRANCH))


def found_by(pattern: Pattern, module: IRModule) -> dict[str, Match | NearMiss]:
    return {found.root.var.name: found for found in find(pattern, module)}


def test_patterns_match_in_arms_and_across_no_border() -> None:
    module = wb.parse(BRANCH)
    found = found_by(op("nn.relu", op(("exp", "tanh"))), module)
    assert isinstance(found["f"], Match)
    assert isinstance(found["l"], Match)
    across = found_by(op("tanh", op("exp")), module)["k"]
    assert isinstance(across, NearMiss)
    assert across.reason == "`k` is in the `else` arm of `r` and `a` is not"
    missed = found_by(op("nn.relu", op("exp").used(2)), module)["f"]
    assert isinstance(missed, NearMiss)
    assert missed.reason == "`e` is used `1` times, expected `2`"


def test_readers_in_arms_are_uses_of_what_is_outside() -> None:
    module = wb.parse(BRANCH)
    read_by_both_arms = found_by(op("exp").used(2), module)
    assert isinstance(read_by_both_arms["a"], Match)
    assert isinstance(read_by_both_arms.get("e"), NearMiss | None)


@dataclass(frozen=True)
class OutlineRelus(PatternRule):
    """A user's rule: a relu of anything computed becomes a function."""

    name: ClassVar[str] = "outline-relus"
    pattern: ClassVar[Pattern] = op("nn.relu", op(("exp", "tanh")))

    @override
    def rewrite_match(self, match: Match, editor: ModuleEditor) -> None:
        outline(editor, match.function, match.members, "positive", rule=self.name)


def test_a_rule_of_a_user_rewrites_in_arms() -> None:
    module = wb.parse(BRANCH)
    made = OutlineRelus()(module).module
    assert callees(made) == ["positive", "positive1"]
    same(made, module)


def test_values_of_an_arm_are_annotated_together_and_not_with_others() -> None:
    module = wb.parse(BRANCH)
    made = AnnotateForLibrary(("h", "e", "f"), "numpy")(module).module
    assert callees(made) == ["numpy_region"]
    same(made, module)
    with pytest.raises(wb.CompileError, match="not in one dataflow block"):
        AnnotateForLibrary(("a", "k"), "numpy")(module)


WEIGHTS = """
@R.function
def main(x: R.Tensor((4, 4), "float32"), c: R.Tensor((), "bool"), w: R.Tensor((4, 4), "float32")):
    R.func_attr({"num_input": 2})
    with R.dataflow():
        s = R.exp(w)
        R.output(s)
    if c:
        with R.dataflow():
            t = R.permute_dims(s)
            u = R.negative(t)
            h = R.matmul(x, u)
            R.output(h)
        r = R.negative(h)
    else:
        r = R.abs(x)
    return r
"""


def test_what_arms_compute_from_weights_stays_and_a_remark_says_so() -> None:
    lifted = LiftTransformParams()(wb.parse(WEIGHTS))
    names = {b.var.name for b in all_bindings(lifted.module.graph_functions["main"])}
    assert {"t", "u"} <= names
    assert "s" not in names
    assert [d.message for d in lifted.remarks] == [
        f"`{v}` is computed from weights only, but in the `then` arm of `r`: "
        "where that is not taken it is not computed"
        for v in "tu"
    ]
