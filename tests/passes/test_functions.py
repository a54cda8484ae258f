"""Functions dissolved, made of branches, cut in two, relieved of what they do not read."""

import numpy as np
import pytest
from hypothesis import given, settings

from tests.generate import Generated, modules
from workbench.interpret import run
from workbench.ir import (
    Binding,
    BindingBlock,
    Body,
    CallFunction,
    CallOp,
    GraphBuilder,
    GraphFunction,
    IfThenElse,
    IRModule,
    TensorType,
    Type,
    Var,
    bindings_in,
    structurally_equal,
)
from workbench.ir.verify import verify
from workbench.passes import (
    EliminateDeadCode,
    InlinePrivateFunctions,
    LambdaLift,
    LiftTransformParams,
    RemoveUnusedParameters,
)
from workbench.passes.graph import lambda_lift
from workbench.rewrite import ModuleEditor, Relation, all_bindings
from workbench.runtime import build
from workbench.script import parse
from workbench.support import CompileError, IdSource, NodeId

NESTED = """
@I.ir_module
class Module:
    @R.function(private=True)
    def inner(x: R.Tensor(("k",), "float32")) -> R.Tensor(("k",), "float32"):
        k = T.int64()
        m = T.int64()
        a = R.match_cast(x, R.Tensor((m,), "float32"))
        b = R.exp(a)
        c = R.reshape(b, R.shape([k]))
        return c

    @R.function(private=True)
    def outer(x: R.Tensor(("k",), "float32")) -> R.Tensor(("k",), "float32"):
        k = T.int64()
        cls = Module
        a = cls.inner(x)
        b = cls.inner(a)
        return b

    @R.function
    def main(x: R.Tensor(("n",), "float32"), c: R.Tensor((), "bool")):
        n = T.int64()
        cls = Module
        if c:
            a = cls.outer(x)
            y = a
        else:
            b = cls.inner(x)
            y = b
        z = cls.outer(y)
        return z
"""


def calls(module: IRModule) -> list[str]:
    return [
        binding.value.callee
        for function in module.graph_functions.values()
        for binding in all_bindings(function)
        if isinstance(binding.value, CallFunction)
    ]


def test_derivations_go_from_the_first_module_to_the_last(rng: np.random.Generator) -> None:
    module = parse(NESTED)
    result = InlinePrivateFunctions()(module)
    assert verify(result.module) == ()
    assert list(result.module.graph_functions) == ["main"]
    inner, outer = (module.graph_functions[name] for name in ("inner", "outer"))
    exp = next(b.var.id for b in inner.bindings if b.var.name == "b")
    copies = [d for d in result.derivations if f"inner/{exp}" in map(str, d.sources)]
    assert len(copies) == 5
    assert {ref.function for d in result.derivations for ref in d.results} == {"main"}
    sources = {ref for d in result.derivations for ref in d.sources}
    known = {
        (name, b.var.id) for name, f in module.graph_functions.items() for b in all_bindings(f)
    }
    assert {(ref.function, ref.id) for ref in sources} <= known
    assert outer.bindings
    x = rng.normal(size=5).astype("f4")
    for c in (True, False):
        expected = run(module, x / 9, np.array(c))
        np.testing.assert_array_equal(run(result.module, x / 9, np.array(c)), expected)
        np.testing.assert_allclose(build(result.module)(x / 9, np.array(c)), expected, rtol=1e-5)


def test_one_call_can_be_chosen_and_growth_is_bounded() -> None:
    module = parse(NESTED)
    chosen = InlinePrivateFunctions(only=("main.z",))(module).module
    assert verify(chosen) == ()
    assert sorted(calls(chosen)) == ["inner"] * 5 + ["outer"]
    bounded = InlinePrivateFunctions(most=10)(module)
    assert verify(bounded.module) == ()
    assert any("more than 10 bindings" in r.message for r in bounded.remarks)


def test_what_a_branch_computes_becomes_a_function(rng: np.random.Generator) -> None:
    module = InlinePrivateFunctions()(parse(NESTED)).module
    lifted = LambdaLift()(module)
    assert verify(lifted.module) == ()
    choice = lifted.module.graph_functions["main"].bindings[0].value
    assert isinstance(choice, IfThenElse)
    for body in (choice.then, choice.otherwise):
        (binding,) = (b for block in body.blocks for b in block.bindings)
        assert isinstance(binding.value, CallFunction)
    moved = [d for d in lifted.derivations if d.relation is Relation.MOVED]
    assert {d.sources[0].id for d in moved} == {d.results[0].id for d in moved}
    assert LambdaLift()(lifted.module).module is lifted.module
    x = rng.normal(size=5).astype("f4") / 9
    for c in (True, False):
        expected = run(module, x, np.array(c))
        np.testing.assert_array_equal(run(lifted.module, x, np.array(c)), expected)
        np.testing.assert_allclose(build(lifted.module)(x, np.array(c)), expected, rtol=1e-5)


