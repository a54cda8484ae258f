"""The module: graph functions, tensor functions and library calls in one program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, TypeAlias

from workbench.ir.describe import counted, nodes_of, parameter_list
from workbench.ir.graph import Binding, GraphFunction
from workbench.ir.pool import ConstantPool
from workbench.ir.tensor import Attrs, Block, For, TensorFunction
from workbench.support.amounts import byte_count
from workbench.support.diagnostics import CompileError, Diagnostic
from workbench.support.found import found
from workbench.support.kinds import checks_kinds, class_checks_calls
from workbench.support.spelling import near

Function: TypeAlias = GraphFunction | TensorFunction

MOST_SHOWN = 20
"""Functions that a module's `repr` lists."""

_VIEWS: dict[str, Callable[..., Any]] = {}


@checks_kinds
def register_view(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let an upper layer implement the module's method `name`, such as `script` or `show`."""

    @checks_kinds
    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        _VIEWS[name] = function
        return function

    return register


@class_checks_calls
@dataclass(frozen=True, slots=True)
class IRModule:
    """A program. Functions stand in printing order; names are unique.

    `pool` holds the arrays that `Constant` leaves name; its bytes do not take part in equality.
    """

    functions: tuple[tuple[str, Function], ...] = ()
    pool: ConstantPool = field(default_factory=ConstantPool, compare=False, repr=False)
    attrs: Attrs = ()
    name: str = field(default="Module", compare=False)
    _by_name: dict[str, Function] = field(init=False, compare=False, repr=False)
    _graphs: dict[str, GraphFunction] = field(init=False, compare=False, repr=False)
    _tensors: dict[str, TensorFunction] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Index the functions by name; what else is in the module, the verifier looks at.

        Raises:
            CompileError: `call/wrong-kind` for what is no list of pairs.
        """
        try:
            by_name = dict(self.functions)
        except (TypeError, ValueError):
            message = (
                f"a module is made of pairs of a name and a function, got {found(self.functions)}"
            )
            hint = "`wb.parse` and `wb.open` make modules, `with_function` adds to one"
            raise CompileError(Diagnostic("call/wrong-kind", message, hint=hint)) from None
        graphs = {name: f for name, f in by_name.items() if isinstance(f, GraphFunction)}
        tensors = {name: f for name, f in by_name.items() if isinstance(f, TensorFunction)}
        object.__setattr__(self, "_by_name", by_name)
        object.__setattr__(self, "_graphs", graphs)
        object.__setattr__(self, "_tensors", tensors)

    def __getitem__(self, name: str) -> Function:
        """The function of that name.

        Raises:
            CompileError: `module/unknown-function`.
        """
        found = self._by_name.get(name)
        if found is not None:
            return found
        known = ", ".join(f"`{key}`" for key, _ in self.functions[:8])
        raise CompileError(
            Diagnostic(
                "module/unknown-function",
                f"no function `{name}`",
                notes=(f"there are {known or 'none'}",),
                hint=near(name, self._by_name),
            )
        )

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    @property
    def graph_functions(self) -> Mapping[str, GraphFunction]:
        """The graph functions by name, in printing order; asking costs nothing."""
        return MappingProxyType(self._graphs)

    @property
    def tensor_functions(self) -> Mapping[str, TensorFunction]:
        """The tensor functions by name, in printing order; asking costs nothing."""
        return MappingProxyType(self._tensors)

    def with_function(self, name: str, function: Function) -> IRModule:
        """The module with `name` set.

        In place if it is there, else at the end. Passes use `ModuleEditor`.

        Raises:
            CompileError: `call/wrong-kind`.
        """
        if not isinstance(function, Function) or not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            message = f"a module maps names to functions, got {found(name)} and {found(function)}"
            raise CompileError(Diagnostic("call/wrong-kind", message))
        if name not in self:
            return replace(self, functions=(*self.functions, (name, function)))
        changed = tuple((key, function if key == name else old) for key, old in self.functions)
        return replace(self, functions=changed)

    def script(self) -> str:
        """The module as TVMScript text."""
        return _VIEWS["script"](self)

    def show(self) -> Any:  # noqa: ANN401
        """Something that displays the module: highlighted script and picture in a notebook."""
        return _VIEWS["show"](self)

    def dot(self, function: str = "main") -> Any:  # noqa: ANN401
        """A `graphviz.Source` of a graph function."""
        return _VIEWS["dot"](self, function)

    def to_networkx(self, function: str = "main") -> Any:  # noqa: ANN401
        """A `networkx.MultiDiGraph` whose nodes are value ids of a graph function."""
        return _VIEWS["to_networkx"](self, function)

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        view = _VIEWS.get("mimebundle")
        return view(self) if view else {"text/plain": repr(self)}

    def __repr__(self) -> str:
        """One line a function, with its kind and size; `script` has the text."""
        given: Any = self.pool  # a user's pass may put anything there
        pool = given if isinstance(given, ConstantPool) else ConstantPool()
        size = sum(array.nbytes for array in pool.values())
        constants = f", {counted(len(pool), 'constant')} ({byte_count(size)})" if pool else ""
        shown = self.functions[:MOST_SHOWN]
        width = max((len(str(name)) for name, _ in shown), default=0)
        lines = [f"IRModule {self.name!r}: {counted(len(self.functions), 'function')}{constants}"]
        lines += [f"  {name!s:{width}}  {_describe(function)}" for name, function in shown]
        if len(shown) < len(self.functions):
            lines.append(f"  and {len(self.functions) - len(shown)} more")
        return "\n".join(lines)


def _describe(function: object) -> str:
    match function:
        case GraphFunction():
            bindings = counted(nodes_of(function, Binding), "binding")
            return f"graph function {parameter_list(function.params)}, {bindings}"
        case TensorFunction():
            blocks, loops = nodes_of(function, Block), nodes_of(function, For)
            sizes = f"{counted(blocks, 'block')}, {counted(loops, 'loop')}"
            return f"tensor function {parameter_list(function.params)}, {sizes}"
        case _:
            return f"no function, but {found(function)}"
