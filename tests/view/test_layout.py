"""The layout: agreement with its TypeScript twin, stability, and what a reader may rely on."""

from __future__ import annotations

import itertools
import json
import random
import shutil
import subprocess
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, TypedDict

import msgspec
import pytest
from typing_extensions import Unpack

from workbench.view.layout import Layout, layout
from workbench.view.layout.arithmetic import quotient, spread
from workbench.view.protocol import FunctionView, GroupView, NodeKind, NodeView

ROOT = Path(__file__).resolve().parents[2]
EXTENSIONS = ROOT / "extensions"
GRAPHS = 300
RUN = """
import { readFileSync, writeFileSync } from 'node:fs';
const { layout } = await import(process.argv[2]);
const cases = JSON.parse(readFileSync(process.argv[3], 'utf8'));
const results = cases.map(([view, folds]) => layout(view, folds));
writeFileSync(process.argv[4], JSON.stringify(results));
"""


class Drawn(TypedDict, total=False):
    """What a test may say of how a node is drawn."""

    stub: bool
    group: str | None
    width: int
    height: int
    after: list[str]


def node(key: str, *inputs: str, kind: NodeKind = "op", **rest: Unpack[Drawn]) -> NodeView:
    """A node named like its key."""
    return NodeView(
        key=key,
        stable=key,
        name=key,
        label=key,
        type="f32[2, 3]",
        kind=kind,
        inputs=list(inputs),
        **rest,
    )


def random_function(seed: int) -> tuple[FunctionView, dict[str, bool]]:
    """A graph in program order with constants, stubs, nested groups and folds."""
    rng = random.Random(seed)
    size = rng.choice((0, 1, 2, 5, 20, 60, 150))
    groups = [
        GroupView(
            key=f"g{i}",
            label=f"group ü{i}" * rng.randint(1, 3),
            kind=rng.choice(("layer", "fused")),
            parent=f"g{rng.randrange(i)}" if i and rng.random() < 0.4 else None,
            collapsed=rng.random() < 0.4,
            width=rng.randint(90, 260),
        )
        for i in range(rng.randint(0, 8))
    ]
    nodes: list[NodeView] = []
    for i in range(size):
        reach = rng.choice((2, 5, size))
        earlier = nodes[-reach:]
        count = min(len(earlier), rng.choice((0, 1, 1, 1, 2, 2, 3, 7)))
        inputs = [rng.choice(earlier).key for _ in range(count)]
        kind: NodeKind = rng.choice(("op", "tensor", "library"))
        if not inputs:
            kind = rng.choice(("input", "constant", "op"))
        nodes.append(
            node(
                f"main/{i}",
                *inputs,
                kind=kind,
                stub=rng.random() < 0.08,
                group=rng.choice(groups).key if groups and rng.random() < 0.5 else None,
                width=rng.randint(80, 231),
                height=rng.choice((40, 41, 56)),
            )
        )
    outputs = [nodes[-1].key] if nodes else []
    view = FunctionView(name="main", nodes=nodes, groups=groups, outputs=outputs)
    return view, {group.key: rng.random() < 0.5 for group in groups if rng.random() < 0.5}


def random_branches(seed: int) -> tuple[FunctionView, dict[str, bool]]:
    """A graph in program order with nested `if`s, effects in order, fused groups in the arms."""
    drawing = _Drawing(random.Random(seed))
    drawing.block(None, [], [], 0)
    folds = {
        g.key: drawing.rng.random() < 0.4 for g in drawing.groups if drawing.rng.random() < 0.5
    }
    outputs = [drawing.nodes[-1].key]
    return FunctionView(
        name="main", nodes=drawing.nodes, groups=drawing.groups, outputs=outputs
    ), folds


