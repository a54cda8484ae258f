"""The loops before and after that docstrings of primitives show are those that come out."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator

import pytest

from tests.schedule.sketch import differences
from workbench.ir import IRModule
from workbench.schedule import PRIMITIVES, Primitive, Schedule
from workbench.schedule.primitives import Tensorize
from workbench.script import parse

PARTS = re.compile(
    r"::\n\n(?P<before>.*?)^ *=>  (?P<step>[^\n]*)\n(?P<after>.*?)(?:\n\n|\Z)", re.S | re.M
)


def buffer(name: str, shape: str) -> str:
    """`A 8 n` as a parameter."""
    dims = ", ".join(d if d.isdigit() else f'"{d}"' for d in shape.split())
    return f'{name}: T.Buffer(({dims},), "float32")'


def program(buffers: dict[str, str], body: str) -> IRModule:
    """A tensor function `f`; dimensions that are no numbers are symbols."""
    symbols = sorted({d for s in buffers.values() for d in s.split() if not d.isdigit()})
    known = "".join(f"{name} = T.int64()\n" for name in symbols)
    params = ", ".join(buffer(name, shape) for name, shape in buffers.items())
    inside = textwrap.indent(known + textwrap.dedent(body).strip("\n"), "    ")
    return parse(f"@T.prim_func\ndef f({params}):\n{inside}\n")


def nest(
    loops: str,
    extents: str,
    name: str,
    store: str,
    kinds: str = "",
    where: str = "",
    init: str = "",
) -> str:
    """Loops around one block whose axes they are: `v` and the name of the loop."""
    names = loops.split()
    axes, given = ", ".join(f"v{n}" for n in names), ", ".join(names)
    sizes = extents.replace(",", " ").split() if "+" not in extents else [extents]
    head = f"T.grid({', '.join(sizes)})" if len(names) > 1 else f"range({sizes[0]})"
    lines = [
        f"for {given} in {head}:",
        f'    with T.sblock("{name}"):',
        f'        {axes} = T.axis.remap("{kinds or "S" * len(names)}", [{given}])',
        *([f"        T.where({where})"] if where else []),
        *(["        with T.init():", f"            {init}"] if init else []),
        f"        {store}",
        "",
    ]
    return "\n".join(lines)


ONE = {"A": "64", "B": "64"}
TWO = {"A": "64", "C": "64"}
ALLOCATED = 'B = T.alloc_buffer((64,), "float32")\n'
BLUR = (
    'A_blur = T.alloc_buffer((64,), "float32")\n'
    + nest("i", "64", "A_blur", "A_blur[vi] = A[vi]")
    + nest("i", "62", "B", "B[vi] = A_blur[vi] + A_blur[vi + 1] + A_blur[vi + 2]")
)
INLINED = (
    ALLOCATED
    + nest("i", "64", "B", "B[vi] = A[vi] * T.float32(2)")
    + nest("i", "64", "C", "C[vi] = B[vi] + T.float32(1)")
)


def copied(loops: str, extents: str, shape: str) -> IRModule:
    axes = ", ".join(f"v{n}" for n in loops.split())
    return program({"A": shape, "B": shape}, nest(loops, extents, "B", f"B[{axes}] = A[{axes}]"))


def product(a: str, b: str, c: str, extents: str, right: str = "vk, vj") -> IRModule:
    store = f"C[vi, vj] = C[vi, vj] + A[vi, vk] * B[{right}]"
    loops = nest("i j k", extents, "C", store, "SSR", init="C[vi, vj] = T.float32(0)")
    return program({"A": a, "B": b, "C": c}, loops)


ANNOTATED = """
for i in T.serial(64, annotations={"tile": 8}):
    with T.sblock("B"):
        vi = T.axis.spatial(64, i)
        B[vi] = A[vi]
"""
BLOCKIZED = """
for io, ii in T.grid(4, 8):
    with T.sblock("C"):
        vi = T.axis.spatial(32, io * 8 + ii)
        C[vi] = A[vi]
