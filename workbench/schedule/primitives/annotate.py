"""Annotate and unannotate: notes for later passes at a loop or block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.dependence import Answer, applies
from workbench.ir import Attr, Attrs, Block, For
from workbench.schedule.places import place_of
from workbench.schedule.primitive import Primitive, Rewritten, bad_parameter
from workbench.schedule.scope import Scope


@dataclass(frozen=True)
class Annotate(Primitive):
    """Note a value under a key at a loop or block; a value that is there is replaced.

    Always legal: annotations do not change what is computed. Called `annotate` in TVM; Halide and
    Exo have none.

    Rewrite::

        for i in range(64): B(i)
        =>  Annotate(loop="i", ann_key="tile", ann_val=8)
        for i in T.serial(64, annotations={"tile": 8}): B(i)
    """

    name: ClassVar[str] = "annotate"
    tvm: ClassVar[str] = "annotate"

    loop: str = ""
    block: str = ""
    ann_key: str = ""
    ann_val: Attr = None

    @override
    def check(self, scope: Scope) -> Answer:
        place_of(scope, self.loop, self.block)
        if not self.ann_key:
            message = "expected a name for an annotation, got an empty one"
            raise bad_parameter(scope, "schedule/bad-annotation", message)
        if not _plain(self.ann_val):
            message = f"a value of `{type(self.ann_val).__name__}` cannot be an annotation"
            hint = "expected numbers, strings, booleans, None or lists of these"
            raise bad_parameter(scope, "schedule/bad-annotation", message, hint)
        return applies()

    @override
    def rewrite(self, scope: Scope) -> Rewritten:
        place = place_of(scope, self.loop, self.block)
        known = {**dict(place.annotations), self.ann_key: _unsampled(self.ann_val)}
        return _with_annotations(scope, place, tuple(sorted(known.items())))

    @override
    @classmethod
    def offers(cls, scope: Scope, node: For | Block) -> Iterator[Annotate]:
        label = scope.label(node)
        if isinstance(node, For):
            yield cls(scope.name, loop=label, ann_key="note", ann_val="")
        else:
            yield cls(scope.name, block=label, ann_key="note", ann_val="")


@dataclass(frozen=True)
class Unannotate(Primitive):
    """Drop an annotation of a loop or block.

    Always legal. Called `unannotate` in TVM; Halide and Exo have none.

    Rewrite::

        for i in T.serial(64, annotations={"tile": 8}): B(i)
        =>  Unannotate(loop="i", ann_key="tile")
        for i in range(64): B(i)
    """

    name: ClassVar[str] = "unannotate"
    tvm: ClassVar[str] = "unannotate"

    loop: str = ""
    block: str = ""
    ann_key: str = ""

    @override
    def check(self, scope: Scope) -> Answer:
        place = place_of(scope, self.loop, self.block)
        known = [key for key, _ in place.annotations]
        if self.ann_key not in known:
            message = f"no annotation `{self.ann_key}` at `{self.loop or self.block}`"
            hint = "there are " + (", ".join(f"`{key}`" for key in known) or "none")
            raise bad_parameter(scope, "schedule/bad-annotation", message, hint)
        return applies()

    @override
    def rewrite(self, scope: Scope) -> Rewritten:
        place = place_of(scope, self.loop, self.block)
        left = tuple((key, value) for key, value in place.annotations if key != self.ann_key)
        return _with_annotations(scope, place, left)

    @override
    @classmethod
    def offers(cls, scope: Scope, node: For | Block) -> Iterator[Unannotate]:
        label = scope.label(node)
        for key, _ in node.annotations:
            if isinstance(node, For):
                yield cls(scope.name, loop=label, ann_key=key)
            else:
                yield cls(scope.name, block=label, ann_key=key)


def _with_annotations(scope: Scope, place: For | Block, annotations: Attrs) -> Rewritten:
    done = scope.replaced(place, replace(place, annotations=annotations))
    return Rewritten(done, (place.var.id if isinstance(place, For) else place.id,))


def _plain(value: object) -> bool:
    """Whether a value, which may come from anywhere, is what annotations hold."""
    if isinstance(value, tuple):
        return all(_plain(item) for item in value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return isinstance(value, int | float | str | bool | None)


def _unsampled(value: Attr) -> Attr:
    """Sampled numbers as plain ones."""
    if isinstance(value, tuple):
        return tuple(_unsampled(item) for item in value)
    if isinstance(value, float):
        return float(value)
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else value
