"""Ids over an edit of the text: what stayed the same keeps its id."""

# ruff: noqa: E501  scripts are as wide as they print

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.script import programs
from tests.script.test_errors import MATMUL
from workbench.ir import GraphFunction, IRModule, structurally_equal
from workbench.ir.verify import verify
from workbench.script import parse, parse_function, parse_into, print_function, print_module
from workbench.script.definitions import definitions
from workbench.support import CompileError

CHAIN = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((4, 4), dtype="float32"), w: R.Tensor((4, 4), dtype="float32")) -> R.Tensor((4, 4), dtype="float32"):
        with R.dataflow():
            a: R.Tensor((4, 4), dtype="float32") = R.matmul(x, w)
            b: R.Tensor((4, 4), dtype="float32") = R.nn.relu(a)
            c: R.Tensor((4, 4), dtype="float32") = R.exp(w)
            d: R.Tensor((4, 4), dtype="float32") = R.add(b, c)
            R.output(d)
        return d
"""


def spread(text: str) -> IRModule:
    """The module with ids that are not those of a first reading."""
    module = parse(text)
    like = tuple((name, replace(f, next_id=f.next_id + 100)) for name, f in module.functions)
    moved = text.replace("(x:", "(unused: R.Tensor((1,)), x:") if "unused" not in text else text
    other = parse(moved, like=replace(module, functions=like))
    return other


def edited(module: IRModule, edit: Callable[[str], str]) -> IRModule:
    text = print_module(module)
    changed = edit(text)
    assert changed != text
    result = parse(changed, like=module)
    assert verify(result) == ()
    assert structurally_equal(result, parse(changed, like=IRModule(pool=module.pool)))
    return result


def ids(module: IRModule, function: str = "main") -> dict[str, int]:
    return {d.name: d.id for d in definitions(function, module[function])}


@pytest.mark.parametrize("name", programs.ALL)
def test_unchanged_text_gives_the_same_module(name: str) -> None:
    module = parse(programs.ALL[name])
    again = parse(print_module(module), like=module)
    assert all(a is b for (_, a), (_, b) in zip(module.functions, again.functions, strict=True))


def test_a_changed_binding_and_all_that_use_it_get_new_ids() -> None:
    module = spread(CHAIN)
    result = edited(module, lambda text: text.replace("R.nn.relu(a)", "R.nn.silu(a)"))
    before, after = ids(module), ids(result)
    assert {name for name in before if before[name] == after[name]} == {
        "unused",
        "x",
        "w",
        "a",
        "c",
    }
    assert min(after["b"], after["d"]) >= module["main"].next_id
    assert result["main"].next_id > max(after.values())


def test_an_inserted_binding_renumbers_nothing() -> None:
    module = spread(CHAIN)
    line = '            c: R.Tensor((4, 4), dtype="float32") = R.exp(w)\n'
    extra = line.replace("c:", "e:").replace("exp", "tanh")
    result = edited(module, lambda text: text.replace(line, extra + line))
    after = ids(result)
    assert after.pop("e") >= module["main"].next_id
    assert after == ids(module)


def test_a_renamed_value_keeps_its_id() -> None:
    module = spread(CHAIN)
    result = edited(module, lambda text: text.replace("b:", "hidden:").replace("(b,", "(hidden,"))
    before, after = ids(module), ids(result)
    assert after["hidden"] == before["b"]
    assert after["d"] == before["d"]
    assert [b.var.name for b in result["main"].bindings][1] == "hidden"  # pyright: ignore[reportAttributeAccessIssue]


def test_equal_values_are_told_apart_by_name() -> None:
    text = CHAIN.replace("R.exp(w)", "R.nn.relu(a)")
    module = spread(text)
    result = edited(module, lambda text: text.replace("R.add(b, c)", "R.add(c, b)"))
    before, after = ids(module), ids(result)
    assert (after["b"], after["c"]) == (before["b"], before["c"])
    assert after["d"] != before["d"]


def test_original_names_and_origins_are_kept() -> None:
    module = spread(CHAIN)
    function = module["main"]
    assert isinstance(function, GraphFunction)
    (block,) = function.blocks
    first = block.bindings[0]
    named = replace(first, var=replace(first.var, name="Conv_0/a"))
    body = replace(block, bindings=(named, *block.bindings[1:]))
    module = replace(module, functions=(("main", replace(function, blocks=(body,))),))
    result = edited(module, lambda text: text.replace("R.exp(w)", "R.tanh(w)"))
    found = result["main"].bindings[0]  # pyright: ignore[reportAttributeAccessIssue]
    assert found.var.name == "Conv_0/a"
    assert found.span == first.span


def test_loops_keep_their_ids_when_reordered_and_renamed() -> None:
    module = parse(MATMUL)
    result = edited(
        module,
        lambda text: text.replace(
            "for i, j, k in T.grid(4, 6, 8)", "for i, r, j in T.grid(4, 8, 6)"
        ).replace("[i, j, k]", "[i, j, r]"),
    )
    before, after = ids(module, "mm"), ids(result, "mm")
    assert {name: after[name] for name in "ABCij"} == {name: before[name] for name in "ABCij"}
    assert [after[v] for v in ("vi", "vj", "vk")] == [before[v] for v in ("vi", "vj", "vk")]
    assert ids(result, "main") == ids(module, "main")


def test_a_renamed_function_keeps_its_ids() -> None:
    module = parse(MATMUL)
    result = edited(module, lambda text: text.replace("mm(", "mul(").replace("cls.mm", "cls.mul"))
    assert result["mul"] is module["mm"]


def test_one_function_of_a_module() -> None:
    module = parse(MATMUL)
    text = print_function("mm", module["mm"])
    assert parse_function(text, like=module["mm"]) == ("mm", module["mm"])
    changed = text.replace("T.grid(4, 6, 8)", "T.grid(4, 6, 8)").replace(
        "T.float32(0.0)", "T.float32(1.0)"
    )
    name, function = parse_function(changed, like=module["mm"])
    assert name == "mm"
    assert function.next_id == module["mm"].next_id
    assert function != module["mm"]
    main = print_function("main", module["main"], module)
    assert parse_function(main, like=module["main"], module=module) == ("main", module["main"])


def test_a_function_put_into_a_module() -> None:
    module = parse(MATMUL)
    text = print_function("main", module["main"], module).replace(
        "R.nn.relu(y)", 'R.add(y, R.const(2.0, "float32"))'
    )
    result = parse_into(text, module)
    assert [name for name, _ in result.functions] == ["mm", "main"]
    assert result["mm"] is module["mm"]
    assert [array.item() for array in result.pool.values()] == [2.0]
    with pytest.raises(CompileError, match="script/new-constant"):
        parse_function(text, module=module)


def test_several_functions_are_not_one() -> None:
    with pytest.raises(CompileError, match="script/one-function"):
        parse_function(MATMUL)


ATTRIBUTE = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((4,), "float32")):
        with R.dataflow():
            a = R.nn.leakyrelu(x, alpha={})
            b = R.exp(a)
            R.output(b)
        return b
"""


