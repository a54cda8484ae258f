"""Libraries: numpy's BLAS, oneDNN and torch as implementations, and what they are offered for.

numpy is always there; the others are extras, `pip install 'compiler-workbench[onednn]'`.
"""

from __future__ import annotations

import importlib.util

from workbench.ir import LibraryFunction, register_adapter, register_library, register_loader
from workbench.ops.libraries import blas, dnnl, offers, onednn, pytorch, shared_objects

FLOAT = ("float32",)
TORCH_FLOATS = ("float32", "float64")


def _numpy() -> None:
    for symbol, function, loops in (
        ("numpy.matmul", blas.matmul, "matmul"),
        ("numpy.conv2d", blas.conv2d, "conv2d"),
    ):
        register_library(LibraryFunction(symbol, function, "numpy", computes=loops))
    offers.offer_matmul("numpy", "numpy.matmul", ("float32", "float64"))
    offers.offer_conv2d("numpy", "numpy.conv2d", ("float32", "float64"), groups=False)


def _onednn() -> None:
    missing = "" if dnnl.path() else "no package that brings oneDNN is installed"
    for symbol, function, loops in (
        ("onednn.matmul", onednn.matmul, "matmul"),
        ("onednn.conv2d", onednn.conv2d, "conv2d"),
        ("onednn.softmax", onednn.softmax, ""),
        ("onednn.layer_norm", onednn.layer_norm, ""),
    ):
        register_library(
            LibraryFunction(symbol, function, "onednn", missing, dnnl.reason, loops, FLOAT)
        )
    activations = tuple(offers.ACTIVATION)
    offers.offer_matmul_with("onednn", "onednn.matmul", FLOAT, activations)
    offers.offer_conv2d_with("onednn", "onednn.conv2d", FLOAT, activations)
    offers.offer_matmul("onednn", "onednn.matmul", FLOAT)
    offers.offer_conv2d("onednn", "onednn.conv2d", FLOAT, groups=True)
    offers.offer_softmax("onednn", "onednn.softmax", FLOAT)
    offers.offer_layer_norm("onednn", "onednn.layer_norm", FLOAT)


def _torch() -> None:
    missing = "" if importlib.util.find_spec("torch") else "torch is not installed"
    for symbol, function, loops in (
        ("torch.matmul", pytorch.matmul, "matmul"),
        ("torch.conv2d", pytorch.conv2d, "conv2d"),
    ):
        register_library(
            LibraryFunction(symbol, function, "torch", missing, pytorch.reason, loops, TORCH_FLOATS)
        )
    offers.offer_matmul("torch", "torch.matmul", TORCH_FLOATS)
    offers.offer_conv2d("torch", "torch.conv2d", TORCH_FLOATS, groups=False)


register_adapter(pytorch.adapted)
register_loader(shared_objects.load)
_numpy()
_onednn()
_torch()
