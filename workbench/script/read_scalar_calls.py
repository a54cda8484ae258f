"""Calls in scalar expressions: `T.max`, `T.Cast`, `T.float32`, intrinsics."""

from __future__ import annotations

import ast
import functools
import struct
from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

from workbench.ir import (
    BinaryOp,
    Cast,
    DType,
    FloatImm,
    Intrinsic,
    Not,
    PrimExpr,
    Select,
    dtype_of,
    is_float,
)
from workbench.ir.dtypes import DTYPES
from workbench.script.adapt import Weak, as_bool, constant, dtype_limit, strong, unify
from workbench.script.read_names import NameReader
from workbench.script.vocabulary import FUNCTION_FORMS, INTRINSICS, intrinsic_dtype
from workbench.support.spelling import near


class ScalarCallReader(NameReader):
    """Reads calls; what stands between the parentheses is read by `weak`."""

    @abstractmethod
    def weak(self, node: ast.expr) -> Weak:
        """An expression, or a Python number."""

    @abstractmethod
    def expr(self, node: ast.expr, dtype: DType | None = None) -> PrimExpr:
        """An expression; a bare number gets `dtype`."""

    @abstractmethod
    def combine(self, node: ast.expr, op: BinaryOp, a: Weak, b: Weak) -> Weak:
        """`a op b`."""

    def call(self, node: ast.Call) -> Weak:
        """A call.

        Raises:
            CompileError: `script/argument-count`, `script/not-supported`, `script/symbol`,
                `script/type`, `script/unknown-argument`, `script/unknown-function`.
        """
        name = self.dialect(node.func)
        if name is None:
            return self._method(node)
        if not name.startswith("T."):
            raise self.fault(node.func, "script/type", f"`{name}` gives no scalar")
        word = name[2:]
        if word in DTYPES:
            return self._typed(node, word)
        if word in FUNCTION_FORMS:
            a, b = self._exactly(node, 2)
            return self.combine(node, FUNCTION_FORMS[word], a, b)
        reader = self._calls.get(word)
        return reader(self, node, word) if reader is not None else self._intrinsic(node, word)

    def _method(self, node: ast.Call) -> Weak:
        if isinstance(node.func, ast.Attribute) and node.func.attr == "astype" and node.args:
            return Cast(self.expr(node.func.value), self.dtype(node.args[0]))
        raise self.fault(
            node.func,
            "script/not-supported",
            f"`{ast.unparse(node.func)[:40]}` is not part of the language",
            hint="scripts are read, not executed: use `T.` functions",
        )

    def _exactly(self, node: ast.Call, count: int) -> list[Weak]:
        args = self.report.collect(functools.partial(self.weak, arg) for arg in node.args)
        if len(args) != count or node.keywords:
            raise self.fault(
                node,
                "script/argument-count",
                f"`{ast.unparse(node.func)}` takes {count} arguments, "
                f"found {len(args) + len(node.keywords)}",
            )
        return args

    def _typed(self, node: ast.Call, dtype: DType) -> Weak:
        """`T.float32(1)`: a constant, or a conversion."""
        if not node.args:
            raise self.fault(
                node,
                "script/symbol",
                f"`T.{dtype}()` declares a symbolic dimension and stands alone",
                hint=f"`n = T.{dtype}()`",
            )
        first = node.args[0]
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            return self._float_text(node, first.value, dtype)
        value = self.weak(first)
        if isinstance(value, int | float):
            return constant(value, dtype)
        return value if dtype_of(value) == dtype else Cast(value, dtype)

    def _float_text(self, node: ast.Call, text: str, dtype: DType) -> Weak:
        for keyword in node.keywords:
            if keyword.arg == "bits" and isinstance(bits := self.weak(keyword.value), int):
                return FloatImm(struct.unpack("<d", struct.pack("<Q", bits))[0], dtype)
        if text.lower() in {"inf", "-inf", "nan"} and is_float(dtype):
            return FloatImm(float(text), dtype)
        raise self.fault(
            node, "script/type", f'expected a number, "inf", "-inf" or "nan", found `"{text}"`'
        )

    def _select(self, node: ast.Call, word: str) -> Weak:
        condition, a, b = self._exactly(node, 3)
        return Select(as_bool(strong(condition)), *unify(a, b), lazy=word == "if_then_else")

    def _cast(self, node: ast.Call, word: str) -> Weak:
        dtype_node, value_node = self.arguments(
            node, ("dtype", "value") if word == "Cast" else ("value", "dtype"), required=2
        )
        if word == "cast":
            dtype_node, value_node = value_node, dtype_node
        assert dtype_node is not None
        assert value_node is not None
        return Cast(self.expr(value_node), self.dtype(dtype_node))

    def _not(self, node: ast.Call, _word: str) -> Weak:
        (value,) = self._exactly(node, 1)
        return Not(as_bool(strong(value)))

    def _all_any(self, node: ast.Call, word: str) -> Weak:
        op = BinaryOp.AND if word == "all" else BinaryOp.OR
        values = self.report.collect(functools.partial(self.weak, arg) for arg in node.args)
        return functools.reduce(lambda a, b: self.combine(node, op, a, b), values)

    def _limit(self, node: ast.Call, word: str) -> Weak:
        if len(node.args) != 1:
            return self._intrinsic(node, word)
        dtype = self.dtype(node.args[0])
        limit = dtype_limit(word, dtype)
        if limit is None:
            raise self.fault(node, "script/type", f"`{dtype}` has no `{word}`")
        return limit

    def _intrinsic(self, node: ast.Call, word: str) -> Weak:
        values = self.report.collect(functools.partial(self.weak, arg) for arg in node.args)
        first = next((dtype_of(v) for v in values if not isinstance(v, int | float)), None)
        args = tuple(strong(value, first) for value in values)
        keywords = {keyword.arg: keyword.value for keyword in node.keywords}
        for unknown in set(keywords) - {"dtype"}:
            raise self.fault(
                node, "script/unknown-argument", f"`T.{word}` has no argument `{unknown}`"
            )
        if "dtype" in keywords:
            return Intrinsic(word, args, self.dtype(keywords["dtype"]))
        dtype = intrinsic_dtype(word, dtype_of(args[0])) if args else None
        if dtype is None:
            raise self.fault(
                node.func,
                "script/unknown-function",
                f"`T.{word}` is not known",
                hint=near(word, (*INTRINSICS, *FUNCTION_FORMS, *self._calls, *DTYPES)),
            )
        return Intrinsic(word, args, dtype)

    _calls: ClassVar[dict[str, Callable[..., Weak]]] = {
        "if_then_else": _select,
        "Select": _select,
        "Cast": _cast,
        "cast": _cast,
        "Not": _not,
        "all": _all_any,
        "any": _all_any,
        "infinity": _limit,
        "min_value": _limit,
        "max_value": _limit,
    }
