import pytest

from tests.schedule import programs
from workbench.analysis.cost import Cost, cost, loop_costs
from workbench.ir import TensorFunction
from workbench.schedule.scope import Scope
from workbench.script import parse


def function(text: str) -> TensorFunction:
    return parse(text).tensor_functions["f"]


def by_name(found: TensorFunction) -> dict[str, object]:
    costs = loop_costs(found)
    return {loop.var.name: costs[loop.var.id] for loop in Scope("f", found).loops}


def test_a_matmul_moves_each_operand_once_and_multiplies_and_adds() -> None:
    found = cost(programs.matmul(8, 16, 32))
    assert found.operations == 2 * 8 * 16 * 32
    assert found.working_set == 4 * (8 * 32 + 32 * 16 + 8 * 16)
    assert found.read == 3 * 4 * 8 * 16 * 32
    assert found.intensity == pytest.approx(8192 / 3584)


def test_the_inner_loop_of_a_matmul_touches_a_row_a_column_and_one_element() -> None:
    inner = list(loop_costs(programs.matmul(8, 16, 32)).values())[1]
    assert inner.working_set == 4 * (32 + 32 + 1)
    assert inner.operations == 64


def test_neighbours_of_a_stencil_are_one_box() -> None:
    found = function("""
@T.prim_func
def f(A: T.Buffer((10,), "float32"), B: T.Buffer((8,), "float32")):
    for i in range(8):
        B[i] = A[i] + A[i + 1] + A[i + 2]
""")
    assert cost(found).working_set == 4 * (10 + 8)
    assert cost(found).operations == 16


def test_a_gather_may_touch_the_whole_source_and_reads_the_index() -> None:
    found = function("""
@T.prim_func
def f(A: T.Buffer((100,), "float32"), K: T.Buffer((4,), "int64"), B: T.Buffer((4,), "float32")):
    for i in range(4):
        B[i] = A[K[i]]
""")
    assert cost(found).working_set == 4 * 100 + 8 * 4 + 4 * 4
    assert cost(found).read == 4 * (4 + 8)


def test_symbolic_extents_stay_in_the_count() -> None:
    found = function("""
@T.prim_func
def f(A: T.Buffer(("n", 4), "float32"), B: T.Buffer(("n", 4), "float32")):
    n = T.int64()
    for i in range(n):
        for j in range(4):
            B[i, j] = A[i, j] * A[i, j]
""")
    whole = cost(found)
    assert not isinstance(whole.operations, int)
    assert whole.intensity is None
    rows = by_name(found)
    assert rows["j"] == Cost(operations=4, read=32, written=16, working_set=32)


def test_a_triangular_loop_counts_with_its_largest_extent() -> None:
    found = function("""
@T.prim_func
def f(A: T.Buffer((6,), "float32"), B: T.Buffer((6,), "float32")):
    for i in range(6):
        for j in range(i + 1):
            B[i] = B[i] + A[j]
""")
    assert cost(found).operations == 36
    assert cost(found).working_set == 48


def test_half_precision_has_two_bytes() -> None:
    found = function("""
@T.prim_func
def f(A: T.Buffer((6,), "bfloat16"), B: T.Buffer((6,), "float16")):
    for i in range(6):
        B[i] = T.Cast("float16", A[i])
""")
    assert cost(found).working_set == 24


@pytest.mark.parametrize(
    ("inner", "expected"),
    [("i, 6", 36), ("i + 1", 36), ("6 - i", 36), ("i, i + 2", 12), ("2, 5 - i", 18)],
)
def test_a_loop_counts_with_its_largest_extent(inner: str, expected: int) -> None:
    found = function(f"""
@T.prim_func
def f(A: T.Buffer((8, 8), "float32")):
    for i in range(6):
        for j in range({inner}):
            A[i, j] = A[i, j] + T.float32(1)
""")
    assert cost(found).operations == expected


def test_the_bounds_of_a_loop_reach_through_another() -> None:
    found = function("""
@T.prim_func
def f(A: T.Buffer((8,), "float32")):
    for i in range(6):
        for j in range(i, 6):
            for k in range(j, 6):
                A[k] = A[k] + T.float32(1)
""")
    assert cost(found).operations == 6**3
    assert cost(found).working_set == 4 * 6
