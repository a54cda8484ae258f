"""PartitionForLibrary: give a library what its patterns describe.

Rewrite::

    lv0 = R.matmul(x, w)
    lv1 = R.add(lv0, b)
    lv2 = R.nn.relu(lv1)
    =>
    lv2 = R.call_dps_packed("onednn.matmul", (x, w, b), out_ty=R.Tensor((64, 64), dtype="float32"),
                            attrs={"activation": "relu"})
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.patterns import library_patterns, offering_libraries
from workbench.ir import IRModule
from workbench.passes.library_matches import (
    Declined,
    LibrarySite,
    give_to_library,
    library_form_of,
    library_matches,
)
from workbench.rewrite import ModuleEditor, Refusal, Rule, Site, all_bindings, note
from workbench.rewrite.outline import is_fused
from workbench.support import CompileError, Diagnostic, NodeId


@dataclass(frozen=True)
class PartitionForLibrary(Rule):
    """Let `library` compute what its patterns describe; everything else stays compiled.

    Patterns are those that the library registered (`register_library_pattern`), earlier ones
    first: larger ones, which become one call with attributes. Calls of tensor functions go to the
    library by their loops, the rest of them becomes a function. Never asks what is faster, nor
    whether the library is installed: building says that. Can run several times, for several
    libraries, with other passes between. Reference: Chen et al., "Bring Your Own Codegen to Deep
    Learning Compiler", 2021; `relax.transform.FuseOpsByPattern`, `RunCodegen`.

    Raises:
        CompileError: `partition/unknown-library`.
    """

    name: ClassVar[str] = "partition-for-library"
    absent: ClassVar[str] = "no pattern of the library fits"
    exclusive: ClassVar[bool] = True
    library: str = "numpy"

    @override
    def sites(self, module: IRModule) -> Iterator[Site | Refusal]:
        if not library_patterns(self.library):
            raise CompileError(self._unknown())
        taken: dict[str, set[NodeId]] = {}
        for found in library_matches(module, self.library):
            if isinstance(found, Declined):
                text = f"`{self.library}` does not take it: {found.reason}"
                yield note("partition/declined", text, found.function, found.node)
            else:
                taken.setdefault(found.function, set()).update(found.nodes)
                yield found
        for name, function in module.graph_functions.items():
            if is_fused(function):
                continue
            matched = taken.get(name, ())
            for binding in all_bindings(function):
                form = library_form_of(module, binding, self.library)
                if form is not None and binding.var.id not in matched:
                    yield LibrarySite(name, (binding.var.id,), f"`{form.symbol}`")

    def _unknown(self) -> Diagnostic:
        known = ", ".join(f"`{name}`" for name in offering_libraries())
        return Diagnostic(
            "partition/unknown-library",
            f"no library `{self.library}` has patterns",
            notes=(f"there are {known}",),
            hint="add one with `register_library_pattern`",
        )

    @override
    def rewrite(self, site: Site, editor: ModuleEditor) -> None:
        assert isinstance(site, LibrarySite)
        give_to_library(editor, site, self.library, self.name)
