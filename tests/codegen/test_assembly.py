"""The shape of the code for other processors than this one: registers, vectors, no spills."""

from __future__ import annotations

import re

import pytest

from tests.codegen.native import function
from workbench.codegen import Target, assembly, emit, host_target
from workbench.ir.tensor import TensorFunction

AVX2 = Target("x86_64-unknown-linux-gnu", "haswell", "+avx,+avx2,+fma,+f16c", 256)
AVX512 = Target(
    "x86_64-unknown-linux-gnu", "skylake-avx512", "+avx,+avx2,+fma,+f16c,+avx512f,+avx512vl", 512
)

pytestmark = pytest.mark.skipif(not host_target().is_x86, reason="needs LLVM's x86 back end")


def tile(rows: int, columns: int, local: bool, m: int = 120) -> TensorFunction:
    """A matmul whose tile of C is a local buffer, or C itself."""
    parameters = (
        f'A: T.Buffer(({m},256), "float32"), B: T.Buffer((256,256), "float32"), '
        f'C: T.Buffer(({m},256), "float32")'
    )
    row, column = f"i0 * {rows} + i1", f"j0 * {columns} + j1"
    element = "acc[i1, j1]" if local else f"C[{row}, {column}]"
    allocate = f'acc = T.alloc_buffer(({rows}, {columns}), "float32", scope="local")'
    product = f"A[{row}, k0 * 4 + k1] * B[k0 * 4 + k1, {column}]"
    lanes = f"""
            for i1 in T.unroll({rows}):
                for j1 in T.vectorized({columns}):
"""
    body = f"""
    for i0 in range({m // rows}):
        for j0 in range({256 // columns}):
            {allocate if local else ""}
            {lanes}                    {element} = T.float32(0)
            for k0 in range(64):
                for k1 in T.unroll(4):
                    for i1 in T.unroll({rows}):
                        for j1 in T.vectorized({columns}):
                            {element} = {element} + {product}
            {lanes if local else ""}
            {f"        C[{row}, {column}] = acc[i1, j1]" if local else ""}
"""
    return function(parameters, body)


def innermost(text: str) -> list[str]:
    """The instructions of the basic block with most fused multiply-adds."""
    blocks = re.split(r"^\.?L\w+:|^\tj\w+\t.*$", text, flags=re.MULTILINE)
    best = max(blocks, key=lambda block: block.count("vfmadd"))
    return [line.strip() for line in best.splitlines() if line.startswith("\t")]


@pytest.mark.parametrize("local", [True, False])
@pytest.mark.parametrize(
    ("target", "rows", "columns", "register"),
    [(AVX2, 6, 16, "ymm"), (AVX512, 12, 32, "zmm")],
    ids=["avx2", "avx512"],
)
def test_accumulators_stay_in_registers(
    target: Target, rows: int, columns: int, register: str, local: bool
) -> None:
    code = emit(tile(rows, columns, local), "kernel", target)
    assert code.sites == ()
    loop = innermost(assembly(code.llvm, target))
    products = [line for line in loop if line.startswith("vfmadd")]
    assert len(products) == 4 * rows * 2
    assert all(register in line for line in products)
    stores = [line for line in loop if re.search(r"^vmov\w+\s+%[yz]mm\d+, .*\(", line)]
    assert stores == []
    assert not any("(%rsp)" in line or "(%rbp)" in line for line in loop)


def test_unscheduled_loops_get_vectors() -> None:
    fn = function(
        ", ".join(f'{name}: T.Buffer((64, 64), "float32")' for name in "ABC"),
        """
    for i, j, k in T.grid(64, 64, 64):
        with T.sblock("C"):
            vi, vj, vk = T.axis.remap("SSR", [i, j, k])
            with T.init():
                C[vi, vj] = T.float32(0)
            C[vi, vj] = C[vi, vj] + A[vi, vk] * B[vk, vj]
""",
    )
    loop = innermost(assembly(emit(fn, "kernel", AVX2).llvm, AVX2))
    assert sum(line.startswith("vfmadd") and "ymm" in line for line in loop) >= 4
    assert not any(line.startswith("vmovups\t%ymm") for line in loop)


def test_guards_leave_the_main_loop() -> None:
    fn = function(
        'x: T.Buffer((1000,), "float32"), y: T.Buffer((1000,), "float32")',
        """
    for i0 in range(63):
        for i1 in T.vectorized(16):
            if i0 * 16 + i1 < 1000:
                y[i0 * 16 + i1] = x[i0 * 16 + i1] + T.float32(1)
""",
    )
    code = emit(fn, "kernel", AVX2)
    assert code.sites == ()
    assert "masked" not in code.llvm
    assert "icmp slt <" not in code.llvm


def test_padding_loads_under_a_mask() -> None:
    fn = function(
        'x: T.Buffer((7,), "float32"), y: T.Buffer((8,), "float32")',
        """
    for i in T.vectorized(8):
        y[i] = T.if_then_else(1 <= i, x[i - 1], T.float32(0))
""",
    )
    text = assembly(emit(fn, "kernel", AVX2).llvm, AVX2)
    assert text.count("vmaskmovps") == 1
    assert "vgather" not in text


def test_arguments_do_not_alias() -> None:
    fn = function(
        'x: T.Buffer((64,), "float32"), y: T.Buffer((64,), "float32")',
        "\n    for i in range(64):\n        y[i] = x[i]\n",
    )
    assert emit(fn, "kernel", AVX2).llvm.count("ptr noalias %p") == 2
