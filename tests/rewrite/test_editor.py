from __future__ import annotations

import numpy as np
import pytest

from workbench.ir import Alias, Binding, GraphBuilder, IRModule, TensorType, Var
from workbench.rewrite import ModuleEditor, NodeRef, Relation
from workbench.support import NodeId

T = TensorType((2, 3))


def module() -> tuple[IRModule, Var, Var, Var]:
    builder = GraphBuilder()
    x = builder.param("x", T)
    a = builder.emit(Alias(x), "a")
    b = builder.emit(Alias(a), "b")
    return builder.module.with_function("main", builder.build(b)), x, a, b


def test_nothing_edited_gives_the_same_object() -> None:
    base, *_ = module()
    assert ModuleEditor(base).commit() is base


def test_a_replaced_value_keeps_its_id_and_is_recorded() -> None:
    base, x, a, b = module()
    editor = ModuleEditor(base)
    editor.replace_value("main", b.id, Alias(x), "rule")
    after = editor.commit()
    assert [binding.var.id for binding in after.graph_functions["main"].bindings] == [a.id, b.id]
    assert after.graph_functions["main"].bindings[1].value == Alias(x)
    (derivation,) = editor.derivations
    assert derivation.relation is Relation.SAME
    assert derivation.results == (NodeRef("main", b.id),)
    assert base.graph_functions["main"].bindings[1].value == Alias(a), "the old module is as it was"


def test_reads_see_pending_edits() -> None:
    base, x, a, b = module()
    editor = ModuleEditor(base)
    editor.replace_value("main", b.id, Alias(x), "rule")
    editor.remove("main", a.id)
    found = editor.binding("main", b.id)
    assert found is not None
    assert found.value == Alias(x)
    assert editor.binding("main", a.id) is None
    assert editor.any_removed("main", (a.id,))


def test_substitution_follows_chains_and_moves_outputs() -> None:
    base, x, a, b = module()
    editor = ModuleEditor(base)
    editor.substitute("main", b.id, a)
    editor.substitute("main", a.id, x)
    editor.remove("main", a.id)
    editor.remove("main", b.id)
    after = editor.commit().graph_functions["main"]
    assert after.result == x
    assert after.bindings == ()


def test_inserted_bindings_stand_before_their_anchor_with_fresh_ids() -> None:
    base, x, _, b = module()
    editor = ModuleEditor(base)
    one = editor.new_var("main", "one", T)
    two = editor.new_var("main", "two", T)
    editor.insert_before("main", b.id, Binding(one, Alias(x)))
    editor.insert_before("main", b.id, Binding(two, Alias(one)))
    after = editor.commit().graph_functions["main"]
    assert [binding.var.name for binding in after.bindings] == ["a", "one", "two", "b"]
    assert len({binding.var.id for binding in after.bindings}) == 4
    assert after.next_id == base["main"].next_id + 2


def test_untouched_bindings_are_the_same_objects() -> None:
    base, x, _, b = module()
    editor = ModuleEditor(base)
    editor.replace_value("main", b.id, Alias(x), "rule")
    after = editor.commit().graph_functions["main"]
    assert after.bindings[0] is base.graph_functions["main"].bindings[0]


def test_constants_go_into_the_pool_once() -> None:
    editor = ModuleEditor(IRModule())
    first = editor.add_constant(np.ones((2, 3), "float32"))
    second = editor.add_constant(np.ones((2, 3), "float32"))
    assert first == second
    assert len(editor.commit().pool) == 1


@pytest.mark.parametrize("private", [True, False])
def test_equal_private_functions_are_shared(private: bool) -> None:
    builder = GraphBuilder()
    x = builder.param("x", T)
    function = builder.build(x, private=private)
    editor = ModuleEditor(IRModule())
    names = [editor.add_function("f", function), editor.add_function("f", function)]
    assert names == (["f", "f"] if private else ["f", "f1"])


def test_an_unknown_value_is_no_binding() -> None:
    base, *_ = module()
    assert ModuleEditor(base).binding("main", NodeId(99)) is None
