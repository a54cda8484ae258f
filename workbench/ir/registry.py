"""Tables of operators, libraries and intrinsics: declared here, filled by `ops` and by users.

Parser, verifier and passes read them; nothing else in the IR knows an operator by name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, assert_never

from workbench.ir.expr import (
    ObjectType,
    ScalarType,
    ShapeType,
    TupleType,
    Type,
    Var,
    dtype_of,
)
from workbench.ir.graph import (
    Arg,
    CallOp,
    CallPacked,
    Constant,
    GraphFunction,
    ScalarValue,
    ShapeValue,
    StringValue,
    TupleValue,
)
from workbench.ir.tensor import Attr, TensorFunction
from workbench.support.diagnostics import CompileError, Diagnostic
from workbench.support.kinds import checks_kinds, methods_check_kinds

TypeRule = Callable[[CallOp, tuple[Type, ...]], Type]
"""Result type of a call, from the call and the types of its arguments; raises `CompileError`."""
Reference = Callable[..., Any]
"""`reference(call, *values)`.

Numpy arrays (tuples for tuples, int tuples for shapes) in, arrays out.
"""
Legalization = Callable[[CallOp, tuple[Type, ...], Type], TensorFunction | None]
"""A tensor function that computes the call.

Or None where there is no tensor form for these types.
"""

TensorCheck = Callable[[TensorFunction], tuple[Diagnostic, ...]]
"""What an analysis has to say about a tensor function that is well formed otherwise."""


GraphCheck = Callable[[Any, str, GraphFunction], tuple[Diagnostic, ...]]
"""What an analysis has to say about a graph function of a module that is well formed otherwise.

