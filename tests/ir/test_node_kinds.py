"""The structural check: every field of every node class, with values of wrong kinds in it."""

from __future__ import annotations

import dataclasses
import inspect
import pickle
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import workbench as wb
from workbench.ir import (
    Alias,
    Binding,
    CallOp,
    GraphFunction,
    IRModule,
    TensorType,
    Var,
    expr,
    graph,
    module_digest,
    tensor,
)
from workbench.ir.node_kinds import fields_of, function_kind_faults, is_sound
from workbench.ir.traverse import evolve
from workbench.ir.verify import verify
from workbench.support import CompileError, Diagnostic, NodeId, Span
from workbench.support.diagnostics import MAX_PRINTED_LINES

TEXT = """
@I.ir_module
class Module:
    @T.prim_func
    def mm(
        a: T.Buffer((8, 8), "float32"), b: T.Buffer((8, 8), "float32"),
        c: T.Buffer((8, 8), "float32"), s: T.int64,
    ):
        T.func_attr({"k": (1, 2.5, "x", None, True)})
        t = T.alloc_buffer((8, 8), "float32")
        for i, j, k in T.grid(8, 8, 8):
            with T.sblock("C"):
                vi, vj, vk = T.axis.remap("SSR", [i, j, k])
                T.where(i < 7 and not (j == 3))
                T.reads(a[vi, vk], b[vk, vj])
                T.writes(t[vi, vj])
                T.block_attr({"q": 1})
                m = T.match_buffer(a[vi, vk], (1, 1))
                with T.init():
                    t[vi, vj] = T.float32(0)
                t[vi, vj] = (
                    t[vi, vj]
                    + T.Select(vi < 2, T.exp(a[vi, vk]), T.Cast("float32", vi)) * m[0, 0]
                )
        for i in T.parallel(8):
            for j in T.vectorized(8):
                with T.sblock("D"):
                    vi, vj = T.axis.remap("SS", [i, j])
                    if vi < 4:
                        c[vi, vj] = t[vi, vj]
                    else:
                        z = T.float32(3)
                        c[vi, vj] = z
        d = T.decl_buffer((1,), "int64")
        d[0] = T.int64(0)
        while d[0] < s:
            d[0] = d[0] + 1
        T.evaluate(0)

    @R.function(private=True)
    def g(x: R.Tensor((8, 8), "float32")) -> R.Tensor((8, 8), "float32"):
        with R.dataflow():
            y = R.nn.relu(x)
            R.output(y)
        return y

    @R.function
    def main(
        x: R.Tensor((8, 8), "float32"), y: R.Tensor((8, "n"), "float32"),
        w: R.Tensor(dtype="float32", ndim=2), k: R.Tensor((), "bool"), o1: R.Object,
        h: R.Shape(["n"]),
    ):
        n = T.int64()
        with R.dataflow():
            m = R.call_tir(
                cls.mm, (x, x), out_ty=R.Tensor((8, 8), "float32"), tir_vars=R.shape([5])
            )
            z = R.nn.relu(m)
            u = cls.g(z)
            p = R.reshape(u, R.shape([64]))
            s1 = R.split(p, 2)
            s2 = s1[0]
            c = R.const([1.0, 2.0], "float32")
            mc = R.match_cast(w, R.Tensor(("q", 4), "float32"))
            tt = (z, p)
            e = R.call_dps_packed(
                "foo", (z, "text", R.prim_value(3)), out_ty=R.Tensor((8, 8), "float32")
            )
            R.output(z, e)
        if k:
            r = R.add(z, z)
            o = r
        else:
            o = R.exp(z)
        return (o, e)
"""
M: IRModule = wb.parse(TEXT)
MAIN = M.graph_functions["main"]


def fields(node: Any) -> list[Any]:  # noqa: ANN401
    return [f for f in dataclasses.fields(node) if f.init]


def nodes(value: Any, seen: dict[int, Any]) -> dict[int, Any]:  # noqa: ANN401
    if isinstance(value, tuple):
        for item in value:
            nodes(item, seen)
    elif dataclasses.is_dataclass(value) and not isinstance(value, Span) and id(value) not in seen:
        seen[id(value)] = value
        for field in fields(value):
            nodes(getattr(value, field.name), seen)
    return seen


