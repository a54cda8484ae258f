"""Masked arrays of numpy: nothing here keeps a mask, so that none may get lost unseen."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.support.diagnostics import CompileError, Diagnostic


def unmasked(value: Any) -> Any:  # noqa: ANN401
    """The value, which hides no element behind a mask.

    Raises:
        CompileError: `call/masked-array`.
    """
    if type(value) is np.ndarray or not np.ma.isMaskedArray(value) or not np.ma.is_masked(value):
        return value
    mask: Any = value.mask
    hidden = int(mask.sum())
    message = f"an array here has values only, got a masked array that hides `{hidden}` of its"
    raise CompileError(
        Diagnostic(
            "call/masked-array",
            f"{message} `{value.size}` elements",
            hint="say what stands there: `filled(0)`, or give the mask as an array of its own",
        )
    )
