import inspect
from dataclasses import FrozenInstanceError, dataclass, field, replace

import pytest

from workbench.ir import Binding, CallOp, GraphFunction, TensorType, Var
from workbench.support import CompileError, NodeId
from workbench.support.slot_init import sets_slots


@dataclass(frozen=True, slots=True)
class _Usual:
    a: int
    b: str = "b"
    kept: int | None = field(default=None, init=False)
    c: tuple[int, ...] = ()


@sets_slots
@dataclass(frozen=True, slots=True)
class _Quick:
    a: int
    b: str = "b"
    kept: int | None = field(default=None, init=False)
    c: tuple[int, ...] = ()


@sets_slots
@dataclass(frozen=True, slots=True)
class _Checked:
    a: int

    def __post_init__(self) -> None:
        if self.a < 0:
            raise ValueError(self.a)


def test_the_signature_is_the_usual_one() -> None:
    assert inspect.signature(_Quick) == inspect.signature(_Usual)
    assert _Quick.__init__.__qualname__ == "_Quick.__init__"


def test_fields_hold_what_is_given_and_the_defaults() -> None:
    assert (_Quick(1).a, _Quick(1).b, _Quick(1).kept, _Quick(1).c) == (1, "b", None, ())
    made = replace(_Quick(1, c=(2,)), b="x")
    assert (made.a, made.b, made.c) == (1, "x", (2,))
    assert repr(made) == repr(_Usual(1, "x", (2,))).replace("_Usual", "_Quick")


def test_wrong_arguments_are_refused_as_usual() -> None:
    with pytest.raises(TypeError):
        _Quick()  # pyright: ignore[reportCallIssue]
    with pytest.raises(TypeError):
        _Quick(1, "b", (), 4)  # pyright: ignore[reportCallIssue]
    with pytest.raises(TypeError):
        _Quick(1, d=2)  # pyright: ignore[reportCallIssue]


def test_it_stays_frozen_and_is_checked_after_it_was_made() -> None:
    with pytest.raises(FrozenInstanceError):
        _Quick(1).a = 2  # pyright: ignore[reportAttributeAccessIssue]
    assert _Checked(1).a == 1
    with pytest.raises(ValueError, match="-1"):
        _Checked(-1)


def test_nodes_are_made_so() -> None:
    for kind in (Var, Binding, CallOp, TensorType, GraphFunction):
        assert kind.__init__.__qualname__ == f"{kind.__name__}.__init__"
    with pytest.raises(CompileError) as error:
        TensorType((-1,))
    assert error.value.diagnostics[0].code == "type/negative-extent"
    assert Var(NodeId(1), "x", TensorType((2,))) == Var(NodeId(1), "x", TensorType((2,)))
