"""The code that makes a pass again, for passes of the user's own too."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import pytest
from typing_extensions import override

from workbench.ir import IRModule
from workbench.rewrite import Pass, PassResult
from workbench.session.catalogue import pass_code


@dataclass(frozen=True)
class Sized(Pass):
    name: ClassVar[str] = "sized"
    sizes: "Mapping[str, int] | tuple[object, ...]" = ()

    @override
    def run(self, module: IRModule) -> PassResult:
        return PassResult(module)


@pytest.mark.parametrize(
    ("sizes", "code"),
    [
        ((), "Sized()"),
        ((1, 2), "Sized(sizes=(1, 2))"),
        ((("n", 3),), "Sized(sizes={'n': 3})"),
        ((("n", 3), 4), "Sized(sizes=(('n', 3), 4))"),
    ],
)
def test_only_values_by_name_are_written_as_a_mapping(sizes: tuple[object, ...], code: str) -> None:
    assert pass_code(Sized(sizes)) == code
