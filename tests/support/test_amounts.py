"""Numbers of things in words."""

import pytest

from workbench.support.amounts import counted, ordinal


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 arguments"), (1, "1 argument"), (2, "2 arguments")]
)
def test_one_thing_is_no_plural(count: int, text: str) -> None:
    assert counted(count, "argument") == text


def test_places_in_an_order() -> None:
    shown = {1: "1st", 2: "2nd", 3: "3rd", 4: "4th", 11: "11th", 12: "12th", 13: "13th"}
    shown |= {21: "21st", 22: "22nd", 101: "101st", 111: "111th", 113: "113th"}
    assert {n: ordinal(n) for n in shown} == shown
