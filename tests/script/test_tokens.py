"""Tokens: the text in pieces that know what they name."""

import time

import pytest

from tests.script import programs
from workbench.ir import Block, Var, walk
from workbench.script import function_tokens, parse, print_function, print_module, text_of, tokens


@pytest.mark.parametrize("name", programs.ALL)
def test_text_is_the_tokens(name: str) -> None:
    module = parse(programs.ALL[name])
    found = tokens(module)
    assert text_of(found) == print_module(module) == module.script()
    assert {token.style for token in found} >= {"plain", "keyword", "name", "number", "type"}


@pytest.mark.parametrize("name", programs.ALL)
def test_tokens_know_what_they_name(name: str) -> None:
    module = parse(programs.ALL[name])
    for function_name, function in module.functions:
        names = {
            n.id: n.name for n in walk(function) if isinstance(n, Var | Block) and n.name != "_"
        }
        found = [t for t in tokens(module) if t.function == function_name and t.node is not None]
        assert {t.node for t in found} == set(names)
        assert all(t.text.strip('"').startswith(names[t.node]) for t in found if t.node is not None)


def test_one_function() -> None:
    module = parse(programs.GRAPH)
    found = function_tokens("helper", module["helper"], module)
    assert text_of(found) == print_function("helper", module["helper"], module)
    assert text_of(found).startswith("@R.function(private=True)\ndef helper(")
    whole = print_module(module)
    assert all(line in whole for line in text_of(found).split("\n"))


def test_ids_on_request() -> None:
    text = print_module(parse(programs.GRAPH), ids=True)
    assert "x__" in text
    assert "helper__" not in text


def test_long_modules_read_and_print_in_time() -> None:
    """A loose bound: the benchmark has the numbers."""
    line = '            v{}: R.Tensor((4,), dtype="float32") = R.add(v{}, x)\n'
    body = "".join(line.format(i, i - 1) for i in range(1, 2000))
    text = (
        "@I.ir_module\nclass M:\n    @R.function\n"
        '    def main(x: R.Tensor((4,), dtype="float32")):\n'
        "        with R.dataflow():\n            v0 = R.exp(x)\n"
        f"{body}            R.output(v1999)\n        return v1999\n"
    )
    start = time.perf_counter()
    module = parse(text)
    print_module(module)
    assert time.perf_counter() - start < 5
