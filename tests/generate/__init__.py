"""Random well-formed modules: they verify, run without faults, and use every kind of node."""

from tests.generate.choices import Choices, Drawn, Seeded
from tests.generate.graphs import Generated, random_module
from tests.generate.strategy import modules, tensor_functions
from tests.generate.tensors import random_tensor_function

__all__ = [
    "Choices",
    "Drawn",
    "Generated",
    "Seeded",
    "modules",
    "random_module",
    "random_tensor_function",
    "tensor_functions",
]
