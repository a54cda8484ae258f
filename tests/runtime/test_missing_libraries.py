"""A library that is missing is said at build, with every call that needs it."""

import numpy as np
import pytest

from workbench.ir import IRModule
from workbench.runtime import build
from workbench.script import parse
from workbench.support import CompileError, Diagnostic

HEAD = """
@I.ir_module
class Module:
    @R.function
    def main(v0: R.Tensor((4,), "float32"), c: R.Tensor((), "bool")) -> R.Tensor((4,), "float32"):
{calls}
        if c:
            q = R.call_pure_packed("test.gone", v0, ty_args=R.Tensor((4,), "float32"))
            y = q
        else:
            z = R.exp(v0)
            y = z
        return y
"""
CALL = '        v{} = R.call_dps_packed("test.nobody", (v{},), out_ty=R.Tensor((4,), "float32"))'


def calling(count: int) -> IRModule:
    return parse(HEAD.format(calls="\n".join(CALL.format(n + 1, n) for n in range(count))))


def faults(module: IRModule) -> tuple[Diagnostic, ...]:
    with pytest.raises(CompileError) as caught:
        build(module)
    return caught.value.diagnostics


def test_all_calls_are_named_at_the_first_of_them() -> None:
    module = calling(9)
    many, one = faults(module)
    names = ", ".join(f"`v{n}`" for n in range(1, 10))
    assert many.notes == (f"{names} in `main` call it",)
    bindings = module.graph_functions["main"].bindings
    assert (many.function, many.node) == ("main", bindings[0].var.id)
    assert one.notes == ("`q` in `main` calls it",), "not the `if` around it"


def test_of_very_many_calls_the_number_is_said() -> None:
    many, _ = faults(calling(60))
    assert many.notes[0].endswith("`v50` and `10` more in `main` call it")


CAST = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor(("k",), "float32"), y: R.Tensor({}"float32")):
        k = T.int64()
        with R.dataflow():
            a = R.match_cast(y, R.Tensor((k,), "float32"))
            b = R.add(a, x)
            R.output(b)
        return b
"""


@pytest.mark.parametrize("shape", [(4,), (3, 1)])
def test_a_cast_that_fails_is_told_of_the_value(shape: tuple[int, ...]) -> None:
    executable = build(parse(CAST.format("None, ")))
    with pytest.raises(CompileError, match=r"run/type-mismatch.*`a` must have shape `\(3,\)`"):
        executable(np.ones(3, "f4"), np.ones(shape, "f4"))


@pytest.mark.parametrize(
    ("declared", "wanted"),
    [
        ("None, ", "`float32` with any shape"),
        ("None, ndim=1, dtype=", "`float32` with 1 dimension"),
    ],
)
def test_an_open_shape_is_told_in_words(declared: str, wanted: str) -> None:
    executable = build(parse(CAST.format(declared)))
    with pytest.raises(CompileError) as caught:
        executable(np.ones(3, "f4"), np.ones(3, "f8"))
    assert caught.value.diagnostics[0].message.startswith(f"`y` must be {wanted}, got ")