"""
STORED = """
B = T.alloc_buffer((64,), "float32")
for i in range(8):
    for j in range(8):
        B[i * 8 + j] = A[i * 8 + j]
    for j in range(8):
        C[i * 8 + j] = B[i * 8 + 7 - j]
"""
PADDED = "B[vi] = T.if_then_else(1 <= vi and vi < 17, A[vi - 1], T.float32(0))"
MOVED = 'B = T.alloc_buffer((64, 64), "float32")\n' + (
    nest("i j", "64 64", "B", "B[vi, vj] = A[vi, vj]")
    + nest("i j", "64 64", "C", "C[vi, vj] = B[vi, vj] * T.float32(2)")
)
HELD = 'B = T.alloc_buffer((16, 16), "float32")\n' + (
    nest("i j", "16 16", "B", "B[vi, vj] = A[vi, vj]")
    + nest("i j", "16 16", "C", "C[vi, vj] = B[vi, vj]")
)
LAID_OUT = 'B = T.alloc_buffer((64, 8), "float32")\n' + (
    nest("i j", "64 8", "B", "B[vi, vj] = A[vi, vj]")
)
BYTES = parse("""
@T.prim_func
def f(A: T.Buffer((12,), "uint8"), B: T.Buffer((32, 12), "int8"), C: T.Buffer((32,), "int32")):
    for i, k, ii, ki in T.grid(2, 3, 16, 4):
        C[i * 16 + ii] = C[i * 16 + ii] + (
            T.Cast("int32", A[k * 4 + ki]) * T.Cast("int32", B[i * 16 + ii, k * 4 + ki])
        )
