"""Schedule primitives at a loop or block: what applies there, and why the rest does not."""

from __future__ import annotations

import dataclasses
import inspect
import math
import time
from collections.abc import Mapping
from itertools import islice
from typing import Any, cast, get_type_hints

import msgspec

from workbench.analysis.dependence import Answer
from workbench.analysis.dependence.carried import Carried
from workbench.analysis.dependence.regions import Region, regions
from workbench.ir import Block, For, IRModule
from workbench.schedule import PRIMITIVES, Primitive
from workbench.schedule.place_facts import PlaceFacts
from workbench.schedule.primitive import answer_of
from workbench.schedule.scope import Scope
from workbench.script.print_blocks import write_region
from workbench.script.tokens import Writer
from workbench.session.catalogue import pass_code
from workbench.support import CompileError, Diagnostic, NodeId
from workbench.view.protocol import ChoiceView, OfferView, Parameter, Scalar

PLACES = ("function", "loop", "block")
RECURSIVE = {"ann_val"}
"""Parameters whose type msgspec cannot convert to: attributes hold attributes."""
MOST_CHOICES = 8
MOST_CARRIED = 6
OWN = {
    "Split": "factors",
    "LoopPartition": "factors",
    "Reorder": "loops",
    "Fuse": "loops",
    "Bind": "thread_axis",
    "PadEinsum": "padding",
    "SetScope": "storage_scope",
    "Tensorize": "intrinsic",
    "TransformLayout": "index_map",
    "TransformBlockLayout": "index_map",
}
"""The parameter of each primitive that a person may give as text."""


def place_offers(module: IRModule, place: str, variable: str) -> list[OfferView]:
    """Every primitive that is about such a place, those that apply first.

    `place` is the key of a loop or block, `matmul/12`.

    Raises:
        CompileError: `view/unknown-place`.
    """
    found, _ = some_offers(module, place, variable)
    return sorted(found, key=lambda offer: offer.answer != "applies")


def some_offers(
    module: IRModule, place: str, variable: str, skip: int = 0, seconds: float = math.inf
) -> tuple[list[OfferView], int | None]:
    """Offers of the primitives from number `skip` on, and where to go on; None at the end.

    Stops after the first primitive that ends later than `seconds` from now.

    Raises:
        CompileError: `view/unknown-place`.
    """
    end = time.monotonic() + seconds
    scope, node = _find(module, place)
    found: list[OfferView] = []
    for number in range(skip, len(PRIMITIVES)):
        offer = _offer(PRIMITIVES[number], scope, node, variable)
        found += [] if offer is None else [offer]
        if time.monotonic() > end and number + 1 < len(PRIMITIVES):
            return found, number + 1
    return found, None


def try_primitive(
    module: IRModule, name: str, arguments: Mapping[str, Parameter], variable: str
) -> OfferView:
    """Whether a primitive applies with these parameters.

    Raises:
        CompileError: `view/unknown-primitive`, `view/bad-parameters`.
    """
    primitive = primitive_of(name, arguments)
    scope = Scope.of(module, primitive.function)
    return _view(type(primitive), answer_of(primitive, scope), [primitive], variable)


def place_facts(module: IRModule, place: str) -> list[str]:
    """What one run of a loop or block reads and writes, in words.

    Then the values of the axes of a block, or what a loop carries from iteration to iteration.

    Raises:
        CompileError: `view/unknown-place`.
    """
    scope, node = _find(module, place)
    found = regions(scope.function, node)
    touched = [
        f"{verb} {', '.join(_region(item) for item in items)}"
        for verb, items in (("reads", found.reads), ("writes", found.writes))
        if items
    ]
    if isinstance(node, Block):
        return [*touched, *PlaceFacts(scope, node).ranges]
    return touched + _carries(scope, node)


def _region(item: Region) -> str:
    """`A[i, 0:48]`, marked where only some elements of the box are touched."""
    w = Writer()
    write_region(w, item.region)
    text = "".join(token.text for token in w.tokens)
    return text if item.exact else f"{text} in part"


def _carries(scope: Scope, node: For) -> list[str]:
    kinds: dict[str, list[str]] = {}
    for item in scope.dependences_around(node).carried(node.var.id):
        kinds.setdefault(_carried(item), []).append(item.kind)
    lines = [f"carries: {', '.join(dict.fromkeys(k))} {text}" for text, k in kinds.items()]
    more = [f"and {len(lines) - MOST_CARRIED} more"] if len(lines) > MOST_CARRIED else []
    return lines[:MOST_CARRIED] + more


def _carried(item: Carried) -> str:
    """`of C, C (init) → C, distance (k +)` with what is special about it."""
    vector = ", ".join(f"{name} {step}" for name, step in item.distance)
    special = ["reduction"] * item.reduction + ["assumed"] * (not item.proved)
    return f"of {item.buffer.name}, {item.source.name} → {item.sink.name}, distance ({vector})" + (
        f" ({', '.join(special)})" if special else ""
    )


