from __future__ import annotations

import re
import threading
import time
import xml.etree.ElementTree as ElementTree

import msgspec
import pytest

import workbench as wb
from tests.session.programs import SMALL, SwapOperands, small
from workbench.frontend import demo
from workbench.session import Session
from workbench.view.groups import MOST_BOXES, layers_of
from workbench.view.layout import layout
from workbench.view.protocol import FunctionView, GroupView, ModuleView, NodeView
from workbench.view.svg import function_svg
from workbench.view.text import plain_text
from workbench.view.views import SessionViews


@pytest.fixture
def session() -> Session:
    return wb.open(small())


@pytest.fixture
def views(session: Session) -> SessionViews:
    return SessionViews(session)


def marks(view: ModuleView) -> dict[str, str]:
    return {node.label: node.change for node in view.functions[0].nodes}


def test_a_small_script_is_at_most_six_boxes(views: SessionViews) -> None:
    function = views.module(0).functions[0]
    assert [node.label for node in function.nodes] == ["x", "w", "b", "matmul", "add", "relu"]
    assert len(layout(function).boxes) <= 6
    matmul = function.nodes[3]
    assert matmul.type == "f32[n, 4]"
    assert matmul.inputs == [function.nodes[0].key, function.nodes[1].key]
    assert function.outputs == [function.nodes[5].key]
    assert function.groups == []


def test_legalize_keeps_the_boxes_and_marks_them(session: Session, views: SessionViews) -> None:
    before = [node.key for node in views.module(0).functions[0].nodes]
    session.apply("LegalizeOps")
    view = views.module(1)
    assert [node.key for node in view.functions[0].nodes] == before
    assert marks(view) == {
        "x": "none", "w": "none", "b": "none",
        "matmul": "rewritten", "add": "rewritten", "relu": "rewritten",
    }  # fmt: skip
    assert view.calls == {"op": 0, "tensor": 3, "library": 0}
    assert view.calls_before == {"op": 3, "tensor": 0, "library": 0}


def test_fused_members_close_into_one_group(session: Session, views: SessionViews) -> None:
    session.apply("LegalizeOps")
    stable = [node.stable for node in views.module(1).functions[0].nodes]
    session.apply("FuseOps")
    function = views.module(2).functions[0]
    (group,) = function.groups
    assert group.kind == "fused"
    assert group.ops == 3
    members = [node for node in function.nodes if node.group == group.key]
    assert {node.change for node in members} == {"fused"}
    assert [node.stable for node in function.nodes] == stable
    assert group.kinds == {"tensor": 3}
    session.apply("FuseTensorFunctions")
    merged = views.module(3).functions[0]
    assert [node.key for node in merged.nodes][-1] == group.key
    assert merged.nodes[-1].change == "fused"
    assert merged.gone == []


def test_a_later_branch_leaves_older_pictures_alone(session: Session, views: SessionViews) -> None:
    session.apply("LegalizeOps")
    first = msgspec.json.encode(views.module(1))
    session.apply("DispatchToLibrary")
    assert marks(views.module(2))["numpy.matmul"] == "rewritten"
    assert marks(views.module(2))["add"] == "none"
    assert msgspec.json.encode(views.module(1)) == first


def test_history_says_everything_in_words(session: Session, views: SessionViews) -> None:
    session.apply("LegalizeOps")
    session.apply(SwapOperands())
    session.wait()
    history = views.history()
    step = history.steps[1]
    assert (step.label, step.rewritten) == ("LegalizeOps ~3", 3)
    assert step.code == "s.apply(wb.passes.LegalizeOps())"
    assert step.verdict.text.startswith("✓")
    assert history.head == 2
    assert history.path == [0, 1, 2]
    assert not history.steps[2].changed


def test_a_wrong_value_is_named_by_its_key(session: Session, views: SessionViews) -> None:
    session.apply(SwapOperands())
    session.wait()
    first = views.history().steps[1].verdict.first
    assert first is not None
    add = next(n for n in views.module(1).functions[0].nodes if n.name == "a")
    assert first.node == add.key


