"""Pattern rules: rules whose sites are the matches of a pattern."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from workbench.analysis.patterns import Match, Objection, Pattern, find
from workbench.ir import IRModule
from workbench.rewrite.editor import ModuleEditor
from workbench.rewrite.passes import Refusal, Rule, Site, note
from workbench.support import Diagnostic
from workbench.support.slot_init import sets_slots


@sets_slots
@dataclass(frozen=True, slots=True)
class _Matched(Site):
    """A site with its match."""

    match: Match | None = None


@dataclass(frozen=True)
class PatternRule(Rule):
    """A rule that rewrites what a pattern describes; a user's is a dozen lines.

    ::

        conv = op("nn.conv2d", anything(), constant()).used(1)

        @wb.register_pass
        @dataclass(frozen=True)
        class FuseTwoConvs(PatternRule):
            name: ClassVar[str] = "fuse-two-convs"
            pattern: ClassVar[Pattern] = op("nn.conv2d", conv, constant())

            def rewrite_match(self, match, editor):
                outline(editor, match.function, match.members, "two_convs", rule=self.name)

    A match that is not closed, or that does not fit, is no match: other alternatives and orders of
    the pattern are tried. Of matches that overlap the first in program order is rewritten, the
    others are left out with a remark. Reference: MLIR's
    `RewritePattern`, `relax.transform.FuseOpsByPattern`.
    """

    pattern: ClassVar[Pattern]
    exclusive: ClassVar[bool] = True
    closed: ClassVar[bool] = True
    """Whether only the outermost value of a match may be read outside of it."""

    @abstractmethod
    def rewrite_match(self, match: Match, editor: ModuleEditor) -> None:
        """Rewrite one match."""

    @override
    def sites(self, module: IRModule) -> Iterator[Site | Refusal]:
        for found in find(self.pattern, module, judge=lambda match: self._objection(match, module)):
            root = found.root.var.id
            if isinstance(found, Match):
                inner = [b.var.id for b in found.members if b.var.id != root]
                yield _Matched(found.function, (root, *inner), match=found)
            else:
                yield note(found.code, found.reason, found.function, root)

    def unfit(self, match: Match, module: IRModule) -> str:
        """Why a match is left alone after all, for what a pattern cannot say; empty if it fits."""
        del match, module
        return ""

    def _objection(self, match: Match, module: IRModule) -> Objection | None:
        outside = [var.name for var in match.outputs if var.id != match.root.var.id]
        if self.closed and outside:
            names = ", ".join(f"`{name}`" for name in outside)
            return Objection("pattern/read-outside", f"{names} is read outside the match too")
        reason = self.unfit(match, module)
        return Objection("pattern/unfit", reason) if reason else None

    @override
    def left_out(self, site: Site, editor: ModuleEditor) -> tuple[Diagnostic, ...]:
        assert isinstance(site, _Matched)
        assert site.match is not None
        shared = [
            f"`{member.var.name}`"
            for member in site.match.members
            if editor.any_edited(site.function, (member.var.id,))
        ]
        reason = f"the match overlaps one that `{self.name}` rewrote before: {', '.join(shared)}"
        return (note("pattern/overlap", reason, site.function, site.nodes[0]).diagnostic,)

    @override
    def rewrite(self, site: Site, editor: ModuleEditor) -> None:
        assert isinstance(site, _Matched)
        assert site.match is not None
        self.rewrite_match(site.match, editor)
