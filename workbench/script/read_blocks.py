"""Loops, blocks, axes, regions and allocations from Python syntax."""

from __future__ import annotations

import ast
import functools
from abc import abstractmethod

from workbench.ir import (
    Allocate,
    Axis,
    AxisKind,
    Block,
    For,
    IntImm,
    Let,
    LoopKind,
    PrimExpr,
    ScalarType,
    Seq,
    Stmt,
    Var,
    dtype_of,
)
from workbench.script.context import frozen
from workbench.script.read_regions import Frame, Opener, RegionReader, extent_of
from workbench.script.scope import LOST
from workbench.support.spelling import near

BLOCK_WORDS = frozenset({"T.sblock", "T.block"})
ALLOCATE_WORDS = frozenset(
    {"T.alloc_buffer", "T.sblock_alloc_buffer", "T.decl_buffer", "T.allocate"}
)
_LOOPS = {
    "T.serial": LoopKind.SERIAL,
    "range": LoopKind.SERIAL,
    "T.parallel": LoopKind.PARALLEL,
    "T.vectorized": LoopKind.VECTORIZED,
    "T.unroll": LoopKind.UNROLLED,
    "T.thread_binding": LoopKind.THREAD,
}
_LOOP_WORDS = ("range", "T.grid", *(word for word in _LOOPS if word != "range"))
_AXES = {
    "spatial": AxisKind.SPATIAL,
    "S": AxisKind.SPATIAL,
    "reduce": AxisKind.REDUCE,
    "R": AxisKind.REDUCE,
    "scan": AxisKind.SCAN,
    "opaque": AxisKind.OPAQUE,
}
_ZERO, _ONE = IntImm(0), IntImm(1)