WEIGHTS = """
@I.ir_module
class Module:
    @R.function
    def main(
        x: R.Tensor(("n", 3), "float32"), w: R.Tensor((2, 3), "float32"),
        b: R.Tensor((2,), "float32")
    ):
        R.func_attr({"num_input": %d})
        n = T.int64()
        with R.dataflow():
            t = R.permute_dims(w)
            s = R.split(t, indices_or_sections=2, axis=1)
            u = s[0]
            v = s[1]
            p = R.matmul(x, t)
            q = R.matmul(x, u)
            r = R.add(p, b)
            y = R.add(r, q)
            R.output(y, v)
        return (y, v)
"""


def test_the_transformed_weights_are_what_main_takes(rng: np.random.Generator) -> None:
    module = parse(WEIGHTS % 1)
    result = LiftTransformParams()(module)
    assert verify(result.module) == ()
    x, w, b = (rng.normal(size=s).astype("f4") for s in ((4, 3), (2, 3), 2))
    expected = run(module, x, w, b)
    executable = build(result.module)
    prepared = executable(w, b, function="main_transform_params")
    for got in (executable(x, *prepared), run(result.module, x, *prepared)):
        for one, other in zip(got, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    main = result.module.graph_functions["main"]
    assert [p.name for p in main.params] == ["x", "b", "t", "u", "v"]
    assert len(main.bindings) == 4
    assert EliminateDeadCode()(result.module).module is result.module


def test_without_a_mark_nothing_is_lifted() -> None:
    module = parse(WEIGHTS % 3)
    result = LiftTransformParams()(module)
    assert result.module is module
    assert [r.code for r in result.remarks] == ["lift/no-inputs"]


def test_a_marked_function_that_others_call_is_refused() -> None:
    text = WEIGHTS.replace("def main", "def inner") % 1
    module = parse(
        text
        + """
    @R.function
    def main(
        x: R.Tensor((4, 3), "float32"), w: R.Tensor((2, 3), "float32"),
        b: R.Tensor((2,), "float32")
    ):
        cls = Module
        y = cls.inner(x, w, b)
        return y
"""
    )
    with pytest.raises(CompileError, match="pass/called-function"):
        LiftTransformParams()(module)


def test_parameters_that_are_only_handed_on_go(rng: np.random.Generator) -> None:
    text = """
@I.ir_module
class Module:
    @R.function(private=True)
    def again(
        x: R.Tensor((4,), "float32"), z: R.Tensor((8,), "float32"),
        c: R.Tensor((), "bool")
    ) -> R.Tensor((4,), "float32"):
        cls = Module
        if c:
            f = R.full(R.shape([]), R.const(False, "bool"), dtype="bool")
            a: R.Tensor((4,), "float32") = cls.again(x, z, f)
            y = a
        else:
            b = R.exp(x)
            y = b
        return y

    @R.function
    def main(x: R.Tensor((4,), "float32"), z: R.Tensor((8,), "float32"), c: R.Tensor((), "bool")):
        cls = Module
        y = cls.again(x, z, c)
        return y
"""
    module = parse(text)
    result = RemoveUnusedParameters()(module).module
    assert verify(result) == ()
    again = result["again"]
    assert isinstance(again, GraphFunction)
    assert [p.name for p in again.params] == ["x", "c"]
    x, z = rng.normal(size=4).astype("f4"), rng.normal(size=8).astype("f4")
    for c in (True, False):
        np.testing.assert_array_equal(
            run(result, x, z, np.array(c)), run(module, x, z, np.array(c))
        )
    chosen = RemoveUnusedParameters(only=("again.z",))(module).module
    assert [p.name for p in chosen.graph_functions["again"].params] == ["x", "c"]


@settings(max_examples=30)
@given(modules(steps=8))
def test_inlined_programs_build_to_the_same(generated: Generated) -> None:
    module = InlinePrivateFunctions()(LambdaLift()(generated.module).module).module
    assert calls(module) == []
    inputs = generated.inputs()
    expected, got = run(generated.module, *inputs), build(module)(*inputs)
    pairs = zip(expected, got, strict=True) if isinstance(expected, tuple) else [(expected, got)]
    for a, b in pairs:
        np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-5)


