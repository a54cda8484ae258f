"""Items of tuples and other names of values can be named as any binding."""

from __future__ import annotations

import pytest

import workbench as wb
from workbench.session import Session
from workbench.support import CompileError

TEXT = """
@R.function
def main(
    x: R.Tensor((4, 8), "float32"),
    w: R.Tensor((8, 8), "float32"),
    v: R.Tensor((8, 8), "float32"),
):
    with R.dataflow():
        p = R.split(x, indices_or_sections=2, axis=1)
        a = p[0]
        b = p[1]
        c = R.add(a, b)
        q = R.matmul(x, w)
        k = R.matmul(x, v)
        t = (q, k)
        e = t[1]
        z = R.add(e, q)
        R.output(c, z)
    return (c, z)
"""


@pytest.fixture
def session() -> Session:
    return wb.open(wb.parse(TEXT))


@pytest.mark.parametrize("name", ["a", "b", "main.a"])
def test_an_item_stands_for_what_computes_the_tuple(session: Session, name: str) -> None:
    assert session.implementations(name) == session.implementations("p")
    session.apply("LegalizeOps")
    assert session.implementations(name) == session.implementations("p")


def test_an_item_of_a_tuple_of_values_stands_for_that_value(session: Session) -> None:
    assert session.implementations("e") == session.implementations("k")


def test_what_a_pass_leaves_as_an_item_is_found_under_its_name(session: Session) -> None:
    session.apply("CombineParallelMatmuls")
    assert [str(node) for node in session.origins("q")] == ["main.q by matmul"]
    assert "main.q" in {node.name for node in session.where_is("q")}
    assert session.implementations("q") == session.implementations("q_parts")
    assert (
        session.measure("k", lambda _: None).title
        == session.measure("q_parts", lambda _: None).title
    )


def test_an_item_comes_from_itself(session: Session) -> None:
    session.apply("LegalizeOps")
    assert [node.name for node in session.origins("a")] == ["main.a"]
    assert [node.name for node in session.where_is("a")] == ["main.a"]


def test_what_computes_an_item_can_be_swapped(session: Session) -> None:
    session.apply("CombineParallelMatmuls")
    session.apply("LegalizeOps")
    other = next(i for i in session.implementations("k") if i.available and not i.current)
    step = session.swap("k", other.name)
    assert session.wait()
    assert step.verdict.good
    assert [i.name for i in session.implementations("q_parts") if i.current] == [other.name]


def test_a_tuple_names_several_values(session: Session) -> None:
    with pytest.raises(CompileError) as error:
        session.implementations("t")
    assert error.value.diagnostics[0].code == "session/ambiguous-value"
    assert error.value.diagnostics[0].notes == ("they are `main.q`, `main.k`",)


def test_a_slip_in_the_name_of_an_item_is_met(session: Session) -> None:
    with pytest.raises(CompileError) as error:
        session.implementations("main.ee")
    assert "main.e" in error.value.diagnostics[0].hint