def rebuilt(value: Any, old: object, new: object) -> Any:  # noqa: ANN401
    if value is old:
        return new
    if isinstance(value, tuple):
        made = tuple(rebuilt(item, old, new) for item in value)
        return value if all(map(lambda a, b: a is b, made, value)) else made
    if not dataclasses.is_dataclass(value) or isinstance(value, Span):
        return value
    before = {field.name: getattr(value, field.name) for field in fields(value)}
    after = {name: rebuilt(part, old, new) for name, part in before.items()}
    changes = {name: part for name, part in after.items() if part is not before[name]}
    return evolve(value, changes) if changes else value


NODES = [node for _, function in M.functions for node in nodes(function, {}).values()]
PLACES = {(type(node), field.name): node for node in reversed(NODES) for field in fields(node)}
ODD = (
    *(3, -1, 2.5, "x", b"x", True, None, object(), [], {}, (), (3,), ("a", "b"), int, len),
    *(np.int64(3), np.ones(2), MAIN.params[0], MAIN.bindings[0], MAIN, TensorType((2,))),
)


def with_node(old: object, new: object) -> IRModule:
    return replace(M, functions=tuple((name, rebuilt(f, old, new)) for name, f in M.functions))


def node_classes() -> Iterator[type]:
    for home in (expr, graph, tensor):
        for kind in vars(home).values():
            own = inspect.isclass(kind) and kind.__module__ == home.__name__
            if own and dataclasses.is_dataclass(kind):
                yield kind


def test_the_module_is_sound_and_has_every_node_class() -> None:
    assert verify(M) == ()
    missing = {kind.__name__ for kind in node_classes()} - {type(n).__name__ for n in NODES}
    assert missing <= {"CallTIRInplace"}
    for kind in node_classes():
        assert len(fields_of(kind).names) == len(fields(kind))


@pytest.mark.parametrize(("kind", "field"), PLACES, ids=lambda v: getattr(v, "__name__", v))
def test_whatever_stands_in_a_field_the_verifier_answers(kind: type, field: str) -> None:
    node = PLACES[kind, field]
    told = 0
    for odd in ODD:
        try:
            wrong = evolve(node, {field: odd})
        except CompileError:  # tensor types refuse at once
            told += 1
            continue
        found = verify(with_node(node, wrong))
        assert all(1 <= len(d.render().split("\n")) <= MAX_PRINTED_LINES for d in found)
        assert all(d.function and len(d.message) < 300 for d in found)
        if any(d.code == "ir/wrong-kind" for d in found):
            told += 1
            assert any(f"`{kind.__name__}.{field}" in d.message for d in found)
    assert told >= 9, "most of the values fit no field"


def first(name: str) -> Binding:
    return next(b for b in MAIN.bindings if b.var.name == name)


Z = first("z")


def changed(**parts: object) -> IRModule:
    return with_node(Z, evolve(Z, parts))


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (
            changed(value=CallOp("exp", (3,))),  # pyright: ignore[reportArgumentType]
            ("`CallOp.args[0]` of `z` is `3`, an `int`, expected a leaf", "ScalarValue(as_expr"),
        ),
        (changed(value=CallOp("exp", [Z.var])), ("`CallOp.args` of `z`", "tuples, no lists")),  # pyright: ignore[reportArgumentType]
        (changed(value=CallOp("exp", (Z,))), ("`CallOp.args[0]` of `z`", "is its `var`")),  # pyright: ignore[reportArgumentType]
        (changed(value="exp"), ("`Binding.value` of `z` is `'exp'`, a `str`", "a right side")),
        (changed(value=MAIN.params[0]), ("`Binding.value` of `z`", "`Alias(...)`")),
        (
            changed(value=CallOp("exp", (Z.var,), (("axis", np.int64(1)),))),  # pyright: ignore[reportArgumentType]
            ("`CallOp.attrs[0][1]` of `z`", "`.item()`"),
        ),
        (changed(value=CallOp("exp", (Z.var,), {"axis": 1})), ("`CallOp.attrs` of `z`",)),  # pyright: ignore[reportArgumentType]
        (changed(var="z"), ("`Binding.var` is `'z'`, a `str`, expected a `Var`",)),
        (changed(span="line 3"), ("`Binding.span` of `z`", "a `Span` or `None`")),
        (with_node(MAIN, replace(MAIN, blocks=5)), ("`GraphFunction.blocks` is `5`",)),
        (with_node(MAIN, "main"), ("`IRModule.functions[2][1]` is `'main'`",)),
        (replace(M, attrs=None), ("`IRModule.attrs` is `None`",)),
        (replace(M, pool={}), ("`IRModule.pool`",)),
    ],
)
def test_the_message_says_where_what_and_how(module: IRModule, words: tuple[str, ...]) -> None:
    found = verify(module)[0]
    assert found.code == "ir/wrong-kind"
    for word in words:
        assert word in found.render()


