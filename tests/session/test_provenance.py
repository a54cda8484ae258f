"""From any value or kernel back to the nodes of the import, and forward again."""

from __future__ import annotations

import pytest

import workbench as wb
from tests.generate import Seeded, random_module
from tests.generate.sequences import drawn_step, start
from tests.session.blaming import BRANCHES, CALLS, IMAGE, MATRIX
from tests.session.faulty import Merge
from workbench.frontend import demo
from workbench.ir import Block, IRModule, walk
from workbench.passes import (
    BUILTIN_PASSES,
    CancelLayoutConversions,
    EliminateDeadCode,
    FuseOps,
    FuseTensorFunctions,
    InlinePrivateFunctions,
    LegalizeOps,
    MoveLayoutConversions,
    Pass,
    ScheduleDefault,
    TransformLayouts,
    default_pipeline,
)
from workbench.rewrite import NodeRef
from workbench.session import Node, Session
from workbench.session.catalogue import required_parameters
from workbench.session.provenance import Sources, follow_origins, graph_refs, own_origins
from workbench.support import CompileError


def sound(imported: IRModule, module: IRModule, origins: Sources) -> None:
    """Every value has origins, all of the import; what kept its id is its own origin."""
    nodes = graph_refs(imported)
    assert origins.keys() == graph_refs(module)
    for ref, found in origins.items():
        assert found, ref
        assert found <= nodes
    for ref in nodes & origins.keys():
        assert ref in origins[ref]


@pytest.mark.parametrize("seed", range(60))
def test_values_of_generated_modules_have_origins_after_any_passes(seed: int) -> None:
    choices = Seeded(seed)
    sequence = start(random_module(choices, steps=8))
    imported, origins = sequence.module, own_origins(sequence.module)
    for _ in range(10):
        step = drawn_step(choices, sequence)
        try:
            result = None if step is None else step(sequence.module)
        except CompileError:
            continue
        if result is not None:
            sequence.module = result.module
            origins = follow_origins(origins, result.module, result.derivations)
            sound(imported, result.module, origins)


@pytest.mark.parametrize("seed", range(30))
def test_passes_say_where_all_but_parameters_come_from(seed: int) -> None:
    """No guess by use is needed for a binding: derivations and ids tell."""
    choices = Seeded(seed)
    sequence = start(random_module(choices, steps=8))
    for _ in range(8):
        step = drawn_step(choices, sequence)
        try:
            result = None if step is None else step(sequence.module)
        except CompileError:
            continue
        if result is None:
            continue
        known = set(graph_refs(sequence.module))
        told = {r for d in result.derivations for r in d.results}
        params = {
            NodeRef(name, param.id)
            for name, function in result.module.graph_functions.items()
            for param in function.params
        }
        assert graph_refs(result.module) <= known | told | params, step
        sources = {s for d in result.derivations for s in d.sources}
        there = {name for m in (sequence.module, result.module) for name, _ in m.functions}
        assert {source.function for source in sources} <= there
        sequence.module = result.module


def every_pass() -> list[Pass]:
    return [kind() for kind in BUILTIN_PASSES if not required_parameters(kind)]


@pytest.mark.parametrize("name", ["magika", "squeezenet"])
def test_real_models_have_origins_after_every_pass(name: str) -> None:
    module = demo_model(name)
    imported, origins = module, own_origins(module)
    for step in (*every_pass(), *default_pipeline(), *every_pass()):
        result = step(module)
        module, origins = result.module, follow_origins(origins, result.module, result.derivations)
        sound(imported, module, origins)


def demo_model(name: str) -> IRModule:
    if name == "magika":
        return wb.load(demo.magika_path())
    return wb.load(demo.squeezenet(seed=0))


def names(nodes: tuple[Node, ...]) -> list[str]:
    return [node.name for node in nodes]


def pipeline(text: str, *steps: Pass) -> Session:
    session = wb.open(wb.parse(text))
    for step in steps:
        session.apply(step)
    return session


def test_a_fused_kernel_comes_from_all_its_members() -> None:
    session = pipeline(IMAGE, LegalizeOps(), FuseOps(), FuseTensorFunctions(), ScheduleDefault())
    assert names(session.origins("r")) == ["main.c", "main.h", "main.r"]
    kernel = next(n for n in session.module.tensor_functions if n.startswith("fused_conv2d"))
    scheduled = f"{kernel}_scheduled" if f"{kernel}_scheduled" in session.module else kernel
    assert names(session.origins(scheduled)) == ["main.c", "main.h", "main.r"]
    block = next(n.name for n in walk(session.module[scheduled]) if isinstance(n, Block))
    assert names(session.origins(f"{scheduled}.{block}")) == ["main.c", "main.h", "main.r"]
    for member in ("c", "h", "r"):
        (node,) = session.where_is(member)
        assert (node.name, node.operation) == ("main.r", scheduled)
    assert names(session.where_is("d", 2)) == ["fused_subtract_multiply.d"]
    assert names(session.where_is("d", 1)) == ["main.d"]


def test_a_value_that_stands_for_equal_ones_comes_from_each() -> None:
    session = pipeline(MATRIX, Merge("k", "g"))
    assert names(session.origins("g")) == ["main.g", "main.k"]
    assert names(session.where_is("k")) == ["main.g"]


def test_conversions_come_from_what_they_convert() -> None:
    maps = (("softmax", "x", "lambda i, j: (i // 2, j, i % 2)"),)
    session = pipeline(MATRIX, LegalizeOps(), TransformLayouts(maps), MoveLayoutConversions())
    assert names(session.origins("a_layout")) == ["main.a"]
    assert "main.a_layout" in names(session.where_is("a"))
    session.apply(CancelLayoutConversions())
    for value in session.module.graph_functions["main"].bindings:
        assert session.origins(value.var.name)


def test_inlined_members_come_from_the_function_and_lead_to_each_call() -> None:
    session = pipeline(CALLS, InlinePrivateFunctions())
    found = session.where_is("f")
    assert len(found) == 2
    for node in found:
        assert names(session.origins(node.key)) == ["layer.f"]


def test_what_a_pass_took_away_is_nowhere() -> None:
    session = pipeline(CALLS, EliminateDeadCode())
    assert session.where_is("zero") == ()
    assert names(session.where_is("b")) == ["main.b"]


def test_values_in_branches_are_found() -> None:
    session = pipeline(BRANCHES, LegalizeOps(), FuseOps())
    assert names(session.origins("t")) == ["main.t"]
    (node,) = session.where_is("v")
    assert (node.name, node.operation) == ("main.v", "abs")


def test_labels_of_the_imported_file_are_shown() -> None:
    session = wb.open(demo_model("squeezenet"))
    for step in default_pipeline():
        session.apply(step)
    labels = {
        node.label
        for value in session.module.graph_functions["main"].bindings
        for node in session.origins(f"main/{value.var.id}")
    }
    assert any("fire2" in label for label in labels)


def test_a_name_that_nothing_has_is_refused() -> None:
    session = pipeline(CALLS, LegalizeOps())
    for ask in (session.origins, session.where_is):
        with pytest.raises(CompileError, match="session/unknown-value"):
            ask("nothing_has_this_name")
    with pytest.raises(CompileError, match="session/unknown-value"):
        session.origins("subtract.no_such_block")
