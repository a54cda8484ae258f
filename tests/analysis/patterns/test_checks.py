"""Names in patterns that nothing has are said, not silently never found."""

from collections.abc import Callable
from typing import Any

import pytest

import workbench.ops  # noqa: F401  # pyright: ignore[reportUnusedImport]  found by name
from workbench.analysis.patterns import (
    LibraryPattern,
    Match,
    Pattern,
    anything,
    constant,
    find,
    item,
    library,
    op,
    register_library_pattern,
    several,
)
from workbench.script import parse
from workbench.support import CompileError

MODULE = parse("""
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((1, 3, 8, 8), "float32"), w: R.Tensor((4, 3, 3, 3), "float32")):
        with R.dataflow():
            y = R.nn.conv2d(x, w)
            R.output(y)
        return y
""")


def faults(pattern: Pattern) -> list[tuple[str, str]]:
    with pytest.raises(CompileError) as error:
        list(find(pattern, MODULE))
    return [(d.code, d.hint) for d in error.value.diagnostics]


def matches(pattern: Pattern) -> int:
    return sum(isinstance(m, Match) for m in find(pattern, MODULE))


def test_an_operator_that_nobody_registered() -> None:
    ((code, hint),) = faults(op("exp", op("nn.conv2")))
    assert code == "pattern/unknown-operator"
    assert "`nn.conv2d`" in hint
    assert [code for code, _ in faults(op(("nn.rellu", "sigmod")))] == [code] * 2


def test_an_attribute_and_a_keyword_that_are_misspelt() -> None:
    ((code, hint),) = faults(op("nn.conv2d", stride=(1, 1)))
    assert code == "pattern/unknown-attribute"
    assert hint == "did you mean `strides`?"
    ((code, hint),) = faults(op("add", anything(), constant(), anyorder=True))
    assert code == "pattern/unknown-attribute"
    assert hint == "did you mean `any_order`?"


def test_an_attribute_that_a_call_leaves_out_has_its_default() -> None:
    assert matches(op("nn.conv2d", groups=1)) == 1
    assert matches(op("nn.conv2d", groups=2)) == 0
    assert matches(op("nn.conv2d", strides=(1, 1))) == matches(op("nn.conv2d", strides=PAIR))


def test_a_library_function_that_looks_like_a_known_one() -> None:
    ((code, hint),) = faults(library("numpy.matmull"))
    assert code == "pattern/unknown-library-function"
    assert "`numpy.matmul`" in hint
    assert matches(library("zzz.qqqqqqqqqqqqqqq")) == 0, "it may be one that is not installed"


def test_a_dtype_that_no_tensor_holds() -> None:
    ((code, hint),) = faults(op("nn.conv2d").typed(dtype="float23"))
    assert code == "pattern/unknown-dtype"
    assert "`float32`" in hint


def test_two_values_of_one_name() -> None:
    ((code, _),) = faults(op("add", anything("x"), op("exp", anything("x"))))
    assert code == "pattern/same-name"
    one = anything("x")
    assert matches(op("add", one, op("exp", one))) == 0
    assert matches(op("nn.conv2d", anything("x")) | op("nn.conv2d", anything("x"), anything())) == 1


TEXT: Any = "exp"
PAIR: Any = [1, 1]
NUMBER: Any = 2.0


@pytest.mark.parametrize(
    "make",
    [
        lambda: op("add", TEXT),
        lambda: op("add", anything(), NUMBER),
        lambda: library("numpy.matmul", TEXT),
        lambda: op("add") | TEXT,
    ],
)
def test_what_is_no_pattern_is_refused_where_it_is_written(make: Callable[[], Any]) -> None:
    with pytest.raises(CompileError, match="pattern/not-a-pattern"):
        make()


def test_a_library_pattern_names_its_arguments() -> None:
    pattern = op("matmul", anything("a"), anything("weight"))
    offered = LibraryPattern("mine", "mine.matmul", pattern, ("a", "wieght"))
    with pytest.raises(CompileError, match="did you mean `weight`"):
        register_library_pattern(offered)


WORD: Any = anything()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: WORD.typed(shape=4), "an integer, an expression or `None`"),
        (lambda: WORD.typed(rank="a"), "as `rank`"),
        (lambda: WORD.where("wide", 5), "takes a function as `test`"),
        (lambda: WORD.named(3), "takes a text as `name`"),
        (several, "needs patterns of values"),
        (lambda: op(()), "names what is called"),
    ],
)
def test_words_refuse_what_they_do_not_take(make: Callable[[], Pattern], said: str) -> None:
    with pytest.raises(CompileError) as caught:
        make()
    (fault,) = caught.value.diagnostics
    assert fault.code.startswith("call/")
    assert said in fault.message


def test_fields_are_counted_from_the_first() -> None:
    with pytest.raises(CompileError, match="position of a field, an integer from 0 on"):
        item(op("split"), -1)
