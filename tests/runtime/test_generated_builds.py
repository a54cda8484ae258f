from typing import Any

import numpy as np
from hypothesis import given, settings

from tests.generate import Generated, modules
from workbench.interpret import run, values
from workbench.runtime import build


def assert_close(found: Any, expected: Any) -> None:  # noqa: ANN401
    if isinstance(expected, tuple):
        assert len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            assert_close(a, b)
    elif isinstance(expected, np.ndarray):
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        if expected.dtype.kind == "f":
            scale = np.max(np.abs(expected[np.isfinite(expected)]), initial=1.0)
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * scale)
        else:
            np.testing.assert_array_equal(found, expected)
    else:
        assert found == expected


@settings(max_examples=25)
@given(modules())
def test_built_modules_give_what_the_interpreter_gives(generated: Generated) -> None:
    executable = build(generated.module)
    inputs = generated.inputs()
    expected = run(generated.module, *inputs)
    for _ in range(2):
        assert_close(executable(*inputs), expected)
    found = executable.values(inputs)
    for node, value in values(generated.module, inputs).items():
        assert_close(found[node], value)
