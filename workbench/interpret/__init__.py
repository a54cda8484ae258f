"""The reference interpreter of all three kinds of function: slow, obviously right, the oracle."""

from workbench.interpret.allocation import new_array, out_of_memory
from workbench.interpret.graph import copied, has_library_calls, run, values
from workbench.interpret.kept import check_kept, writes_argument
from workbench.interpret.matching import (
    Symbols,
    call_note,
    called_note,
    dim_text,
    evaluate,
    extents,
    mismatch_code,
    number,
    read_leaf,
)
from workbench.interpret.tensor import fresh_array, run_tensor_function

__all__ = [
    "Symbols",
    "call_note",
    "called_note",
    "check_kept",
    "copied",
    "dim_text",
    "evaluate",
    "extents",
    "fresh_array",
    "has_library_calls",
    "mismatch_code",
    "new_array",
    "number",
    "out_of_memory",
    "read_leaf",
    "run",
    "run_tensor_function",
    "values",
    "writes_argument",
]
