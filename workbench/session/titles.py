"""What a row of the history calls its step."""

from __future__ import annotations

import dataclasses
import re
from typing import cast

from workbench.passes import Implement, ImplementByFunction
from workbench.schedule import Primitive
from workbench.session.lineage import Lineage
from workbench.session.naming import find_value, operation
from workbench.session.snapshot import Snapshot
from workbench.support import CompileError
from workbench.support.embed import own_name


def step_title(snapshot: Snapshot, before: Lineage | None) -> str:
    """The name of the pass; what was chosen for which operation where that is what the pass does.

    `before` is the lineage of the step that the pass was applied to, None for the import.

    Gives `LegalizeOps`, `imported`, `matmul → library numpy.matmul`, `Split i [None, 8]`.
    """
    if isinstance(snapshot.applied, Primitive):
        return _primitive_title(snapshot.applied)
    chosen = snapshot.applied
    if before is None or not isinstance(chosen, Implement | ImplementByFunction):
        return snapshot.name
    if isinstance(chosen, Implement):
        return f"{_operation_of(chosen.value, before)} → {chosen.implementation}"
    return f"{_operation_of(chosen.value, before)} → {own_name(chosen.function)}"


def _primitive_title(primitive: Primitive) -> str:
    """The name of a primitive with its parameters, those that are not set left out."""
    shown: list[str] = [type(primitive).__name__]
    for f in dataclasses.fields(primitive):
        value = getattr(primitive, f.name)
        if f.name != "function" and value != f.default:
            shown.append(_text(value))
    return " ".join(shown)


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_text(item) for item in cast('tuple[object, ...]', value))}]"
    return str(value)


def _operation_of(name: str, before: Lineage) -> str:
    """What the value of that name calls; the name where that does not tell."""
    try:
        expr = find_value([before], name).expr
    except CompileError:  # the pass is less strict about names of several functions
        return name
    return (operation_label(operation(expr)) if expr is not None else "") or name


def operation_label(name: str) -> str:
    """The name of an operator or function without namespace and without what makes it unique.

    `fused_matmul_add1_scheduled` is `matmul_add`, `nn.relu` is `relu`.
    """
    bare = name.rsplit(".", maxsplit=1)[-1]
    bare = re.sub(r"\d*_scheduled\d*$", "", bare.removeprefix("fused_"))
    return re.sub(r"(?<=[a-z])\d+$", "", bare) if not bare.endswith(("1d", "2d", "3d")) else bare
