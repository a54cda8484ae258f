"""Inlining a chain looks at each nest once, and again only where it has changed."""

from __future__ import annotations

import pytest

from benchmarks.pass_modules import crossed_groups
from workbench.analysis import stages
from workbench.ir import Stmt
from workbench.passes import FuseTensorFunctions
from workbench.schedule.blocks.inlining import Inliner


def test_a_nest_is_read_again_only_after_it_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Stmt] = []
    inlined: list[Inliner] = []
    stage_of = stages._stage  # pyright: ignore[reportPrivateUsage]

    def counted(nest: Stmt) -> stages.Stage | None:
        read.append(nest)
        return stage_of(nest)

    real = Inliner.__init__

    def made(self: Inliner, *args: object) -> None:
        inlined.append(self)
        real(self, *args)  # pyright: ignore[reportArgumentType]

    module = crossed_groups(60)
    merged = [f for f in module.graph_functions.values() if dict(f.attrs).get("Primitive")]
    members = sum(len(function.bindings) for function in merged)
    monkeypatch.setattr(stages, "_stage", counted)
    monkeypatch.setattr(Inliner, "__init__", made)
    FuseTensorFunctions()(module)
    assert len(inlined) > 15
    assert len({id(nest) for nest in read}) == len(read)
    assert len(read) <= members + 2 * len(inlined)