""")
HARNESS: dict[str, IRModule] = {
    **dict.fromkeys(["add-unit-loop", "annotate", "bind", "parallel"], copied("i", "64", "64")),
    "unannotate": program(ONE, ANNOTATED),
    "blockize": program({"A": "32", "C": "32"}, BLOCKIZED),
    "cache-read": program(
        {"A": "16 16", "C": "16 16"}, nest("i j", "16 16", "C", "C[vi, vj] = A[vi, vj]")
    ),
    "cache-write": product("16 16", "16 16", "16 16", "16 16 16"),
    "compute-at": program({"A": "64", "B": "62"}, BLUR),
    "compute-location": program({"A": "64", "B": "62"}, BLUR),
    "compute-inline": program(TWO, INLINED),
    "reverse-compute-inline": program(TWO, INLINED),
    "decompose-padding": program({"A": "16", "B": "18"}, nest("i", "18", "B", PADDED)),
    "decompose-reduction": product("8 8", "8 8", "8 8", "8 8 8"),
    "fuse": copied("i j", "4 n", "4 n"),
    "loop-partition": program(
        {"A": "n", "B": "n"}, nest("i", "n + 1", "B", "B[vi] = A[vi]", where="i < n")
    ),
    "pad-einsum": product("5 8", "8 8", "5 8", "5 8 8"),
    "reindex": product("8 8", "8 8", "8 8", "8 8 8", right="vj, vk"),
    "reorder": copied("i j", "4 8", "4 8"),
    "reverse-compute-at": program({"A": "64 64", "C": "64 64"}, MOVED),
    "rfactor": program(
        {"A": "8 64", "C": "8"},
        nest("i k", "8 64", "C", "C[vi] = C[vi] + A[vi, vk]", "SR", init="C[vi] = T.float32(0)"),
    ),
    "set-scope": program({"A": "16 16", "C": "16 16"}, HELD),
    "split": copied("i", "20", "20"),
    "store-at": program(TWO, STORED),
    "tensorize": BYTES,
    "transform-block-layout": copied("i j", "64 8", "64 8"),
    "transform-layout": program({"A": "64 8"}, LAID_OUT),
    "unroll": copied("i", "4", "4"),
    "vectorize": copied("i", "8", "8"),
    "sample_perfect_tile": copied("i", "64", "64"),
    "sample_categorical": copied("i", "64", "64"),
    "sample_compute_location": program({"A": "64", "B": "62"}, BLUR),
}
"""For each example a function of that sketch, with shapes and bodies."""


def documents() -> Iterator[tuple[str, str]]:
    """Every docstring with loops before and after."""
    for kind in PRIMITIVES:
        yield kind.name, inspect.getdoc(kind) or ""
    for name in ("sample_perfect_tile", "sample_categorical", "sample_compute_location"):
        yield name, inspect.getdoc(getattr(Schedule, name)) or ""


def example(document: str) -> tuple[str, str, str]:
    parts = PARTS.search(document)
    assert parts is not None
    return parts["before"], parts["step"], parts["after"]


def applied(step: str, module: IRModule) -> IRModule:
    """The module after the step as it is written."""
    schedule = Schedule(module)
    kinds: dict[str, type[Primitive]] = {kind.__name__: kind for kind in PRIMITIVES}
    done: object = eval(step, {**kinds, "sch": schedule, "i": "i"})
    if isinstance(done, Primitive):
        schedule.apply(done)
    return schedule.module


def test_every_docstring_has_a_harness() -> None:
    assert {name for name, _ in documents()} == HARNESS.keys()


@pytest.mark.parametrize(("name", "document"), list(documents()))
def test_what_a_docstring_shows_comes_out(name: str, document: str) -> None:
    before, step, after = example(document)
    module = HARNESS[name]
    assert list(differences(before, module.tensor_functions["f"])) == []
    done = applied(step, module).tensor_functions["f"]
    assert list(differences(after, done)) == []
    assert list(differences(after, module.tensor_functions["f"])) != [], "the sketches differ"


@pytest.mark.parametrize(
    ("sketch", "words"),
    [
        ("for i in range(63): B(i)", "has (0, 64)"),
        ("for i in T.parallel(64): B(i)", "serial"),
        ("for i in range(64): B(i + 1)", "axes are"),
        ("for i in range(64): D(i)", "no such block"),
        ("for i in range(64): B(i) where i < 63", "runs where"),
        ("for i in range(64): B(i) reads A[i + 1]", "expected"),
        ("for i in range(64): B[i] = A[i] * 2", "stores A[vi]"),
        ("for i in range(64): A[i] = A[i]", "stores to B"),
        ("for i, j in T.grid(64, 2): B(i)", "no such loop"),
        ("for i in range(64):\n    B(i)\n    B(i)", "2 statements in the sketch"),
        ('B = T.alloc_buffer((64,), "float32")\nfor i in range(64): B(i)', "no buffer"),
    ],
)
def test_a_sketch_that_is_wrong_is_found(sketch: str, words: str) -> None:
    function = HARNESS["parallel"].tensor_functions["f"]
    found = list(differences(sketch, function))
    assert found
    assert all(words in line for line in found)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("vk * 4:vk * 4 + 4], (4,)", "vk * 4:vk * 4 + 3], (4,)"), "views are"),
        (("(4,)", "(3,)"), "views are"),
        (("uint8", "int8"), "views are"),
        (("C[vi * 16:", "C[vi:"), "views are"),
        (("B_1[lane, 3])", "B_1[lane, 2])"), "stores dot4"),
        (("A_1[2], A_1[3]", "A_1[3], A_1[2]"), "stores dot4"),
        (("T.vectorized", "range"), "vectorized"),
    ],
)
def test_a_sketch_of_an_intrinsic_that_is_wrong_is_found(
    change: tuple[str, str], words: str
) -> None:
    _, step, after = example(inspect.getdoc(Tensorize) or "")
    assert change[0] in after
    done = applied(step, BYTES).tensor_functions["f"]
    found = list(differences(after.replace(*change), done))
    assert found
    assert all(words in line for line in found)
