"""Schedule primitives, one a file; `PRIMITIVES` lists them all."""

from workbench.schedule.primitive import Primitive
from workbench.schedule.primitives.split import Split

PRIMITIVES: tuple[type[Primitive], ...] = (Split,)
"""All primitives, in the order in which the interface lists them."""

__all__ = ["PRIMITIVES", "Split"]
