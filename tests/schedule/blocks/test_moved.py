from __future__ import annotations

from workbench.analysis.empty_reductions import reductions
from workbench.ir import TensorFunction
from workbench.schedule import Schedule
from workbench.schedule.blocks.moved import part_deciding
from workbench.schedule.scope import Scope
from workbench.script import parse

NEST = """
    for i, j, k in T.grid(8, 8, 8):
        with T.sblock("{name}"):
            vi, vj, vk = T.axis.remap("SSR", [i, j, k])
            with T.init():
                {target}[vi, vj] = T.float32(0)
            {target}[vi, vj] = {target}[vi, vj] + {source}[vi, vk] * W[vk, vj]
"""
HEAD = """
@T.prim_func
def f(X: T.Buffer((8, 8), "float32"), W: T.Buffer((8, 8), "float32"),
      Y: T.Buffer((8, 8), "float32")):
    a = T.alloc_buffer((8, 8), "float32")
    b = T.alloc_buffer((8, 8), "float32")
    c = T.alloc_buffer((8, 8), "float32")
"""
BUFFERS = "XabcY"
NESTS = [
    NEST.format(name=f"S{n}", source=BUFFERS[n], target=BUFFERS[n + 1]).lstrip("\n")
    for n in range(4)
]
SCALE = """    for i, j in T.grid(8, 8):
        with T.sblock("scale"):
            vi, vj = T.axis.remap("SS", [i, j])
            W[vi, vj] = T.float32(2)
"""


def kept(script: str, moved: str) -> list[str]:
    scope = Scope.of(parse(script), "f")
    part = part_deciding(scope.function, scope.block(moved))
    return [block.name for block in Scope("f", part).blocks]


def test_nests_that_read_the_same_do_not_matter() -> None:
    assert kept(HEAD + "".join(NESTS), "S1") == ["S0", "S1", "S2"]


def test_a_nest_that_writes_what_is_read_matters() -> None:
    assert kept(HEAD + "".join(NESTS) + SCALE, "S1") == ["S0", "S1", "S2", "scale"]


def test_what_decides_an_index_matters() -> None:
    script = """
@T.prim_func
def f(A: T.Buffer((8,), "int64"), X: T.Buffer((8,), "float32"), Y: T.Buffer((8,), "float32")):
    I = T.alloc_buffer((8,), "int64")
    J = T.alloc_buffer((8,), "int64")
    b = T.alloc_buffer((8,), "float32")
    for i in range(8):
        with T.sblock("other"):
            vi = T.axis.spatial(8, i)
            J[vi] = A[vi]
    for i in range(8):
        with T.sblock("index"):
            vi = T.axis.spatial(8, i)
            I[vi] = A[vi]
    for i in range(8):
        with T.sblock("P"):
            vi = T.axis.spatial(8, i)
            b[vi] = X[vi]
    for i in range(8):
        with T.sblock("gather"):
            vi = T.axis.spatial(8, i)
            Y[vi] = b[I[vi]]
"""
    assert kept(script, "P") == ["index", "P", "gather"]


def test_another_name_of_a_buffer_counts_as_it() -> None:
    script = """
@T.prim_func
def f(X: T.Buffer((8,), "float32"), Y: T.Buffer((8,), "float32")):
    b = T.alloc_buffer((8,), "float32")
    c = T.alloc_buffer((8,), "float32")
    for i in range(8):
        with T.sblock("P"):
            vi = T.axis.spatial(8, i)
            V = T.match_buffer(b[vi], ())
            V[()] = X[vi]
    for i in range(8):
        with T.sblock("other"):
            vi = T.axis.spatial(8, i)
            c[vi] = X[vi]
    for i in range(8):
        with T.sblock("read"):
            vi = T.axis.spatial(8, i)
            Y[vi] = b[vi]
"""
    assert kept(script, "P") == ["P", "read"]


def test_reductions_of_nests_that_stay_are_read_once() -> None:
    schedule = Schedule(parse(HEAD + "".join(NESTS)), "f")
    before = list(reductions(schedule.tensor_function))
    schedule.split(schedule.get_loops("S1")[0], [None, 4])
    after = list(reductions(schedule.tensor_function))
    same = [old is new for old, new in zip(before, after, strict=True)]
    assert same == [True, False, True, True]


def test_a_nest_alone_is_read_once() -> None:
    scope = Scope.of(parse(HEAD + "".join(NESTS)), "f")
    path = scope.paths[scope.block("S2").id]
    part = scope.holding(path)
    assert names(part) == ["S2"]
    assert Scope("f", scope.function).holding(path) is part
    assert scope.holding(()) is scope.function


def names(function: TensorFunction) -> list[str]:
    return [block.name for block in Scope("f", function).blocks]
