"""LLVM text to objects and assembly."""

from __future__ import annotations

import threading
from functools import cache
from typing import Any

import llvmlite.binding as llvm

from workbench.codegen.target import Target
from workbench.support.diagnostics import CompileError, Diagnostic

_lock = threading.Lock()


def compile_object(text: str, target: Target, opt_level: int = 2) -> bytes:
    """The relocatable object of an LLVM module; `opt_level` 0 leaves the text as it is.

    Raises:
        CompileError: `build/invalid-code`.
    """
    with _lock:
        machine = _machine(target, opt_level)
        return machine.emit_object(_optimised(text, machine, opt_level))


def assembly(text: str, target: Target, opt_level: int = 2) -> str:
    """The assembly of an LLVM module."""
    with _lock:
        machine = _machine(target, opt_level)
        return machine.emit_assembly(_optimised(text, machine, opt_level))


def optimised(text: str, target: Target, opt_level: int = 2) -> str:
    """The LLVM text after the passes that `compile_object` runs."""
    with _lock:
        return str(_optimised(text, _machine(target, opt_level), opt_level))


@cache
def _initialise() -> None:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


@cache
def _machine(target: Target, opt_level: int) -> Any:  # noqa: ANN401
    _initialise()
    found = llvm.Target.from_triple(target.triple)  # pyright: ignore[reportUnknownMemberType]
    return found.create_target_machine(
        cpu=target.cpu, features=target.features, opt=max(opt_level, 1), reloc="pic", jit=True
    )


def _parsed(text: str) -> Any:  # noqa: ANN401
    """The module, verified: LLVM ends the process where it compiles one that is not valid."""
    try:
        module = llvm.parse_assembly(text)  # pyright: ignore[reportUnknownMemberType]
        module.verify()
    except RuntimeError as error:
        raise CompileError(
            Diagnostic(
                "build/invalid-code",
                "the code generator made native code that is not valid, a fault of ours",
                notes=(str(error).strip(),),
            )
        ) from error
    return module


def _optimised(text: str, machine: Any, opt_level: int) -> Any:  # noqa: ANN401
    module = _parsed(text)
    if opt_level > 0:
        options = llvm.create_pipeline_tuning_options(speed_level=opt_level)
        builder = llvm.create_pass_builder(machine, options)  # pyright: ignore[reportUnknownMemberType]
        passes = llvm.create_new_module_pass_manager()
        passes.add_sroa_pass()
        passes.run(module, builder)  # pyright: ignore[reportUnknownMemberType]
        options.close()
    return module
