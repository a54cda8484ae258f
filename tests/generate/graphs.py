"""Random graph functions: operators, tensor functions, libraries, branches, other functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.generate.choices import Choices, chance, pick
from tests.generate.tensors import over_first, random_tensor_function
from workbench.ir import (
    Alias,
    Arg,
    Binding,
    BindingBlock,
    Body,
    CallFunction,
    CallOp,
    CallPacked,
    CallTIR,
    CallTIRInplace,
    Dim,
    GraphBuilder,
    GraphExpr,
    GraphFunction,
    IfThenElse,
    IRModule,
    LibraryFunction,
    MatchCast,
    PackedStyle,
    ScalarType,
    ShapeValue,
    TensorType,
    TupleItem,
    TupleValue,
    Type,
    Var,
    add_constant,
    expression_type,
    leaf_vars,
    register_library,
    type_of,
)
from workbench.support import IdSource, NodeId

register_library(
    LibraryFunction(
        "test.generate.scale", lambda x, out: np.multiply(x, x.dtype.type(2), out=out), "test"
    )
)
register_library(LibraryFunction("test.generate.flip", lambda x: np.flip(x).copy(), "test"))

UNARY = ("negative", "abs", "tanh", "sigmoid", "nn.relu")
BINARY = ("add", "subtract", "multiply", "maximum", "minimum")


@dataclass(frozen=True, slots=True)
class Generated:
    """A module and what its `main` takes."""

    module: IRModule
    extents: tuple[tuple[NodeId, int], ...]
    """Values for the symbolic dimensions of `main`."""

    def inputs(self, seed: int = 0) -> list[NDArray[Any]]:
        """Arguments for `main`; floats between -2 and 2, integers between -9 and 9."""
        rng = np.random.default_rng(seed)
        main = self.module["main"]
        assert isinstance(main, GraphFunction)
        return [self._array(rng, param.type) for param in main.params]

    def _array(self, rng: np.random.Generator, type_: Type) -> NDArray[Any]:
        assert isinstance(type_, TensorType)
        values = dict(self.extents)
        shape = [d if isinstance(d, int) else values[d.id] for d in type_.shape or ()]  # pyright: ignore[reportAttributeAccessIssue]
        if type_.dtype == "bool":
            return rng.integers(0, 2, shape).astype(bool)
        if type_.dtype == "int32":
            return rng.integers(-9, 10, shape).astype("int32")
        return rng.uniform(-2, 2, shape).astype(type_.dtype)


def random_module(choices: Choices, steps: int = 6) -> Generated:
    """A module whose `main` has up to `steps` steps after its parameters."""
    program = _Program(choices)
    for _ in range(choices.integer(1, 3)):
        program.parameter()
    for _ in range(choices.integer(1, steps)):
        program.step()
    return program.finish()


@dataclass(slots=True)
class _Program:
    """`main` under construction: blocks are closed where something impure or a branch comes."""

    choices: Choices
    ids: IdSource = field(default_factory=IdSource)
    module: IRModule = field(default_factory=IRModule)
    params: list[Var] = field(default_factory=list[Var])
    blocks: list[tuple[bool, list[Binding]]] = field(
        default_factory=list[tuple[bool, list[Binding]]]
    )
    tensors: list[Var] = field(default_factory=list[Var])
    symbols: list[tuple[Var, int]] = field(default_factory=list[tuple[Var, int]])

    # --- pieces -------------------------------------------------------------------------------

    def dim(self) -> Dim:
        if not chance(self.choices, 3):
            return self.choices.integer(1, 4)
        if self.symbols and chance(self.choices, 2):
            return pick(self.choices, self.symbols)[0]
        symbol = Var(self.ids.new(), f"n{len(self.symbols)}", ScalarType())
        self.symbols.append((symbol, self.choices.integer(1, 5)))
        return symbol

    def parameter(self) -> None:
        shape = tuple(self.dim() for _ in range(self.choices.integer(0, 3)))
        dtype = pick(self.choices, ("float32", "float32", "float64", "int32"))
        self._parameter(TensorType(shape, dtype))

    def _parameter(self, type_: TensorType) -> Var:
        var = Var(self.ids.new(), f"x{len(self.params)}", type_)
        self.params.append(var)
        if type_.dtype != "bool":
            self.tensors.append(var)
        return var

    def bind(self, value: GraphExpr, type_: Type | None = None, *, pure: bool = True) -> Var:
        inferred = type_ or expression_type(value, self.module)
        if not self.blocks or self.blocks[-1][0] is not pure:
            self.blocks.append((pure, []))
        var = Var(self.ids.new(), f"lv{self.ids.next}", inferred)
        self.blocks[-1][1].append(Binding(var, value))
        if isinstance(inferred, TensorType) and inferred.shape is not None:
            self.tensors.append(var)
        return var

    def some(self) -> Var:
        return pick(self.choices, self.tensors)

    def like(self, x: Var) -> Var:
        """A tensor of the same type: another value, or a constant where the shape is known."""
        same = [t for t in self.tensors if t.type == x.type]
        return pick(self.choices, same)

    def step(self) -> None:
        steps: tuple[Callable[[], object], ...] = (
            self.unary,
            self.binary,
            self.tensor_function,
            self.tensor_function,
            self.reduction,
            self.movement,
            self.constant,
            self.matmul,
            self.library,
            self.tuples,
            self.branch,
            self.function,
            self.match_cast,
            self.inplace,
        )
        pick(self.choices, steps)()

    # --- steps --------------------------------------------------------------------------------

    def unary(self) -> Var:
        x = self.some()
        names = UNARY if _is_float(x) else ("negative", "abs")
        return self.bind(CallOp(pick(self.choices, names), (x,)))

    def binary(self) -> Var:
        x = self.some()
        return self.bind(CallOp(pick(self.choices, BINARY), (x, self.like(x))))

    def tensor_function(self) -> Var:
        x = self.some()
        args = [x, *(self.like(x) for _ in range(self.choices.integer(0, 2)))]
        types = [arg.type for arg in args]
        function, out = random_tensor_function(self.choices, types)  # pyright: ignore[reportArgumentType]
        name = f"f{len(self.module.functions)}"
        self.module = self.module.with_function(name, replace(function, private=True))
        return self.bind(CallTIR(name, tuple(args), (out,)))

    def inplace(self) -> Var:
        """A call that writes over its first argument, and half the time gives a result besides."""
        x = self.some()
        y = self.like(x)
        both = chance(self.choices, 2)
        name = f"f{len(self.module.functions)}"
        assert isinstance(x.type, TensorType)
        function = over_first(self.choices, x.type, both=both)
        self.module = self.module.with_function(name, replace(function, private=True))
        types = (x.type,) * (2 if both else 1)
        value = CallTIRInplace(name, (x, y), types, (0, -1) if both else (0,))
        made = self.bind(value)
        return self.bind(TupleItem(made, self.choices.integer(0, 1))) if both else made

    def reduction(self) -> Var:
        x = self.some()
        rank = len(_shape(x))
        if rank == 0:
            return self.unary()
        names = ("sum", "max", "mean") if _is_float(x) else ("sum", "max")
        attrs = (
            ("axis", (self.choices.integer(0, rank - 1),)),
            ("keepdims", chance(self.choices, 2)),
        )
        return self.bind(CallOp(pick(self.choices, names), (x,), attrs))

    def movement(self) -> Var:
        x = self.some()
        shape = _shape(x)
        kind = self.choices.integer(0, 4)
        if kind == 0 and len(shape) > 1:
            axes = tuple(range(len(shape)))
            return self.bind(CallOp("permute_dims", (x,), (("axes", axes[1:] + axes[:1]),)))
        if kind == 1:
            return self.bind(CallOp("reshape", (x, ShapeValue((1, *shape)))))
        if kind == 2:
            wide = (self.choices.integer(1, 3), *shape)
            return self.bind(CallOp("broadcast_to", (x, ShapeValue(wide))))
        if kind == 3 and shape:
            pair = TupleValue((x, self.like(x)))
            return self.bind(CallOp("concat", (pair,), (("axis", 0),)))
        return self.bind(CallOp("expand_dims", (x,), (("axis", (0,)),)))

    def constant(self) -> Var:
        known = [t for t in self.tensors if all(isinstance(d, int) for d in _shape(t))]
        shape = _shape(pick(self.choices, known)) if known else (2,)
        rng = np.random.default_rng(self.choices.integer(0, 3))
        array = rng.uniform(-1, 1, [d for d in shape if isinstance(d, int)]).astype("float32")
        leaf, self.module = add_constant(self.module, array)
        return self.bind(Alias(leaf))

    def matmul(self) -> Var:
        x = self.some()
        shape = _shape(x)
        if not shape or not isinstance(shape[-1], int) or not _is_float(x):
            return self.constant()
        rng = np.random.default_rng(self.choices.integer(0, 3))
        width = self.choices.integer(1, 3)
        weight = rng.uniform(-1, 1, (shape[-1], width)).astype(_dtype(x))
        leaf, self.module = add_constant(self.module, weight)
        w = self.bind(Alias(leaf))
        return self.bind(CallOp("matmul", (x, w)))

    def library(self) -> Var:
        x = self.some()
        assert isinstance(x.type, TensorType)
        if chance(self.choices, 2):
            flip = CallPacked("test.generate.flip", (x,), (x.type,), PackedStyle.PURE)
            return self.bind(flip)
        return self.bind(CallPacked("test.generate.scale", (x,), (x.type,)))

    def tuples(self) -> Var:
        x, y = self.some(), self.some()
        pair = self.bind(Alias(TupleValue((x, y))))
        return self.bind(TupleItem(pair, self.choices.integer(0, 1)))

    def branch(self) -> Var:
        x = self.some()
        conditions = [p for p in self.params if p.type == TensorType((), "bool")]
        condition = conditions[0] if conditions else self._parameter(TensorType((), "bool"))
        bodies = (self._branch_body(x), self._branch_body(x))
        return self.bind(IfThenElse(condition, *bodies), x.type, pure=False)

    def _branch_body(self, x: Var) -> Body:
        """An arm: calls in chains that can be fused, constants, and now and then another branch."""
        blocks, tensors = self.blocks, self.tensors
        self.blocks = []
        for _ in range(self.choices.integer(1, 4)):
            self.tensors = [t for t in self.tensors if t.type == x.type]
            self._arm_step(x)
        made, self.blocks, self.tensors = self.blocks, blocks, tensors
        last = made[-1][1][-1].var
        return Body(_closed(made, last), last)

    def _arm_step(self, x: Var) -> Var:
        """A value of the type of `x` that is computed in an arm."""
        if chance(self.choices, 16):
            return self.branch()
        kind = self.choices.integer(0, 5)
        if kind == 0 and all(isinstance(d, int) for d in _shape(x)):
            shape = [d for d in _shape(x) if isinstance(d, int)]
            leaf, self.module = add_constant(self.module, np.ones(shape, _dtype(x)))
            return self.bind(Alias(leaf))
        return self.binary() if kind == 1 else self.unary()

    def function(self) -> Var:
        """A call of a graph function with symbolic dimensions of its own."""
        x = self.some()
        inner = GraphBuilder()
        own = {d: inner.symbol(f"m{i}") for i, d in enumerate(dict.fromkeys(_shape(x)))}
        shape = tuple(own[d] for d in _shape(x))
        p = inner.param("p", TensorType(shape, _dtype(x)))
        y = inner.emit(CallOp("negative", (p,)))
        z = inner.emit(CallOp("maximum", (y, p)))
        name = f"g{len(self.module.functions)}"
        self.module = self.module.with_function(name, inner.build(z, private=True))
        return self.bind(CallFunction(name, (x,)), x.type)

    def match_cast(self) -> Var:
        """The same value with new names for its dimensions."""
        x = self.some()
        fresh = {d: Var(self.ids.new(), f"k{self.ids.next}", ScalarType()) for d in _shape(x)}
        shape = tuple(fresh[d] for d in _shape(x))
        return self.bind(MatchCast(x, TensorType(shape, _dtype(x))))

    # --- the end ------------------------------------------------------------------------------

    def finish(self) -> Generated:
        if not self.blocks:
            self.unary()
        last = self.blocks[-1][1][-1].var
        result: Arg = last
        if chance(self.choices, 3):
            result = TupleValue((last, self.some()))
        blocks = _closed(self.blocks, result)
        main = GraphFunction(
            tuple(self.params), blocks, result, type_of(result), next_id=self.ids.next
        )
        extents = tuple((symbol.id, value) for symbol, value in self.symbols)
        return Generated(self.module.with_function("main", main), extents)


def _closed(made: list[tuple[bool, list[Binding]]], result: Arg) -> tuple[BindingBlock, ...]:
    """Blocks, of which those of dataflow give out what is used behind them."""
    used = {var.id for var in leaf_vars(result)}
    blocks: list[BindingBlock] = []
    for dataflow, bindings in reversed(made):
        outputs = tuple(b.var.id for b in bindings if b.var.id in used) if dataflow else ()
        blocks.append(BindingBlock(tuple(bindings), dataflow, outputs))
        used |= {var.id for binding in bindings for var in _used(binding.value)}
    return tuple(reversed(blocks))


def _used(value: GraphExpr) -> list[Var]:
    match value:
        case CallOp(args=args) | CallTIR(args=args) | CallPacked(args=args):
            return [var for arg in args for var in leaf_vars(arg)]
        case CallTIRInplace(args=args):
            return [var for arg in args for var in leaf_vars(arg)]
        case CallFunction(args=args):
            return [var for arg in args for var in leaf_vars(arg)]
        case Alias(value=leaf) | TupleItem(value=leaf) | MatchCast(value=leaf):
            return list(leaf_vars(leaf))
        case IfThenElse(condition=condition, then=then, otherwise=otherwise):
            inside = [
                var
                for body in (then, otherwise)
                for block in body.blocks
                for binding in block.bindings
                for var in _used(binding.value)
            ]
            return [*leaf_vars(condition), *inside]


def _shape(var: Var) -> tuple[Dim, ...]:
    assert isinstance(var.type, TensorType)
    assert var.type.shape is not None
    return var.type.shape


def _dtype(var: Var) -> str:
    assert isinstance(var.type, TensorType)
    return var.type.dtype or "float32"


def _is_float(var: Var) -> bool:
    return _dtype(var).startswith("float")