def test_detail_of_a_call_has_loops_script_and_actions(
    session: Session, views: SessionViews
) -> None:
    session.apply("LegalizeOps")
    key = next(n.key for n in views.module(1).functions[0].nodes if n.label == "matmul")
    detail = views.detail(1, key)
    assert detail.title == "h = matmul"
    assert detail.arguments == ["x: f32[n, 8]", "w: f32[8, 4]"]
    rows = [(row.depth, row.kind, plain_text(row.code)) for row in detail.loops[:4]]
    assert rows[0] == (0, "serial", "for i in n")
    assert rows[2] == (2, "serial", "for k in 8")
    assert rows[3][1] == "block"
    assert "x1[v_i, v_k]" in detail.loops[3].reads
    assert plain_text(detail.script).startswith("@T.prim_func")
    assert detail.editable
    assert [item.detail for item in detail.origin][1] == "LegalizeOps: rewritten"
    assert "@" in detail.llvm
    assert detail.assembly
    actions = {action.name: action for action in detail.actions}
    assert actions["FuseOps"].applies
    assert not actions["LegalizeOps"].applies
    assert actions["LegalizeOps"].reason
    assert any(item.kind == "library" for item in detail.implementations)


def test_detail_of_an_operator_shows_its_line_and_the_loops_that_it_would_get(
    views: SessionViews,
) -> None:
    key = next(n.key for n in views.module(0).functions[0].nodes if n.label == "add")
    detail = views.detail(0, key)
    assert "R.add(h, b)" in plain_text(detail.script)
    assert "\n" not in plain_text(detail.script).strip()
    assert [row.kind for row in detail.loops[:3]] == ["serial", "serial", "block"]
    assert not detail.editable


def test_unknown_nodes_are_refused(views: SessionViews) -> None:
    with pytest.raises(wb.CompileError) as caught:
        views.detail(0, "main/999")
    assert caught.value.diagnostics[0].code == "view/unknown-node"


def test_module_actions_say_why_not(views: SessionViews) -> None:
    actions = {action.name: action for action in views.actions(0)}
    assert actions["LegalizeOps"].applies
    assert actions["LegalizeOps"].sites == 3
    assert actions["LegalizeOps"].code == "s.apply(wb.passes.LegalizeOps())"
    assert not actions["FuseTensorFunctions"].applies
    assert all(action.reason for action in actions.values())
    assert "Implement" not in actions


def test_pass_at_a_node_is_restricted_by_name(session: Session, views: SessionViews) -> None:
    key = next(n.key for n in views.module(0).functions[0].nodes if n.label == "add")
    step = session.apply(views.pass_named("LegalizeOps", 0, key))
    assert step.counts["rewritten"] == 1
    assert views.history().steps[1].code == "s.apply(wb.passes.LegalizeOps(only=('main.a',)))"


def test_script_tokens_are_the_script(session: Session, views: SessionViews) -> None:
    session.apply("LegalizeOps")
    assert plain_text(views.script(1)) == session.module.script()
    keys = {token.node for token in views.script(0) if token.node is not None}
    assert {node.key for node in views.module(0).functions[0].nodes} <= keys


@pytest.mark.parametrize(("which", "boxes"), [("magika", 15), ("squeezenet", 15)])
def test_models_open_as_few_boxes_and_stay_so(which: str, boxes: int) -> None:
    source = str(demo.magika_path()) if which == "magika" else wb.load(demo.squeezenet())
    session = wb.open(source)
    gate = threading.Event()
    session.submit("wait", lambda _job: gate.wait(60))
    views = SessionViews(session)
    assert len(layout(views.module(0).functions[0]).boxes) <= boxes
    for step in wb.default_pipeline():
        index = session.apply(step).index
        started = time.process_time()
        view = views.module(index)
        assert time.process_time() - started < 0.5
        assert len(layout(view.functions[0]).boxes) <= boxes
        assert_consistent(view.functions[0])
    session.cancel()
    gate.set()
    if which == "magika":
        first = views.module(0).functions[0].nodes
        assert sum("matmul" in node.label for node in first) == 2


