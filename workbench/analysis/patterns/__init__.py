"""Patterns over graph functions: what to look for, matches as data, near misses with the reason.

::

    conv = op("nn.conv2d", anything("x"), constant("w")).named("conv").used(1)
    pattern = op("nn.relu", op("add", conv, constant("b"), any_order=True))
    for found in find(pattern, module):
        ...                        # a `Match`, or a `NearMiss` that says what does not fit

The same pattern object at two places stands for the same value. The search is complete: where a
later part does not fit, the next alternative and the next order of arguments are tried. Reference:
Relax's dataflow patterns (`tvm.relax.dpl`), MLIR's PDL.
"""

from workbench.analysis.patterns.language import (
    AnyOf,
    Anything,
    CallTo,
    ConstantValue,
    Item,
    Pattern,
    Several,
    anything,
    constant,
    item,
    library,
    op,
    several,
    tensor,
)
from workbench.analysis.patterns.matches import Judge, Match, NearMiss, Objection
from workbench.analysis.patterns.matching import find, find_apart, match_at
from workbench.analysis.patterns.offered import (
    LibraryPattern,
    library_patterns,
    offering_libraries,
    register_library_pattern,
)

__all__ = [
    "AnyOf",
    "Anything",
    "CallTo",
    "ConstantValue",
    "Item",
    "Judge",
    "LibraryPattern",
    "Match",
    "NearMiss",
    "Objection",
    "Pattern",
    "Several",
    "anything",
    "constant",
    "find",
    "find_apart",
    "item",
    "library",
    "library_patterns",
    "match_at",
    "offering_libraries",
    "op",
    "register_library_pattern",
    "several",
    "tensor",
]