class _Drawing:
    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.nodes: list[NodeView] = []
        self.groups: list[GroupView] = []

    def block(
        self, group: str | None, seen: list[str], effects: list[str], depth: int
    ) -> tuple[list[str], list[str]]:
        """Nodes of one arm, or of the whole function; gives their keys and the last effects."""
        own: list[str] = []
        fused: str | None = None
        for _ in range(self.rng.randint(0 if depth else 3, 7)):
            known = [*seen, *own]
            inputs = [self.rng.choice(known) for _ in range(self.rng.randint(0, 3)) if known]
            if depth < 3 and self.rng.random() < 0.3:
                key, effects = self.branch(group, inputs, known, effects, depth)
                own.append(key)
                continue
            key, after = f"main/{len(self.nodes)}", list[str]()
            if self.rng.random() < 0.3:
                after, effects = effects, [key]
            if self.rng.random() < 0.2:
                fused = f"f{len(self.groups)}"
                self.group(fused, "fused", group)
            kinds: list[NodeKind] = ["op", "tensor", "library", "constant" if not inputs else "op"]
            self.nodes.append(
                node(
                    key,
                    *inputs,
                    kind=self.rng.choice(kinds),
                    group=fused if self.rng.random() < 0.5 else group,
                    after=after,
                    width=self.rng.randint(80, 231),
                )
            )
            own.append(key)
        return own, effects

    def branch(
        self, group: str | None, inputs: list[str], seen: list[str], effects: list[str], depth: int
    ) -> tuple[str, list[str]]:
        key = f"if{len(self.groups)}"
        self.group(key, "branch", group)
        last: list[str] = []
        for word in ("then", "else"):
            self.group(f"{key}?{word}", "arm", key)
            made, after = self.block(f"{key}?{word}", seen, effects, depth + 1)
            inputs = [*inputs, *(made or seen)[-1:]]
            last += after
        self.nodes.append(node(key, *inputs, kind="branch", group=key))
        return key, list(dict.fromkeys(last))

    def group(
        self, key: str, kind: Literal["layer", "fused", "branch", "arm"], parent: str | None
    ) -> None:
        self.groups.append(
            GroupView(
                key=key, label=key, kind=kind, parent=parent, collapsed=self.rng.random() < 0.2
            )
        )