def test_folded_groups_show_what_their_members_are_now() -> None:
    session = wb.open(str(demo.magika_path()))
    views = SessionViews(session)
    before = views.module(0).functions[0]
    assert {kind for group in before.groups for kind in group.kinds} == {"op"}
    after = views.module(session.apply("LegalizeOps").index).functions[0]
    layers = [group for group in after.groups if group.kind == "layer"]
    assert layers
    assert {kind for group in layers for kind in group.kinds} == {"tensor"}
    assert all(sum(group.kinds.values()) == group.ops for group in layers)
    session.cancel()


def assert_consistent(function: FunctionView) -> None:
    keys = [node.key for node in function.nodes]
    assert len(set(keys)) == len(keys)
    stable = [node.stable for node in function.nodes]
    assert len(set(stable)) == len(stable)
    groups = {group.key for group in function.groups}
    assert {node.group for node in function.nodes} <= groups | {None}
    assert {group.parent for group in function.groups} <= groups | {None}
    assert {key for node in function.nodes for key in node.inputs} <= set(keys)
    assert set(function.outputs) <= set(keys)


def test_names_without_paths_make_runs() -> None:
    order = [f"main/{i}" for i in range(100)]
    layers = layers_of("main", order, {}, others=2)
    assert len(layers) + 2 <= MOST_BOXES
    assert [key for layer in layers for key in layer.members] == order
    assert all(layer.parent is None for layer in layers)
    assert layers_of("main", order[:5], {}, others=1) == ()


def test_layers_open_into_layers_as_the_names_say() -> None:
    blocks = [f"block_{b}" for b in range(12)]
    names = ["norm/mean", "norm/scale", "attention/q", "attention/k", "attention/v", "mlp/up"]
    names += ["mlp/gelu", "mlp/down", "residual"]
    paths = {f"main/{b * 9 + i}": f"net/{block}/{name}"
             for b, block in enumerate(blocks) for i, name in enumerate(names)}  # fmt: skip
    layers = layers_of("main", list(paths), paths, others=1)
    outer = [layer for layer in layers if layer.parent is None]
    assert [layer.label for layer in outer] == blocks
    inner = [layer for layer in layers if layer.parent == outer[3].key]
    assert [layer.label for layer in inner] == ["norm", "attention", "mlp"]
    assert {key for layer in inner for key in layer.members} < set(outer[3].members)
    assert layers.index(outer[3]) < layers.index(inner[0])


def test_long_runs_without_names_open_step_by_step() -> None:
    order = [f"main/{i}" for i in range(5000)]
    layers = layers_of("main", order, {}, others=1)
    for parent in (None, *(layer.key for layer in layers)):
        assert sum(layer.parent == parent for layer in layers) <= MOST_BOXES
    parents = {layer.parent for layer in layers}
    leaves = [layer for layer in layers if layer.key not in parents]
    assert [key for leaf in leaves for key in leaf.members] == order
    assert max(len(leaf.members) for leaf in leaves) <= MOST_BOXES
    assert {"part 1", "part 2.3"} <= {layer.label for layer in layers}


def test_the_static_picture_is_plain_svg(session: Session, views: SessionViews) -> None:
    session.apply("LegalizeOps")
    session.apply("FuseOps")
    text = function_svg(views.module(2).functions[0])
    root = ElementTree.fromstring(text)
    tags = {element.tag.split("}")[1] for element in root.iter()}
    assert not tags & {"style", "script", "foreignObject", "image", "a"}
    assert all("style" not in element.attrib for element in root.iter())
    assert root[2].attrib["fill"] == "#ffffff"
    words = "".join(element.text or "" for element in root.iter())
    assert "fused_matmul_add_relu" in words
    other = function_svg(views.module(0).functions[0])
    ids = [
        e.attrib["id"]
        for t in (text, other)
        for e in ElementTree.fromstring(t).iter()
        if "id" in e.attrib
    ]
    assert len(set(ids)) == len(ids)