BRANCH_INSIDE = """
@I.ir_module
class Module:
    @R.function(private=True)
    def twice(x: R.Tensor((4,), "float32")) -> R.Tensor((4,), "float32"):
        a = R.exp(x)
        b = R.add(a, a)
        return b

    @R.function(private=True)
    def choose(x: R.Tensor((4,), "float32"), c: R.Tensor((), "bool")) -> R.Tensor((4,), "float32"):
        cls = Module
        if c:
            with R.dataflow():
                d = R.negative(x)
                e = cls.twice(d)
                R.output(e)
            y = e
        else:
            y = cls.twice(x)
        return y

    @R.function
    def main(x: R.Tensor((4,), "float32"), c: R.Tensor((), "bool")):
        cls = Module
        z = cls.choose(x, c)
        return z
"""


def test_values_in_branches_are_derived_from_those_that_were_inlined() -> None:
    module = parse(BRANCH_INSIDE)
    result = InlinePrivateFunctions()(module)
    assert verify(result.module) == ()
    assert list(result.module.graph_functions) == ["main"]
    sources: dict[str, set[str]] = {}
    for derivation in result.derivations:
        for ref in derivation.results:
            sources.setdefault(str(ref), set()).update(map(str, derivation.sources))
    named = {
        f"{name}/{b.var.id}": b.var.name
        for name, function in module.graph_functions.items()
        for b in all_bindings(function)
    }
    inside = list(all_bindings(result.module.graph_functions["main"]))
    assert [b.var.name for b in inside].count("a") == 2
    for binding in inside:
        origins = {named[ref] for ref in sources[f"main/{binding.var.id}"]}
        assert binding.var.name in origins


@pytest.mark.parametrize("c", [True, False])
def test_calls_in_branches_of_callees_are_inlined_too(rng: np.random.Generator, c: bool) -> None:
    module = parse(BRANCH_INSIDE)
    inlined = InlinePrivateFunctions()(module).module
    assert calls(inlined) == []
    x = rng.normal(size=4).astype("f4")
    np.testing.assert_array_equal(run(inlined, x, np.array(c)), run(module, x, np.array(c)))


def call_chain(depth: int) -> IRModule:
    """Functions of two bindings of which each calls the next."""
    functions: list[tuple[str, GraphFunction]] = []
    type_ = TensorType((2,), "float32")
    for number in range(depth):
        builder = GraphBuilder()
        y = builder.emit(CallOp("negative", (builder.param("x", type_),)))
        if number + 1 < depth:
            y = builder.emit(CallFunction(f"f{number + 1}", (y,)), type_=type_)
        name = f"f{number}" if number else "main"
        functions.append((name, builder.build(y, private=number > 0)))
    return IRModule(tuple(functions))


def test_a_long_chain_of_calls_is_copied_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    new_var = ModuleEditor.new_var

    def counted(editor: ModuleEditor, function: str, name: str, type_: Type) -> Var:
        made.append(function)
        return new_var(editor, function, name, type_)

    monkeypatch.setattr(ModuleEditor, "new_var", counted)
    inlined = InlinePrivateFunctions()(call_chain(1500)).module
    assert verify(inlined) == ()
    assert set(made) == {"main"}
    assert len(made) <= 2 * 1500
    np.testing.assert_array_equal(run(inlined, np.ones(2, "f4")), np.ones(2, "f4"))


def nested_branches(depth: int) -> IRModule:
    """An `if` in an arm of an `if`, and so on, with two bindings before each."""
    ids = IdSource()
    type_ = TensorType((2,), "float32")
    x = Var(ids.new(), "x", type_)
    c = Var(ids.new(), "c", TensorType((), "bool"))

    def arm(level: int, given: Var) -> Body:
        a, b = (Var(ids.new(), name, type_) for name in "ab")
        first = (Binding(a, CallOp("negative", (given,))), Binding(b, CallOp("abs", (a,))))
        if level == 0:
            return Body((BindingBlock(first),), b)
        y = Var(ids.new(), "y", type_)
        choice = IfThenElse(c, arm(level - 1, b), Body((BindingBlock(()),), a))
        return Body((BindingBlock((*first, Binding(y, choice))),), y)

    body = arm(depth, x)
    function = GraphFunction((x, c), body.blocks, body.result, type_, next_id=ids.next)
    return IRModule((("main", function),))