It gets the module and the name of the function.
"""


@methods_check_kinds()
@dataclass(frozen=True, slots=True)
class Operator:
    """What passes need to choose between implementations of one operator.

    `parameters` are the names of the arguments in scripts; `attributes` the names of
    attributes with their defaults, in the order in which calls without keywords give them.
    """

    name: str
    infer: TypeRule
    reference: Reference
    legalize: Legalization | None = None
    parameters: tuple[str, ...] = ()
    attributes: tuple[tuple[str, Any], ...] = ()
    doc: str = ""


@methods_check_kinds()
@dataclass(frozen=True, slots=True)
class LibraryFunction:
    """A callable behind a symbol.

    `function(*inputs, *outputs, **attributes)` fills numpy arrays in place.

    `unavailable` is empty, or says why the library cannot be called on this machine. `load` makes
    it ready when something that calls it is built, and says why it cannot. `computes` names the
    loops that it can take the place of (`workbench.analysis.contraction`), `dtypes` those that it
    has, empty for all.
    """

    symbol: str
    function: Callable[..., Any]
    library: str
    unavailable: str = ""
    load: Callable[[], str] | None = None
    computes: str = ""
    dtypes: tuple[str, ...] = ()


@methods_check_kinds()
@dataclass(frozen=True, slots=True)
class TensorIntrinsic:
    """Code that replaces loops: what it computes, and how a processor does it.

    Both functions have the same parameters. `description` is plain loops, which are looked for;
    `implementation` takes their place. Dimensions that are variables stand for any extent.
    `reassociates` where the results differ by rounding: other order of a sum, other roundings.

    Reference: `tvm.tir.TensorIntrin`.
    """

    name: str
    description: TensorFunction
    implementation: TensorFunction
    reassociates: bool = False
    doc: str = ""


_OPERATORS: dict[str, Operator] = {}
_LIBRARIES: dict[str, LibraryFunction] = {}
_INTRINSICS: dict[str, TensorIntrinsic] = {}
_TENSOR_CHECKS: list[TensorCheck] = []
_GRAPH_CHECKS: list[GraphCheck] = []
_SOURCES: list[Callable[[], object]] = []
"""What fills the tables and has not been asked yet."""
_REGISTERED: list[str] = []
"""Names in the order of registration, repeated ones too."""


@checks_kinds
def register_operator(operator: Operator) -> Operator:
    """Add an operator; a second registration of a name replaces the first."""
    _OPERATORS[operator.name] = operator
    _REGISTERED.append(operator.name)
    return operator


@checks_kinds
def register_library(function: LibraryFunction) -> LibraryFunction:
    """Add a library function; a second registration of a symbol replaces the first."""
    _LIBRARIES[function.symbol] = function
    _REGISTERED.append(function.symbol)
    return function


@checks_kinds
def register_tensor_intrinsic(intrinsic: TensorIntrinsic) -> TensorIntrinsic:
    """Add an intrinsic unchecked; a second registration of a name replaces the first.

    `workbench.schedule.register_intrinsic` checks it before.
    """
    _INTRINSICS[intrinsic.name] = intrinsic
    _REGISTERED.append(intrinsic.name)
    return intrinsic


@checks_kinds
def register_tensor_check(check: TensorCheck) -> TensorCheck:
    """Let the verifier ask `check` about every tensor function; its faults depend on that alone."""
    _TENSOR_CHECKS.append(check)
    return check


@checks_kinds
def register_graph_check(check: GraphCheck) -> GraphCheck:
    """Let the verifier ask `check` about every graph function of a module without errors."""
    _GRAPH_CHECKS.append(check)
    return check


def graph_checks() -> tuple[GraphCheck, ...]:
    """What analyses want to see verified of graph functions."""
    return tuple(_GRAPH_CHECKS)


def tensor_checks() -> tuple[TensorCheck, ...]:
    """What analyses want to see verified."""
    return tuple(_TENSOR_CHECKS)


def registry_version() -> int:
    """A number that grows with each registration: what was computed before may be stale."""
    return len(_REGISTERED)


def count_registration(name: str) -> None:
    """Let `registry_version` grow for a registration in a table of another layer."""
    _REGISTERED.append(name)


@checks_kinds
def register_source(source: Callable[[], object]) -> None:
    """Let `source` register operators and libraries as soon as one is looked for."""
    _SOURCES.append(source)


def load_sources() -> None:
    """Ask the sources that have not been asked: whoever reads a script wants its operators."""
    while _SOURCES:
        _SOURCES.pop()()


def operators() -> tuple[Operator, ...]:
    """All operators, by name."""
    load_sources()
    return tuple(_OPERATORS[name] for name in sorted(_OPERATORS))


def tensor_intrinsics() -> tuple[TensorIntrinsic, ...]:
    """All intrinsics that were registered, by name."""
    return tuple(_INTRINSICS[name] for name in sorted(_INTRINSICS))


def find_tensor_intrinsic(name: str) -> TensorIntrinsic | None:
    """The intrinsic that was registered under that name, if there is one."""
    return _INTRINSICS.get(name)


def find_operator(name: str) -> Operator | None:
    """The operator of that name, if there is one."""
    load_sources()
    return _OPERATORS.get(name)


def libraries() -> tuple[LibraryFunction, ...]:
    """All library functions, in the order in which they were registered."""
    return tuple(_LIBRARIES.values())


def find_library(symbol: str) -> LibraryFunction | None:
    """The library function of that symbol, if there is one."""
    load_sources()
    return _LIBRARIES.get(symbol)


def libraries_that_compute(what: str) -> tuple[LibraryFunction, ...]:
    """The library functions that have these loops, in the order in which they were registered."""
    return tuple(library for library in _LIBRARIES.values() if library.computes == what)


def why_missing(symbol: str) -> str:
    """Why a library function cannot be called here, empty where it can; loads the library."""
    found = find_library(symbol)
    if found is None:
        return "nobody registered it"
    return found.unavailable or ("" if found.load is None else found.load())


def operator(name: str) -> Operator:
    """The operator of that name.

    Raises:
        CompileError: `op/unknown`.
    """
    found = find_operator(name)
    if found is None:
        raise CompileError(unknown_operator(name))
    return found


def unknown_operator(name: str) -> Diagnostic:
    """The diagnostic for an operator that nobody registered."""
    stem = name.rsplit(".", maxsplit=1)[-1]
    near = [known for known in sorted(_OPERATORS) if stem in known][:3]
    hint = "did you mean " + " or ".join(f"`{n}`" for n in near) + "?" if near else ""
    return Diagnostic("op/unknown", f"no operator `{name}` is registered", hint=hint)


def library_keywords(call: CallPacked) -> dict[str, Attr]:
    """The attributes of a library call as keyword arguments.

    `algorithm` is for passes, not for the library.
    """
    return {name: value for name, value in call.attrs if name != "algorithm"}


def infer_type(call: CallOp) -> Type:
    """The result type of an operator call.

    Raises:
        CompileError: `op/unknown`, or what the operator's type rule says.
    """
    return operator(call.op).infer(call, tuple(type_of(arg) for arg in call.args))


def type_of(arg: Arg) -> Type:
    """The type of a leaf."""
    if isinstance(arg, Var):  # most are
        return arg.type
    match arg:
        case Constant():
            return arg.type
        case ShapeValue(dims=dims):
            return ShapeType(dims)
        case ScalarValue(value=value):
            return ScalarType(dtype_of(value))
        case StringValue():
            return ObjectType()
        case TupleValue(fields=fields):
            return TupleType(tuple(type_of(item) for item in fields))
        case _:
            assert_never(arg)
