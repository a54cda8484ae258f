import sys

import pytest

from tests.runtime import modules
from workbench.codegen import KernelCode, compile_object, emit, host_target
from workbench.runtime import compile_pool
from workbench.runtime.compile_pool import compile_objects


def codes() -> list[KernelCode]:
    return [
        emit(modules.double_function((rows, 8)), "kernel", host_target()) for rows in range(1, 9)
    ]


def test_workers_give_the_same_objects_in_order() -> None:
    kernels = codes()
    expected = [compile_object(code.llvm, host_target()) for code in kernels]
    assert compile_objects(kernels, host_target(), helpers=2) == expected
    assert compile_objects(kernels, host_target()) == expected


def test_a_worker_that_dies_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/true")
    assert len(compile_objects(codes(), host_target(), helpers=1)) == 8


def test_workers_help_only_where_it_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []
    monkeypatch.setattr(compile_pool, "_start_worker", lambda: started.append(1))
    compile_objects(codes(), host_target())
    assert started == []