def test_the_node_is_the_binding_or_the_block_around() -> None:
    (fault,) = verify(changed(value=CallOp("exp", (3,))))  # pyright: ignore[reportArgumentType]
    assert (fault.function, fault.node, fault.span) == ("main", Z.var.id, Z.span)
    block = next(node for node in NODES if type(node) is tensor.Block)
    (axis, *_) = block.axes
    (fault,) = verify(with_node(axis, evolve(axis, {"kind": "S"})))
    assert (fault.function, fault.node) == ("mm", block.id)


def test_sound_functions_are_remembered_and_others_are_not() -> None:
    main = replace(MAIN)
    assert not main._sound  # pyright: ignore[reportPrivateUsage]
    assert verify(replace(M, functions=(*M.functions[:2], ("main", main)))) == ()
    assert main._sound  # pyright: ignore[reportPrivateUsage]
    assert pickle.loads(pickle.dumps(main)) == main
    wrong = replace(main, private=3)
    assert not wrong._sound  # pyright: ignore[reportPrivateUsage]
    for _ in range(2):
        assert [d.code for d in verify(M.with_function("main", wrong))] == ["ir/wrong-kind"]


def test_classes_below_a_node_class_are_taken() -> None:
    class MyVar(Var):
        """Somebody's."""

    x = MyVar(NodeId(0), "x", TensorType((2,)))
    function = GraphFunction((x,), (), x, x.type, next_id=1)
    assert is_sound(function)
    assert is_sound(Binding(x, Alias(x)))


def test_few_faults_are_told_of_many() -> None:
    block = replace(MAIN.blocks[0], bindings=(3,) * 100)
    many: tuple[Any, ...] = tuple(replace(Z, value=index) for index in range(100))
    wrong = replace(MAIN, blocks=(replace(block, bindings=many),))
    assert not is_sound(wrong)
    assert len(function_kind_faults("main", wrong)) == 8


def a_user_pass(made: IRModule) -> Any:  # noqa: ANN401
    class Mine(wb.passes.Pass):
        name = "mine"

        def run(self, module: IRModule) -> wb.passes.PassResult:
            del module
            return wb.passes.PassResult(made)

    return Mine()


@pytest.mark.parametrize(
    "made",
    [
        changed(value=CallOp("exp", (3,))),  # pyright: ignore[reportArgumentType]
        changed(value="exp"),
        changed(value=CallOp("exp", (Z.var,), (("axis", object()),))),  # pyright: ignore[reportArgumentType]
        with_node(MAIN, replace(MAIN, blocks=5)),
        replace(M, functions=(*M.functions, ("more", None))),
    ],
)
def test_a_pass_that_makes_them_is_named_and_the_session_stays(made: IRModule) -> None:
    with pytest.raises(CompileError) as caught:
        a_user_pass(made)(M)
    assert "made by the pass `Mine`" in str(caught.value)
    session = wb.Session(M)
    with pytest.raises(CompileError) as caught:
        session.apply(a_user_pass(made))
    found: tuple[Diagnostic, ...] = caught.value.diagnostics
    assert {d.code for d in found} == {"ir/wrong-kind"}
    assert "`Mine`" in found[0].render()
    assert len(session.steps) == 1
    assert module_digest(session.module) == module_digest(M)
    assert session.apply("LegalizeOps").index == 1
