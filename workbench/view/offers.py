"""Schedule primitives at a loop or block: what applies there, and why the rest does not."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping
from itertools import islice
from typing import cast

import msgspec

from workbench.analysis.dependence import Answer
from workbench.ir import Block, For, IRModule
from workbench.schedule import PRIMITIVES, Primitive
from workbench.schedule.primitive import answer_of
from workbench.schedule.scope import Scope
from workbench.session.catalogue import pass_code
from workbench.support import CompileError, Diagnostic, NodeId
from workbench.view.protocol import ChoiceView, OfferView, Parameter

MOST_CHOICES = 8


def place_offers(module: IRModule, place: str, variable: str) -> list[OfferView]:
    """Every primitive that is about such a place, those that apply first.

    `place` is the key of a loop or block, `matmul/12`.

    Raises:
        CompileError: `view/unknown-place`.
    """
    scope, node = _find(module, place)
    found = [_offer(kind, scope, node, variable) for kind in PRIMITIVES]
    offers = [offer for offer in found if offer is not None]
    return sorted(offers, key=lambda offer: offer.answer != "applies")


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


def primitive_of(name: str, arguments: Mapping[str, Parameter]) -> Primitive:
    """The primitive of that class name with these parameters.

    Raises:
        CompileError: `view/unknown-primitive`, `view/bad-parameters`.
    """
    kind = next((kind for kind in PRIMITIVES if kind.__name__ == name), None)
    if kind is None:
        raise CompileError(Diagnostic("view/unknown-primitive", f"no primitive `{name}`"))
    try:
        return msgspec.convert(dict(arguments), kind)
    except (msgspec.ValidationError, TypeError) as error:
        message = f"parameters of `{name}` do not fit: {error}"
        raise CompileError(Diagnostic("view/bad-parameters", message)) from error


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
    candidates = list(islice(kind.offers(scope, node), MOST_CHOICES))
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
        choices=[_choice(choice, variable) for choice in choices],
    )


def _choice(choice: Primitive, variable: str) -> ChoiceView:
    fields = {f.name: getattr(choice, f.name) for f in dataclasses.fields(choice)}
    place_first = [value for name, value in fields.items() if name != "function"]
    return ChoiceView(
        label=", ".join(_text(value) for value in place_first[1:]) or _text(place_first[0]),
        arguments={name: _plain(value) for name, value in fields.items()},
        code=f"{variable}.apply({pass_code(choice)})",
    )


def _plain(value: object) -> Parameter:
    """Tuples as lists, numbers of subclasses as numbers."""
    return msgspec.json.decode(msgspec.json.encode(value), type=Parameter)


def _text(value: object) -> str:
    if isinstance(value, tuple):
        items = cast("tuple[object, ...]", value)
        return f"[{', '.join(_text(item) for item in items)}]"
    return value if isinstance(value, str) else repr(value)
