from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from workbench import te as typed
from workbench.analysis.index_map import IndexMap
from workbench.interpret import run_tensor_function
from workbench.ir import BinaryOp, as_expr, binary
from workbench.support import CompileError

te: Any = typed
A = te.placeholder((8,), name="A")
N = te.var("n")


def codes_of(make: Callable[[], object]) -> list[str]:
    with pytest.raises(CompileError) as caught:
        make()
    return [diagnostic.code for diagnostic in caught.value.diagnostics]


def compute(element: Callable[[Any], Any]) -> Callable[[], object]:
    return lambda: te.compute((8,), element, "B")


DECIDED_BY_PYTHON: list[Callable[[], object]] = [
    compute(lambda i: A[i] if i < 4 else 0.0),
    compute(lambda i: A[i] if i == 4 else 0.0),
    compute(lambda i: A[i] if i != 4 else 0.0),
    compute(lambda i: A[i] if i + 1 == i * 2 else 0.0),
    compute(lambda i: max(A[i], 0.0)),
    compute(lambda i: min(A[i], 0.0)),
    compute(lambda i: max(i, 3)),
    compute(lambda i: te.if_then_else(i > 2 and i < 4, A[i], 0.0)),
    compute(lambda i: te.if_then_else(i > 2 or i < 4, A[i], 0.0)),
    compute(lambda i: te.if_then_else(not i > 2, A[i], 0.0)),
    compute(lambda i: te.if_then_else(2 < i < 4, A[i], 0.0)),
    compute(lambda i: A[i] if i in (1, 2) else 0.0),
    compute(lambda i: A[i] if A[i] == 0.0 else 1.0),
    compute(lambda i: A[i] if te.equal(i, 1) else 0.0),
    lambda: 3 if N > 4 else 4,
    lambda: max(N, 4),
    lambda: bool(N),
    lambda: bool(te.const(1, "float32")),
    lambda: IndexMap.of(lambda i, j: (i, j) if i < 4 else (j, i)),
    lambda: IndexMap.of(lambda i, j: (i, j) if i == 4 else (j, i)),
    lambda: IndexMap.of(lambda i, j: (min(i, 3), j)),
]


@pytest.mark.parametrize("make", DECIDED_BY_PYTHON)
def test_python_does_not_decide_what_the_program_decides(make: Callable[[], object]) -> None:
    assert codes_of(make) == ["expr/truth"]


def test_the_message_names_the_expression_and_what_to_write() -> None:
    with pytest.raises(CompileError) as caught:
        te.compute((8,), lambda i: A[i] if i < 4 else 0.0, "B")
    text = str(caught.value)
    assert "`(i < 4)` is known when the program runs" in text
    assert "te.if_then_else(condition, a, b)" in text


def test_comparisons_in_a_function_of_indices_belong_to_the_program() -> None:
    b = te.compute((8,), lambda i: te.if_then_else(te.any(i == 3, i % 2 != 0), A[i], 0.0), "B")
    function = te.create_tensor_function([A], [b])
    given, out = np.arange(8, dtype="float32"), np.empty(8, "float32")
    run_tensor_function(function, [given, out])
    np.testing.assert_array_equal(out, [0, 1, 0, 3, 0, 5, 0, 7])


def test_symbolic_dimensions_are_equal_or_not_known_to_be() -> None:
    def element(i: Any) -> Any:  # noqa: ANN401
        return A[0 if N == 1 or N * 2 == 1 else i] + (1.0 if N == N + 0 else 2.0)

    b = te.compute((N,), element, "B")
    function = te.create_tensor_function([A], [b])
    given, out = np.arange(8, dtype="float32"), np.empty(8, "float32")
    run_tensor_function(function, [given, out])
    np.testing.assert_array_equal(out, given + 1)


def test_reduction_axes_are_indices() -> None:
    k = te.reduce_axis(8, "k")
    assert codes_of(compute(lambda i: te.sum(A[k] if k == 3 else A[i], k))) == ["expr/truth"]
    b = te.compute((1,), lambda i: te.sum(te.if_then_else(k == i + 3, A[k], 0.0), k), "B")
    function = te.create_tensor_function([A], [b])
    given, out = np.arange(8, dtype="float32"), np.empty(1, "float32")
    run_tensor_function(function, [given, out])
    assert out[0] == 3


def test_elsewhere_nodes_are_compared_as_trees() -> None:
    assert N + 1 == N + 1
    assert N + 1 != N + 2
    assert (N + 1) in [N, N + 1]
    assert N is not None
    assert N != 1
    assert hash(N + 1) == hash(N + 1)
    assert as_expr(-0.0) != as_expr(0.0)


def test_constants_decide() -> None:
    assert binary(BinaryOp.LT, as_expr(1), as_expr(2))
    assert not binary(BinaryOp.LT, as_expr(2), as_expr(1))


def test_other_threads_compare_trees_meanwhile() -> None:
    entered, done = threading.Event(), threading.Event()
    seen: list[bool] = []

    def element(i: Any) -> Any:  # noqa: ANN401
        entered.set()
        assert done.wait(10)
        return A[i]

    def other() -> None:
        assert entered.wait(10)
        seen.append((N == N + 0) is True)
        seen.append((N == 1) is False)
        done.set()

    thread = threading.Thread(target=other)
    thread.start()
    te.compute((8,), element, "B")
    thread.join()
    assert seen == [True, True]


def test_comparing_trees_works_again_after_a_function_that_raised() -> None:
    assert codes_of(compute(lambda i: A[i].nothing)) == ["expr/function-raised"]
    assert (N == 1) is False


def test_indices_are_keys_of_tables_even_the_first_ones_of_a_process() -> None:
    lines = (
        "from workbench import te",
        "te.compute((8, 8), lambda i, j: te.cast(i, 'float32') * {i: 1.0, j: 2.0}[i])",
    )
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True)


@pytest.mark.parametrize("use", [list, sum, lambda a: 3 in a, lambda a: [*zip(a, a, strict=True)]])
def test_a_tensor_is_no_python_sequence(use: Callable[[Any], object]) -> None:
    with pytest.raises(CompileError, match="te/iteration"):
        use(te.placeholder((8,), name="A"))