@pytest.mark.parametrize(("before", "after"), [("0.0", "-0.0"), ("1", "1.0"), ("1.0", "True")])
def test_attributes_are_the_same_bit_for_bit(before: str, after: str) -> None:
    module = parse(ATTRIBUTE.format(before))
    result = parse(ATTRIBUTE.format(after), like=module)
    assert ids(result).keys() == ids(module).keys()
    assert {name for name in ids(module) if ids(module)[name] == ids(result)[name]} == {"x"}


def test_a_number_that_is_none_is_itself() -> None:
    module = parse(ATTRIBUTE.format('float("nan")'))
    text = ATTRIBUTE.format('float("nan")').replace("R.exp", "R.tanh")
    before, after = ids(module), ids(parse(text, like=module))
    assert after["a"] == before["a"]
    assert after["b"] != before["b"]


BRANCHES = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((4,), "float32"), c: R.Tensor((), "bool")) -> R.Tensor((4,), "float32"):
        if c:
            a: R.Tensor((4,), "float32") = R.exp(x)
            y = a
        else:
            b: R.Tensor((4,), "float32") = R.tanh(x)
            y = b
        z = R.nn.relu(y)
        return z
"""


def test_a_branch_stands_before_its_arms_and_keeps_its_id() -> None:
    module = parse(BRANCHES)
    names = [d.name for d in definitions("main", module["main"])]
    assert names == ["x", "c", "y", "a", "b", "z"]
    result = parse(BRANCHES.replace("R.nn.relu(y)", "R.exp(y)"), like=module)
    before, after = ids(module), ids(result)
    assert {name for name in before if before[name] != after[name]} == {"z"}
    other = ids(parse(BRANCHES.replace("R.tanh(x)", "R.sin(x)"), like=module))
    assert {name for name in before if before[name] != other[name]} == {"b", "y", "z"}