class BlockReader(RegionReader):
    """Reads what has a suite; `_statement` is the rest."""

    @abstractmethod
    def _statement(self, node: ast.stmt) -> Stmt | Opener | None:
        """One statement; None where it only adds to the frame."""

    # --- suites -----------------------------------------------------------------------------

    def suite(self, nodes: list[ast.stmt]) -> Stmt:
        """Statements in order; faulty ones are reported and left out."""
        items: list[Stmt] = []
        for position, node in enumerate(nodes):
            try:
                result = self._statement(node)
            except self.Faulty:
                self._lose(node)
                continue
            if callable(result):
                items.append(result(self.suite(nodes[position + 1 :])))
                break
            if result is not None:
                items.append(result)
        return items[0] if len(items) == 1 else Seq(tuple(items))

    def inner(self, nodes: list[ast.stmt], frame: Frame | None = None) -> Stmt:
        """An indented suite; `frame` is the block that it belongs to directly."""
        outer, self.frame = self.frame, frame
        self.scope.open()
        try:
            return self.suite(nodes)
        finally:
            self.scope.close()
            self.frame = outer

    def _lose(self, node: ast.stmt) -> None:
        """What a faulty statement would have defined has no value."""
        match node:
            case ast.Assign(targets=targets):
                self._lose_targets(targets)
            case ast.AnnAssign(target=target):
                self._lose_targets([target])
            case _:
                pass

    def _lose_targets(self, targets: list[ast.expr]) -> None:
        for target in targets:
            for part in target.elts if isinstance(target, ast.Tuple | ast.List) else [target]:
                if isinstance(part, ast.Name):
                    self.scope.set(part.id, LOST)

    # --- loops ------------------------------------------------------------------------------

    def _for(self, node: ast.For) -> Stmt:
        self.scope.open()
        try:
            return self._loop_nest(node)
        except self.Faulty:
            self._lose_targets([node.target])
            self.inner(node.body)
            raise
        finally:
            self.scope.close()

    def _loop_nest(self, node: ast.For) -> Stmt:
        call = node.iter
        word = None
        if isinstance(call, ast.Call):
            is_range = isinstance(call.func, ast.Name) and call.func.id == "range"
            word = "range" if is_range else self.dialect(call.func)
        if not isinstance(call, ast.Call) or word is None or word not in _LOOP_WORDS:
            text = ast.unparse(node.iter)[:40]
            raise self.fault(
                node.iter,
                "script/loop",
                f"expected a loop such as `range(n)` or `T.grid(n, m)`, found `{text}`",
                hint=near(word or text, _LOOP_WORDS),
            )
        names = self._targets(node)
        if word == "T.grid":
            return self._grid(node, call, names)
        if len(names) != 1:
            raise self.fault(
                node.target,
                "script/argument-count",
                f"`{word}` gives one variable, found {len(names)}",
            )
        return self._single(node, call, _LOOPS[word], names[0])

    def _targets(self, node: ast.For) -> list[str]:
        elements = node.target.elts if isinstance(node.target, ast.Tuple) else [node.target]
        names = [element.id for element in elements if isinstance(element, ast.Name)]
        if len(names) != len(elements):
            raise self.fault(node.target, "script/target", "loop variables are plain names")
        return names

    def _grid(self, node: ast.For, call: ast.Call, names: list[str]) -> Stmt:
        extents = self.report.collect(functools.partial(self.whole, arg) for arg in call.args)
        if len(extents) != len(names):
            raise self.fault(
                node.target,
                "script/argument-count",
                f"`T.grid` of {len(extents)} extents gives {len(extents)} variables, "
                f"found {len(names)}",
            )
        loops = [
            (self._loop_variable(name, extent), extent)
            for name, extent in zip(names, extents, strict=True)
        ]
        span = self.report.span(node)
        result = self.inner(node.body)
        for var, extent in reversed(loops):
            result = For(var, _ZERO, extent, result, span=span)
        return result

    def _loop_variable(self, name: str, extent: PrimExpr, start: PrimExpr = _ZERO) -> Var:
        var = self.new(name, ScalarType())
        self.loops[var.id] = extent if start == _ZERO else None
        return var

    def _single(self, node: ast.For, call: ast.Call, kind: LoopKind, name: str) -> Stmt:
        names = ("start", "stop", "annotations")
        if kind is LoopKind.THREAD:
            names = ("start", "stop", "thread", "annotations")
            if len(call.args) == 2 and _is_string(call.args[1]):
                call = ast.copy_location(
                    ast.Call(
                        call.func,
                        call.args[:1],
                        [*call.keywords, ast.keyword("thread", call.args[1])],
                    ),
                    call,
                )
        given = dict(zip(names, self.arguments(call, names, required=1), strict=True))
        first, stop = given["start"], given["stop"]
        assert first is not None
        start, extent = _ZERO, self.whole(first)
        if stop is not None:
            start, extent = extent, extent_of(extent, self.whole(stop))
        annotations = given["annotations"]
        attrs = frozen(self.dictionary(annotations)) if annotations is not None else ()
        thread = given.get("thread")
        tag = self.string(thread) if thread is not None else ""
        var = self._loop_variable(name, extent, start)
        body = self.inner(node.body)
        return For(var, start, extent, body, kind, tag, attrs, self.report.span(node))

    # --- with -------------------------------------------------------------------------------

    def _with(self, node: ast.With) -> Stmt | None:
        item = node.items[0]
        call = item.context_expr
        word = self.dialect(call.func) if isinstance(call, ast.Call) else None
        if not isinstance(call, ast.Call) or word is None or len(node.items) != 1:
            word = "?"
        assert isinstance(call, ast.Call) or word == "?"
        if word in BLOCK_WORDS and isinstance(call, ast.Call):
            return self._block(node, call)
        if word == "T.init":
            self._init(node)
            return None
        if isinstance(item.optional_vars, ast.Name) and isinstance(call, ast.Call):
            return self._bounded(node, call, word, item.optional_vars.id)
        self.inner(node.body, Frame())
        raise self.fault(
            call,
            "script/not-supported",
            f"expected `T.sblock(...)` or `T.init()`, found `{ast.unparse(call)[:40]}`",
            hint=near(word, (*BLOCK_WORDS, "T.init")),
        )

    def _bounded(self, node: ast.With, call: ast.Call, word: str, name: str) -> Stmt:
        """`with T.LetStmt(value) as x:` and `with T.alloc_buffer(...) as B:`."""
        span = self.report.span(node)
        self.scope.open()
        try:
            if word in {"T.LetStmt", "T.let", "T.Let"}:
                (value_node,) = self.arguments(call, ("value",), required=1)
                assert value_node is not None
                value = self.expr(value_node)
                var = self.new(name, ScalarType(dtype_of(value)))
                return Let(var, value, self.inner(node.body), span)
            if word in ALLOCATE_WORDS:
                buffer = self.new(name, self.buffer_arguments(call, call.args))
                return Allocate(buffer, self.inner(node.body), span)
        finally:
            self.scope.close()
        raise self.fault(call, "script/not-supported", f"`{word}` cannot stand after `with`")

    def _init(self, node: ast.With) -> None:
        frame = self.block_frame(node, "T.init()")
        if frame.init is not None:
            raise self.fault(node, "script/block", "a block has one `T.init()`")
        frame.init = self.inner(node.body)

    def _block(self, node: ast.With, call: ast.Call) -> Stmt:
        name_node, _no_realize = self.arguments(call, ("name", "no_realize"))
        name = self.string(name_node) if name_node is not None else ""
        frame = Frame()
        block_id = self.ids.new()
        body = self.inner(node.body, frame)
        return Block(
            block_id,
            name,
            tuple(frame.axes),
            body,
            frame.init,
            frame.predicate,
            frame.reads,
            frame.writes,
            tuple(frame.allocations),
            tuple(frame.matches),
            frozen(frame.attrs),
            self.report.span(node),
        )

    # --- axes -------------------------------------------------------------------------------

    def _axis(self, node: ast.stmt, target: ast.Name, call: ast.Call, word: str) -> None:
        if word == "remap":
            self._remap(node, [target], call)
            return
        frame = self.block_frame(node, f"T.axis.{word}")
        kind = _AXES.get(word)
        if kind is None:
            raise self.fault(
                call.func,
                "script/unknown-function",
                f"`T.axis.{word}` is not known",
                hint=near(word, (*_AXES, "remap")),
            )
        extent_node, value_node, _dtype = self.arguments(
            call, ("dom", "value", "dtype"), required=2
        )
        assert extent_node is not None
        assert value_node is not None
        extent, value = self.report.collect(
            (lambda: self._axis_extent(extent_node), lambda: self.whole(value_node))
        )
        frame.axes.append(Axis(self.new(target.id, ScalarType()), kind, extent, value))

    def _axis_extent(self, node: ast.expr) -> PrimExpr:
        if not isinstance(node, ast.Tuple):
            return self.whole(node)
        begin, end = node.elts if len(node.elts) == 2 else (node, node)
        if begin is end or self.expr(begin) != _ZERO:
            raise self.fault(node, "script/axis", "the range of an axis starts at 0")
        return self.whole(end)

    def _remap(self, node: ast.stmt, targets: list[ast.expr], value: ast.expr) -> None:
        name = self.dialect(value.func) if isinstance(value, ast.Call) else None
        if name != "T.axis.remap" or not isinstance(value, ast.Call):
            raise self.fault(
                value, "script/target", "only `T.axis.remap` gives several variables here"
            )
        frame = self.block_frame(node, "T.axis.remap")
        kinds_node, loops_node = self.arguments(value, ("kinds", "bindings"), required=2)[:2]
        assert kinds_node is not None
        kinds = self.string(kinds_node)
        loops = loops_node.elts if isinstance(loops_node, ast.List | ast.Tuple) else []
        if not len(kinds) == len(loops) == len(targets):
            raise self.fault(
                value,
                "script/argument-count",
                f"`T.axis.remap` needs as many kinds as loops and variables, found {len(kinds)}, "
                f"{len(loops)} and {len(targets)}",
            )
        parts = zip(targets, kinds, loops, strict=True)
        axes = self.report.collect(
            functools.partial(self._remapped, target, kind, kinds_node, loop)
            for target, kind, loop in parts
        )
        frame.axes += axes

    def _remapped(self, target: ast.expr, kind: str, kinds_node: ast.expr, loop: ast.expr) -> Axis:
        if kind not in "SR":
            raise self.fault(
                kinds_node, "script/axis", f'axis kinds are "S" and "R", found `{kind}`'
            )
        if not isinstance(target, ast.Name):
            raise self.fault(target, "script/target", "axes are plain names")
        value = self.expr(loop)
        extent = self.loops.get(value.id) if isinstance(value, Var) else None
        if extent is None:
            raise self.fault(
                loop,
                "script/axis",
                f"expected a loop variable that starts at 0, found `{ast.unparse(loop)[:40]}`",
                hint="`T.axis.spatial(extent, value)` takes any value",
            )
        return Axis(self.new(target.id, ScalarType()), _AXES[kind], extent, value)


def _is_string(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
