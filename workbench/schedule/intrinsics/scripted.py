"""Intrinsics as scripts: two functions, `description` and `implementation`."""

from __future__ import annotations

from workbench.ir import IRModule, TensorFunction
from workbench.ir.registry import TensorIntrinsic
from workbench.script import parse, print_module
from workbench.support import CompileError, Diagnostic


def intrinsic_of_script(
    name: str, text: str, *, reassociates: bool = False, doc: str = ""
) -> TensorIntrinsic:
    """The intrinsic whose functions a script defines as `description` and `implementation`.

    Raises:
        CompileError: what is wrong with the script, `schedule/bad-intrinsic`,
            `module/unknown-function` where one is missing.
    """
    module = parse(text)
    description, implementation = module["description"], module["implementation"]
    if not isinstance(description, TensorFunction) or not isinstance(
        implementation, TensorFunction
    ):
        message = f"intrinsic `{name}`: its functions are tensor functions, found others"
        raise CompileError(Diagnostic("schedule/bad-intrinsic", message))
    return TensorIntrinsic(name, description, implementation, reassociates, doc)


def script_of_intrinsic(intrinsic: TensorIntrinsic) -> str:
    """The script from which `intrinsic_of_script` makes an intrinsic again."""
    functions = (
        ("description", intrinsic.description),
        ("implementation", intrinsic.implementation),
    )
    return print_module(IRModule(functions))


def registration(intrinsic: TensorIntrinsic) -> str:
    """Python that registers an intrinsic, for a recipe; `wb` is workbench."""
    text = script_of_intrinsic(intrinsic).strip().replace("\\", "\\\\").replace('"""', '\\"""')
    options = ", reassociates=True" if intrinsic.reassociates else ""
    options += f", doc={intrinsic.doc!r}" if intrinsic.doc else ""
    return "\n".join(
        (
            "wb.schedule.register_intrinsic(",
            f'    wb.schedule.intrinsic_of_script({intrinsic.name!r}, """',
            text,
            f'"""{options})',
            ")",
        )
    )
