from __future__ import annotations

import pytest

from workbench.codegen import compile_object, host_target
from workbench.support import CompileError

UNDEFINED = """
define i32 @f(i1 %c) {
  br i1 %c, label %a, label %b
a:
  %x = add i32 1, 2
  br label %b
b:
  ret i32 %x
}
"""


@pytest.mark.parametrize(
    ("text", "words"), [(UNDEFINED, "dominate"), ("define i32 @f( {", "expected")]
)
def test_code_that_is_not_valid_is_a_diagnostic(text: str, words: str) -> None:
    with pytest.raises(CompileError) as caught:
        compile_object(text, host_target())
    (fault,) = caught.value.diagnostics
    assert fault.code == "build/invalid-code"
    assert words in str(fault.notes)