def chain(length: int) -> FunctionView:
    """Blocks of a long residual network with a mask that every block uses."""
    nodes = [node("x", kind="input"), node("mask", kind="input", stub=True)]
    last = "x"
    for i in range(length // 5):
        names = [f"{part}{i}" for part in "qkvso"]
        nodes += [node(name, last) for name in names[:3]]
        nodes += [node(names[3], *names[:3], "mask"), node(names[4], names[3], last)]
        last = names[4]
    return FunctionView(name="main", nodes=nodes, outputs=[last])


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The TypeScript layout as it stands now, as a module that node runs."""
    found = shutil.which("node"), EXTENSIONS / "node_modules" / ".bin" / "tsc"
    if found[0] is None or not found[1].exists():
        pytest.skip("needs node and `npm ci` in extensions/")
    out = tmp_path_factory.mktemp("layout")
    (out / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    source = EXTENSIONS / "view" / "src" / "layout" / "index.ts"
    flags = ["--target", "es2022", "--module", "es2022", "--moduleResolution", "bundler"]
    command = [
        str(found[1]),
        *flags,
        "--strict",
        "--skipLibCheck",
        "--outDir",
        str(out),
        str(source),
    ]
    subprocess.run(command, check=True, cwd=EXTENSIONS)
    return next(out.rglob("layout/index.js"))


def run_twin(
    compiled: Path, cases: list[tuple[FunctionView, dict[str, bool]]], folder: Path
) -> list[Any]:
    script, given, found = folder / "run.mjs", folder / "given.json", folder / "found.json"
    script.write_text(RUN, encoding="utf-8")
    given.write_bytes(msgspec.json.encode(cases))
    command = ["node", str(script), compiled.as_uri(), str(given), str(found)]
    subprocess.run(command, check=True)
    return json.loads(found.read_text(encoding="utf-8"))


def as_json(result: Layout) -> dict[str, Any]:
    """The layout as the twin writes it."""
    data: dict[str, Any] = json.loads(json.dumps(asdict(result)))
    for ground in data["grounds"]:
        ground["noteX"], ground["noteY"] = ground.pop("note_x"), ground.pop("note_y")
    return data


def test_python_and_typescript_agree_on_every_integer(compiled: Path, tmp_path: Path) -> None:
    cases = [random_function(seed) for seed in range(GRAPHS)]
    cases += [random_branches(seed) for seed in range(GRAPHS)]
    cases.append((chain(500), {}))
    twins = run_twin(compiled, cases, tmp_path)
    for seed, ((view, folds), twin) in enumerate(zip(cases, twins, strict=True)):
        assert as_json(layout(view, folds)) == twin, f"graph {seed}"


def test_boxes_never_overlap_and_lie_inside_the_picture() -> None:
    for seed in range(2 * GRAPHS):
        view, folds = random_branches(seed) if seed % 2 else random_function(seed // 2)
        picture = layout(view, folds)
        things = [*picture.boxes, *picture.stubs]
        for i, a in enumerate(things):
            assert a.x >= 0
            assert a.y >= 0
            assert a.x + a.width <= picture.width
            assert a.y + a.height <= picture.height
            for b in things[i + 1 :]:
                apart = a.x + a.width <= b.x or b.x + b.width <= a.x
                assert apart or a.y + a.height <= b.y or b.y + b.height <= a.y, (seed, a, b)


def test_wires_run_downwards_around_boxes_into_the_middle_of_their_consumers() -> None:
    for seed in range(GRAPHS):
        view, folds = random_function(seed)
        picture = layout(view, folds)
        boxes = {box.key: box for box in picture.boxes}
        for wire in picture.wires:
            xs, ys = wire.points[::2], wire.points[1::2]
            assert list(ys) == sorted(ys)
            if wire.to is not None:
                target = boxes[wire.to]
                assert target.x < xs[-1] < target.x + target.width
                assert ys[-1] == target.y
            for box in picture.boxes:
                for x, top, bottom in ((xs[0], ys[0], ys[1]), (xs[-1], ys[-2], ys[-1])):
                    crosses = box.x <= x <= box.x + box.width
                    assert not (crosses and top < box.y + box.height and box.y < bottom), seed


def test_arms_stand_side_by_side_around_all_that_they_compute() -> None:
    opened = 0
    for seed in range(GRAPHS):
        view, folds = random_branches(seed)
        picture = layout(view, folds)
        parents: dict[str, str | None] = {group.key: group.parent for group in view.groups}
        around = parents | {each.key: each.group for each in view.nodes}
        frames = {ground.group: ground.rects[0] for ground in picture.grounds}
        for box in picture.boxes:
            key = around[box.key] if not box.group else parents[box.key]
            while key is not None:
                if not key.startswith("f"):
                    x, y, width, height = frames[key]
                    assert x < box.x, (seed, key, box)
                    assert y < box.y, (seed, key, box)
                    assert box.x + box.width < x + width, (seed, key, box)
                    assert box.y + box.height < y + height, (seed, key, box)
                key = parents[key]
        for key in [key for key in frames if f"{key}?then" in frames and f"{key}?else" in frames]:
            first, second = frames[f"{key}?then"], frames[f"{key}?else"]
            assert first[0] + first[2] < second[0]
            assert (first[1], first[3]) == (second[1], second[3])
            opened += 1
    assert opened > GRAPHS // 2


def test_what_an_arm_reads_from_outside_is_named_there_and_enters_its_frame() -> None:
    view = FunctionView(
        name="main",
        nodes=[
            node("x", kind="input"),
            node("c", "x"),
            node("told", "x", kind="library"),
            node("a", "c", "x", kind="library", group="y?then", after=["told"]),
            node("y", "c", "a", "c", kind="branch", group="y"),
            node("z", "y"),
        ],
        groups=[
            GroupView(key="y", label="if c", kind="branch"),
            GroupView(key="y?then", label="then", kind="arm", parent="y"),
            GroupView(key="y?else", label="else: c as it is", kind="arm", parent="y"),
        ],
        outputs=["z"],
    )
    picture = layout(view)
    assert [box.key for box in picture.boxes] == ["x", "c", "told", "a", "y", "z"]
    named = [(stub.owner, stub.value, stub.ref) for stub in picture.stubs]
    assert named == [("a", "c", True), ("a", "x", True), ("y", "c", True)]
    frames = {ground.group: ground.rects[0] for ground in picture.grounds}
    assert list(frames) == ["y", "y?then", "y?else"]
    top = frames["y"][1]
    entering = [(wire.value, wire.order) for wire in picture.wires if wire.points[-1] == top]
    assert entering == [("x", False), ("c", False), ("told", True)]
    leaving = [wire for wire in picture.wires if wire.points[1] == top + frames["y"][3]]
    assert [wire.to for wire in leaving] == ["z"]
    folded = layout(view, {"y": True})
    assert [box.key for box in folded.boxes] == ["x", "c", "told", "y", "z"]
    assert not folded.stubs
    assert not folded.grounds


def test_untouched_nodes_keep_their_order_when_some_are_fused_or_removed() -> None:
    for seed in range(GRAPHS):
        view, folds = random_function(seed)
        rng = random.Random(seed)
        gone = {one.key for one in view.nodes if rng.random() < 0.1 and not one.inputs}
        group = GroupView(key="fused", label="fused", kind="fused")
        touched = {one.key for one in view.nodes if rng.random() < 0.1}
        nodes = [
            msgspec.structs.replace(
                one,
                inputs=[key for key in one.inputs if key not in gone],
                group="fused" if one.key in touched else one.group,
            )
            for one in view.nodes
            if one.key not in gone
        ]
        groups = [*view.groups, group]
        after = layout(FunctionView(name="main", nodes=nodes, groups=groups), folds)
        before = layout(view, folds)
        old = {box.key: box for box in before.boxes if not box.group}
        new = {box.key: box for box in after.boxes if not box.group and box.key in old}
        for a in new.values():
            for b in new.values():
                same = old[a.key].layer == old[b.key].layer and a.layer == b.layer
                if same and a.x < b.x:
                    assert old[a.key].x < old[b.key].x, seed


def test_a_fork_spreads_evenly_and_its_join_returns_to_the_middle() -> None:
    view = FunctionView(
        name="main",
        nodes=[
            node("x", kind="input"),
            node("left", "x"),
            node("right", "x"),
            node("join", "left", "right"),
        ],
    )
    boxes = {box.key: box for box in layout(view).boxes}
    assert boxes["left"].x < boxes["x"].x < boxes["right"].x
    assert boxes["join"].x == boxes["x"].x
    assert boxes["x"].x - boxes["left"].x == boxes["right"].x - boxes["x"].x


def test_names_of_nested_groups_stand_under_each_other() -> None:
    view = FunctionView(
        name="main",
        nodes=[
            node("a", group="inner"),
            node("b", "a", group="inner"),
            node("c", "b", group="all"),
        ],
        groups=[
            GroupView(key="all", label="all", kind="layer"),
            GroupView(key="middle", label="middle", kind="layer", parent="all"),
            GroupView(key="inner", label="inner", kind="fused", parent="middle"),
        ],
    )
    notes = [ground.note_y for ground in layout(view).grounds]
    assert len(notes) == 3
    assert all(below - above >= 14 for above, below in itertools.pairwise(notes))


def test_nothing_drifts_sideways_over_a_thousand_blocks() -> None:
    picture = layout(chain(5000))
    boxes = {box.key: box for box in picture.boxes}
    assert abs(boxes["o999"].x - boxes["x"].x) <= 4


def test_ten_thousand_nodes_take_seconds_here_and_a_fraction_of_one_in_the_browser(
    compiled: Path, tmp_path: Path
) -> None:
    view = chain(10_000)
    start = time.process_time()
    layout(view)
    assert time.process_time() - start < 5
    timed = RUN.replace(
        "const results = cases.map(([view, folds]) => layout(view, folds));",
        "const start = process.cpuUsage(); layout(cases[0][0]);"
        "const results = process.cpuUsage(start).user / 1e6;",
    )
    script, given, found = tmp_path / "run.mjs", tmp_path / "given.json", tmp_path / "found.json"
    script.write_text(timed, encoding="utf-8")
    given.write_bytes(msgspec.json.encode([(view, {})]))
    command = ["node", str(script), compiled.as_uri(), str(given), str(found)]
    subprocess.run(command, check=True)
    assert json.loads(found.read_text(encoding="utf-8")) < 2


def test_constants_stand_left_of_their_consumer_and_the_rest_is_counted() -> None:
    weights = [node(f"w{i}", kind="constant") for i in range(6)]
    view = FunctionView(name="main", nodes=[*weights, node("conv", *(w.key for w in weights))])
    picture = layout(view)
    assert [box.key for box in picture.boxes] == ["conv"]
    assert [stub.value for stub in picture.stubs] == ["w0", "w1", "w2", "w3"]
    assert [stub.more for stub in picture.stubs] == [0, 0, 0, 3]
    assert all(stub.x + stub.width < picture.boxes[0].x for stub in picture.stubs)


def test_a_fold_that_closes_a_ring_draws_a_reference_instead_of_an_upward_wire() -> None:
    view = FunctionView(
        name="main",
        nodes=[
            node("a", kind="input", group="g"),
            node("b", "a"),
            node("c", "b", group="g"),
        ],
        groups=[GroupView(key="g", label="g", kind="layer", collapsed=True)],
    )
    picture = layout(view)
    assert [(wire.value, wire.to) for wire in picture.wires] == [("a", "b")]
    opened = layout(view, {"g": False})
    assert [wire.value for wire in opened.wires] == ["a", "b"]
    assert [ground.group for ground in opened.grounds] == ["g"]


@pytest.mark.parametrize(
    ("a", "b", "expected"), [(7, 2, 3), (-7, 2, -3), (6, 3, 2), (0, 5, 0), (-1, 4, 0)]
)
def test_quotient_rounds_towards_zero(a: int, b: int, expected: int) -> None:
    assert quotient(a, b) == expected


def test_spread_keeps_distances_and_moves_a_collision_as_one() -> None:
    assert spread([0, 0], [10]) == [-5, 5]
    assert spread([0, 100], [10]) == [0, 100]
    assert spread([], []) == []