def test_a_group_beside_a_stranger_has_one_outline_in_a_saved_picture() -> None:
    def box(key: str, inputs: list[str], group: str | None, width: int = 110) -> NodeView:
        return NodeView(
            key, key, key, f"label of {key}", "f32[4]", "op", inputs, group=group, width=width
        )

    nodes = [box("a", [], "g", 260), box("b", ["a"], "g"), box("s", ["a"], None)]
    group = GroupView(key="g", label="g", kind="fused", type="f32[4]", ops=2, kinds={"op": 2})
    view = FunctionView(name="main", nodes=nodes, groups=[group])
    (ground,) = layout(view).grounds
    assert len(ground.rects) == 2
    (outline,) = re.findall(r'<path d="(M[^"]*)" fill="#f3f6fb"', function_svg(view))
    assert outline.count("M") == 1
    first, second = ground.rects
    assert outline.startswith(f"M{first[0]} {first[1]}H{first[0] + first[2]}V")
    assert f"V{second[1] + second[3]}H{second[0]}V" in outline


def test_hostile_names_stay_text() -> None:
    evil = "<script>alert(1)</script>"
    module = wb.parse(SMALL)
    from dataclasses import replace

    from workbench.ir import transform

    def rename(node: object) -> object:
        from workbench.ir import Var

        return replace(node, name=evil) if isinstance(node, Var) and node.name == "x" else node

    hostile = replace(
        module, functions=tuple((name, transform(f, rename)) for name, f in module.functions)
    )
    bundle = wb.open(hostile)._repr_mimebundle_()
    assert evil not in bundle["text/html"]
    assert evil not in bundle["image/svg+xml"]
    assert "&lt;script&gt;" in bundle["image/svg+xml"]


def test_the_history_exports_as_a_graph(session: Session) -> None:
    session.apply("LegalizeOps")
    session.apply("FuseOps")
    session.checkout(1)
    session.apply("DispatchToLibrary")
    source = session.dot().source
    assert "1 -> 2" in source
    assert "1 -> 3" in source
    assert "3 DispatchToLibrary ~1" in source
    assert session.dot().source == source


def test_module_shows_itself_and_exports_graphs() -> None:
    module = small()
    shown = module.show()._repr_mimebundle_()
    assert shown["text/plain"] == module.script()
    assert shown["text/html"].startswith("<img")
    assert "<style" not in shown["text/html"]
    graph = module.to_networkx()
    assert graph.number_of_nodes() == 6
    assert {facts["label"] for _, facts in graph.nodes(data=True)} >= {"matmul", "relu"}
    source = module.dot().source
    assert source.startswith("digraph")
    assert "matmul" in source
    with pytest.raises(wb.CompileError):
        module.to_networkx("nothing")


CHAIN = """
@R.function
def main(x: R.Tensor((4, 8), "float32")):
    with R.dataflow():
        a = R.exp(x)
        b = R.negative(a)
        R.output(b)
    return b
"""


def test_origins_name_values_and_each_step_once() -> None:
    session = wb.Session(wb.parse(CHAIN, filename="ipykernel_7/42.py"))
    for step in (wb.passes.LegalizeOps(), wb.passes.FuseOps(), wb.passes.FuseTensorFunctions()):
        session.apply(step)
    (node,) = [n for n in SessionViews(session).module(3).functions[0].nodes if n.kind == "tensor"]
    origin = SessionViews(session).detail(3, node.key).origin
    assert {item.source for item in origin[:2]} == {"notebook cell"}
    assert [item.detail.partition(",")[0] for item in origin] == [
        *("a", "b"),
        *("LegalizeOps: rewritten", "FuseOps: fused", "FuseTensorFunctions: fused"),
    ]
