"""Each test has the intrinsics that are shipped, and registers its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from workbench.ir.registry import _INTRINSICS  # pyright: ignore[reportPrivateUsage]


@pytest.fixture(autouse=True)
def own_registry() -> Iterator[None]:
    """What a test registers is gone after it."""
    before = dict(_INTRINSICS)
    yield
    _INTRINSICS.clear()
    _INTRINSICS.update(before)