def primitive_of(name: str, arguments: Mapping[str, Parameter]) -> Primitive:
    """The primitive of that class name with these parameters.

    Raises:
        CompileError: `view/unknown-primitive`, `view/bad-parameters`.
    """
    kind = next((kind for kind in PRIMITIVES if kind.__name__ == name), None)
    if kind is None:
        raise CompileError(Diagnostic("view/unknown-primitive", f"no primitive `{name}`"))
    try:
        return kind(**_read(kind, arguments))
    except (msgspec.ValidationError, TypeError) as error:
        message = f"parameters of `{name}` do not fit: {error}"
        raise CompileError(Diagnostic("view/bad-parameters", message)) from error


def _read(kind: type[Primitive], arguments: Mapping[str, Parameter]) -> dict[str, Any]:
    """The parameters as the fields have them; a text for a tuple is read as its items."""
    defaults = {f.name: f.default for f in dataclasses.fields(kind)}
    hints = get_type_hints(kind)
    found: dict[str, Any] = {}
    for name, value in arguments.items():
        if name not in defaults:
            raise TypeError(f"there is no `{name}`")
        if isinstance(value, str) and isinstance(defaults[name], tuple):
            value = _items(value)
        exact = name not in RECURSIVE
        found[name] = msgspec.convert(value, hints[name]) if exact else _attribute(value)
    return found


def _attribute(value: object) -> object:
    """Lists as tuples."""
    if isinstance(value, list):
        return tuple(_attribute(item) for item in cast("list[object]", value))
    return value


def _items(text: str) -> list[int | float | str | bool | list[Scalar] | None]:
    """`None, 12` as `[None, 12]`, `k, j` as `["k", "j"]`."""
    parts = (part.strip().strip("'\"") for part in text.strip().strip("[]()").split(","))
    return [_item(part) for part in parts if part]


def _item(text: str) -> int | str | None:
    if text in {"None", "*", "_"}:
        return None
    return int(text) if text.lstrip("-").isdecimal() else text


def _find(module: IRModule, place: str) -> tuple[Scope, For | Block]:
    function, _, number = place.rpartition("/")
    if function in module.tensor_functions and number.isdigit():
        scope = Scope.of(module, function)
        if NodeId(int(number)) in scope.paths:
            return scope, scope.node(NodeId(int(number)))
    raise CompileError(Diagnostic("view/unknown-place", f"there is no loop or block `{place}`"))


def _offer(
    kind: type[Primitive], scope: Scope, node: For | Block, variable: str
) -> OfferView | None:
    """The first candidate that applies with those after it, else why the first does not."""
    candidates = list(islice(dict.fromkeys(kind.offers(scope, node)), MOST_CHOICES))
    refused: Answer | None = None
    for number, candidate in enumerate(candidates):
        answer = answer_of(candidate, scope)
        if answer.applies:
            return _view(kind, answer, candidates[number:], variable)
        refused = refused or answer
    return None if refused is None else _view(kind, refused, candidates, variable)


def _view(
    kind: type[Primitive], answer: Answer, choices: list[Primitive], variable: str
) -> OfferView:
    doc = inspect.getdoc(kind) or ""
    return OfferView(
        name=kind.__name__,
        answer=answer.kind.value,
        doc=doc.partition("\n\n")[0].replace("\n", " "),
        reason=answer.message,
        notes=list(answer.notes),
        hint=answer.hint,
        choices=_choices(choices, variable),
        own=OWN.get(kind.__name__, ""),
    )


def _choices(choices: list[Primitive], variable: str) -> list[ChoiceView]:
    """The choices, labelled by what differs; a single one by what is set and is no place."""
    listed = [{f.name: getattr(c, f.name) for f in dataclasses.fields(c)} for c in choices]
    told = [
        name for name in listed[0] if any(fields[name] != listed[0][name] for fields in listed)
    ] or [
        f.name
        for f in dataclasses.fields(choices[0])
        if f.name not in PLACES and listed[0][f.name] != f.default
    ]
    return [
        ChoiceView(
            label=", ".join(filter(None, (_text(fields[name]) for name in told))),
            arguments={name: _plain(value) for name, value in fields.items()},
            code=f"{variable}.apply({pass_code(choice)})",
        )
        for choice, fields in zip(choices, listed, strict=True)
    ]


def _plain(value: object) -> Parameter:
    """Tuples as lists, numbers of subclasses as numbers."""
    return msgspec.json.decode(msgspec.json.encode(value), type=Parameter)


def _text(value: object) -> str:
    if isinstance(value, tuple):
        items = cast("tuple[object, ...]", value)
        return f"[{', '.join(_text(item) for item in items)}]"
    if isinstance(value, str) and value.startswith("lambda "):
        return value.partition(": ")[2]
    return value if isinstance(value, str) else repr(value)
