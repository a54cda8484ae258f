"""Planted faults: blame names the first wrong step, its rewrite and the first wrong value."""

from __future__ import annotations

import pytest

from tests.session.blaming import IMAGE, MATRIX, NORMED, SYMBOLIC, Case, check
from tests.session.faulty import (
    Both,
    InKernel,
    Merge,
    Rebind,
    another_attr,
    first_operand,
    operand_through,
    scaled_constant,
    swapped,
    through_half,
    without_init,
)
from tests.session.wrong_kernels import (
    extent,
    first_index_twice,
    operator_in_stores,
    otherwise,
    shorter_symbolic,
    stride,
)
from workbench.ir import BinaryOp
from workbench.passes import (
    CanonicalizeBindings,
    EliminateCommonSubexpressions,
    EliminateDeadCode,
    FoldBatchNormIntoConv,
    FoldConstant,
    FuseOps,
    FuseTensorFunctions,
    LegalizeOps,
    ScheduleDefault,
)

LEGAL = (LegalizeOps(),)
FUSED = (LegalizeOps(), FuseOps())
MERGED = (LegalizeOps(), FuseOps(), FuseTensorFunctions())
TIDY = (CanonicalizeBindings(), EliminateDeadCode())

CASES = {
    "wrong constant": Case(
        IMAGE, LEGAL, Rebind("scale", scaled_constant(1.001)), (FuseOps(), ScheduleDefault()),
        ("main.scale",), "`rebind` of `main.scale`",
    ),
    "swapped operands": Case(
        IMAGE, (CanonicalizeBindings(),), Rebind("d", swapped), MERGED,
        ("main.d",), "`rebind` of `main.d`",
    ),
    "dropped last iteration": Case(
        IMAGE, LEGAL, InKernel("subtract", extent(9, 8)), (FuseOps(),),
        ("main.d",), "`in-kernel` of tensor function `subtract`",
    ),
    "wrong padding": Case(
        IMAGE, LEGAL, InKernel("conv2d", otherwise(1.0)), (FuseOps(), FuseTensorFunctions()),
        ("main.c",), "`in-kernel` of tensor function `conv2d`",
    ),
    "wrong axis": Case(
        MATRIX, (), Rebind("s", another_attr("axis", (0,))), FUSED,
        ("main.s",), "`rebind` of `main.s`",
    ),
    "missing init": Case(
        MATRIX, LEGAL, InKernel("matmul", without_init), (FuseOps(),),
        ("main.h",), "`in-kernel` of tensor function `matmul`",
    ),
    "dropped residual edge": Case(
        MATRIX, (EliminateCommonSubexpressions(),), Rebind("y", first_operand), MERGED,
        ("main.y",), "`rebind` of `main.y`",
    ),
    "dropped bias": Case(
        IMAGE, LEGAL, Rebind("h", first_operand), (FuseOps(), *TIDY),
        ("main.h",), "`rebind` of `main.h`",
    ),
    "wrong broadcast": Case(
        MATRIX, LEGAL, InKernel("add", first_index_twice("x2")), (FuseOps(),),
        ("main.a",), "`in-kernel` of tensor function `add`",
    ),
    "transposed weight": Case(
        MATRIX, TIDY, Rebind("h", operand_through(1, "permute_dims")), MERGED,
        ("main.h",), "`rebind` of `main.h`",
    ),
    "rounded to half": Case(
        MATRIX, TIDY, Rebind("u", through_half), FUSED,
        ("main.u",), "`rebind` of `main.u`",
    ),
    "epsilon lost in a fold": Case(
        NORMED, (CanonicalizeBindings(),),
        Both(Rebind("n", another_attr("epsilon", 0.0)), FoldBatchNormIntoConv()),
        (FoldConstant(), *MERGED), ("main.i",), "",
    ),
    "max instead of sum": Case(
        MATRIX, LEGAL, InKernel("sum", operator_in_stores(BinaryOp.ADD, BinaryOp.MAX)),
        (FuseOps(),), ("main.s",), "`in-kernel` of tensor function `sum`",
    ),
    "wrong stride": Case(
        IMAGE, LEGAL, InKernel("max_pool2d1", stride(2, 1)), (FuseOps(),),
        ("main.q",), "`in-kernel` of tensor function `max_pool2d1`",
    ),
    "merged different calls": Case(
        MATRIX, LEGAL, Merge("k", "g"), (FuseOps(),), ("main.k",), "`merge` of `main.k`",
    ),
    "merged in silence": Case(
        MATRIX, LEGAL, Merge("k", "g", says=False), (FuseOps(),), ("main.z",), "`merge`",
    ),
    "off by one in a symbolic extent": Case(
        SYMBOLIC, LEGAL, InKernel("relu", shorter_symbolic), (FuseOps(),),
        ("main.a",), "`in-kernel` of tensor function `relu`",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_blame_names_step_rewrite_and_value(name: str) -> None:
    check(CASES[name])
