"""Values as expressions of a script: numbers, containers, small arrays, dataclasses."""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Callable, Iterable
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from workbench.support.diagnostics import CompileError, Diagnostic
from workbench.support.python_text import is_default, python_text

PLAIN = (int, float, str, bytes, bool, type(None))
SEQUENCES = {tuple: "()", list: "[]", set: "{}", frozenset: "{}"}
MOST_ELEMENTS = 1024
"""Elements of arrays that are written out."""
CODE = "session/recipe-code"


def fault(message: str, hint: str) -> CompileError:
    """The refusal of what a script cannot hold."""
    return CompileError(Diagnostic(CODE, message, hint=hint))


def named_fault(error: CompileError, name: str, around: str) -> CompileError:
    """The refusal, with the name of what is refused and of what uses it."""
    first = error.diagnostics[0]
    note = f"`{around}` uses `{name}`"
    return CompileError(dataclasses.replace(first, notes=(*first.notes, note)))


def has_fields(value: object) -> bool:
    """Whether it is an object of a dataclass."""
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


class Values:
    """Writes values; `known(part)` gives the name of a part, and defines it where that is new.

    Objects that are equal to themselves only stay one object, however often they occur.
    """

    def __init__(self, known: Callable[[Any], str]) -> None:
        self._known = known
        self._written: dict[int, object] = {}

    def text(self, value: Any) -> str:  # noqa: ANN401
        """An expression for a value.

        Raises:
            CompileError: `session/recipe-code` for what no expression makes again.
        """
        return self._known(value) or self.parts(value)

    def parts(self, value: Any) -> str:  # noqa: ANN401
        """The expression of a value that has no name itself."""
        kind = cast("type[Any]", type(value))
        if kind in PLAIN:
            return python_text(value)
        if kind in SEQUENCES:
            return self._sequence(value)
        if kind is dict:
            pairs = cast("dict[Any, Any]", value).items()
            return "{" + ", ".join(f"{self.text(k)}: {self.text(v)}" for k, v in pairs) + "}"
        if isinstance(value, enum.Enum):
            return f"{self._known(kind)}.{value.name}"
        if isinstance(value, np.ndarray | np.generic | np.dtype):
            return self._numpy(value)
        if has_fields(value):
            return self._object(value)
        raise fault(
            f"an object of class `{kind.__name__}` cannot be written into a script",
            "make it inside of the function or class that uses it",
        )

    def _sequence(self, value: Iterable[Any]) -> str:
        items = [self.text(item) for item in value]
        if isinstance(value, tuple):
            return f"({', '.join(items)}{',' if len(items) == 1 else ''})"
        if isinstance(value, list):
            return f"[{', '.join(items)}]"
        shown = ", ".join(sorted(items))
        if isinstance(value, frozenset):
            return f"frozenset({{{shown}}})" if items else "frozenset()"
        return f"{{{shown}}}" if items else "set()"

    def _numpy(self, value: Any) -> str:  # noqa: ANN401
        home, part = self._known(np), value
        name: str = type(part).__name__
        if isinstance(value, np.dtype) and np.dtype(value.str) == value:
            return f"{home}.dtype({value.str!r})"
        if isinstance(value, np.generic) and np.dtype(name).kind in "biufc":
            return f"{home}.{name}({_number(part.item())})"
        if name == "ndarray" and part.dtype.kind in "biuf":
            return _array(home, part)
        raise fault(
            f"a `{name}` of numpy cannot be written into a script",
            "make it inside of the function or class that uses it",
        )

    def _object(self, value: Any) -> str:  # noqa: ANN401
        kind: Any = value.__class__
        if kind.__eq__ is object.__eq__:
            self._once(value)
        shown: list[str] = []
        for f in dataclasses.fields(value):
            part = getattr(value, f.name)
            if f.init and not _is_default(f, part):
                shown.append(f"{f.name}={self.text(part)}")
        return f"{self._known(kind)}({', '.join(shown)})"

    def _once(self, value: object) -> None:
        if id(value) in self._written and not self._known(value):
            raise fault(
                f"one object of class `{type(value).__name__}` stands in several places",
                "assign it to a variable outside of functions first",
            )
        self._written[id(value)] = value


def _is_default(field: dataclasses.Field[Any], value: object) -> bool:
    plain = isinstance(value, PLAIN) or value is field.default or value.__class__ is tuple
    return plain and is_default(field, value)


def _number(value: complex) -> str:
    if isinstance(value, complex) and not (math.isfinite(value.real) and math.isfinite(value.imag)):
        return f"complex({_number(value.real)}, {_number(value.imag)})"
    return python_text(value)


def _array(home: str, array: NDArray[Any]) -> str:
    name = array.dtype.name
    if array.size > MOST_ELEMENTS:
        raise fault(
            f"an array {array.shape} of `{name}` is too large to stand in a script",
            "read it from a file where it is used, or save the module that holds it",
        )
    text = f"{home}.array({python_text(array.tolist())}, dtype={name!r})"
    return text if array.size else f"{text}.reshape({array.shape})"