def test_each_binding_of_nested_branches_is_moved_once() -> None:
    depth = 40
    module = nested_branches(depth)
    result = LambdaLift()(module)
    assert verify(result.module) == ()
    assert len(result.module.graph_functions) == depth + 1
    moved = [str(d.sources[0]) for d in result.derivations if d.relation is Relation.MOVED]
    assert len(moved) == len(set(moved)) == 3 * depth - 1
    for name, function in result.module.graph_functions.items():
        if name != "main":
            assert len(function.params) == (2 if function.bindings[-1].var.name == "y" else 1)
    x = np.array([1, -2], "f4")
    for c in (True, False):
        np.testing.assert_array_equal(
            run(result.module, x, np.array(c)), run(module, x, np.array(c))
        )


def test_nested_branches_are_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []
    free = lambda_lift.free_vars

    def counted(node: object) -> dict[NodeId, Var]:
        if isinstance(node, Body):
            looked.append(sum(1 for _ in bindings_in(node.blocks)))
        return free(node)

    monkeypatch.setattr(lambda_lift, "free_vars", counted)
    LambdaLift()(nested_branches(40))
    assert 40 <= sum(looked) <= 4 * 40


def test_a_deep_effect_makes_all_functions_around_it_impure() -> None:
    said: list[float] = []

    def say(x: np.ndarray) -> np.ndarray:
        said.append(float(x[0]))
        return x

    text = """
@I.ir_module
class Module:
    @R.function(pure=False)
    def main(x: R.Tensor((2,), "float32"), c: R.Tensor((), "bool")):
        if c:
            a = R.exp(x)
            if c:
                b = R.negative(a)
                d = R.call_packed(say, b, ty_args=R.Tensor((2,), "float32"))
                y = d
            else:
                e = R.abs(a)
                y = e
            z = y
        else:
            f = R.abs(x)
            z = f
        return z
"""
    module = parse(text, namespace={"say": say})
    lifted = LambdaLift()(module).module
    assert verify(lifted) == ()
    assert {n: f.pure for n, f in lifted.graph_functions.items()} == {
        "main": False,
        "main_z_then": False,
        "main_z_then_y_then": False,
        "main_z_then_y_else": True,
        "main_z_else": True,
    }
    run(lifted, np.zeros(2, "f4"), np.array(True))
    assert said == [-1.0]


def test_a_long_chain_of_calls_is_read_again() -> None:
    """Functions of a script are read callees first: reading does not recurse along calls."""
    module = call_chain(300)
    again = parse(module.script())
    assert structurally_equal(again, module)


def calls_in_arms(depth: int) -> IRModule:
    """Functions of which each calls the next in an arm."""
    lines = ["@I.ir_module", "class Module:"]
    for number in range(depth):
        name, private = (f"f{number}", "(private=True)") if number else ("main", "")
        lines.append(f"    @R.function{private}")
        lines.append(
            f'    def {name}(x: R.Tensor((2,), "float32"), c: R.Tensor((), "bool")) '
            '-> R.Tensor((2,), "float32"):'
        )
        if number == depth - 1:
            lines.append("        y = R.exp(x)")
        else:
            lines.append("        if c:")
            lines.append(f"            a = Module.f{number + 1}(x, c)")
            lines.append("            y = R.negative(a)")
            lines.append("        else:")
            lines.append("            y = R.abs(x)")
        lines.append("        return y")
    return parse("\n".join(lines))


def test_branches_are_nested_only_so_deep() -> None:
    module = calls_in_arms(60)
    result = InlinePrivateFunctions()(module)
    assert verify(result.module) == ()
    assert [*result.module.graph_functions] == ["main", "f11", "f35"]
    assert [r.message for r in result.remarks] == [
        "branches would be nested more than 24 deep",
        "branches would be nested more than 24 deep",
    ]
    x = np.full(2, 0.5, "f4")
    for c in (np.array(True), np.array(False)):
        np.testing.assert_array_equal(run(result.module, x, c), run(module, x, c))


def test_a_function_may_become_exactly_as_large_as_allowed() -> None:
    module = call_chain(2)
    assert len(module.graph_functions["main"].bindings) == 2
    result = InlinePrivateFunctions(most=2)(module)
    assert [*result.module.graph_functions] == ["main"]
    assert len(result.module.graph_functions["main"].bindings) == 2
    assert InlinePrivateFunctions(most=1)(module).module is module


def test_one_if_is_lifted_as_all_are() -> None:
    module = nested_branches(3)
    every = LambdaLift()(module).module
    assert structurally_equal(LambdaLift(only=("main.y",))(module).module, every)
    inner = LambdaLift(only=("main.y.then",))(module)
    assert inner.module is module
    assert [r.code for r in inner.remarks] == ["lambda-lift/inside"] * 2
