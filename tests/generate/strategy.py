"""Hypothesis strategies of random programs."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.generate.choices import Drawn
from tests.generate.graphs import Generated, random_module
from tests.generate.tensors import random_tensor_function
from workbench.ir import TensorFunction, TensorType


@st.composite
def modules(draw: st.DrawFn, steps: int = 6) -> Generated:
    """Modules that verify and run; they shrink to few steps of few elements."""
    return random_module(Drawn(draw(st.data())), steps)


@st.composite
def tensor_functions(draw: st.DrawFn) -> tuple[TensorFunction, list[TensorType], TensorType]:
    """A tensor function of static shapes, the types of its inputs and of its output."""
    choices = Drawn(draw(st.data()))
    shape = tuple(choices.integer(1, 5) for _ in range(choices.integer(0, 3)))
    dtype = draw(st.sampled_from(["float32", "float64", "int32", "int8", "bool"]))
    inputs = [TensorType(shape, dtype)] * choices.integer(1, 3)
    function, out = random_tensor_function(choices, inputs)
    return function, inputs, out
