"""Names for the values of a module: what a pass that is told where to work is told.

`lv3` and `main.lv3` name a value, `main.y.then.e` one in an arm: the `e` in the `then` arm of the
`if` that gives `main.y`. Where no other value of the function is an `e`, `main.e` is that one too.
What the arm gives is `main.y.then`, whatever it is called there: often as the `if` is, and then
`main.y` is the `if`. Where one body binds a name several times, `main.lv3@2` is the second of them.
No name has an id in it: a script that is read again numbers its values anew, and these names stay
what they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from workbench.ir import (
    Arg,
    Binding,
    BindingBlock,
    GraphFunction,
    IfThenElse,
    IRModule,
    TensorFunction,
    Var,
)
from workbench.rewrite.derivation import NodeRef
from workbench.support import NodeId


@dataclass(frozen=True, slots=True)
class NamedValue:
    """A value with its `name`, which no other value of the module has, and its binding, if any."""

    ref: NodeRef
    name: str
    binding: Binding | None = None


class ValueNames:
    """The values of a module by name."""

    def __init__(self, module: IRModule) -> None:
        self._named: dict[str, list[NamedValue]] = {}
        self._exact: dict[NodeRef, str] = {}
        for name, function in module.functions:
            if isinstance(function, GraphFunction):
                self._add_graph(name, function)
            else:
                self._add_tensor(name, function)

    def find(self, name: str) -> tuple[NamedValue, ...]:
        """The values of that name, in program order.

        Where no value of a function has a name, those in arms that bind it have it.
        """
        return tuple(self._named.get(name, ()))

    def exact(self, ref: NodeRef) -> str:
        """The name that this value alone has; empty for what is no value of a graph function."""
        return self._exact.get(ref, "")

    def known(self) -> tuple[str, ...]:
        """All names."""
        return tuple(self._named)

    def _add_graph(self, function: str, body: GraphFunction) -> None:
        params = [_Bound(param, param.name) for param in body.params]
        values = [*params, *_in_blocks(body.blocks)]
        counts = Counter(value.path for value in values)
        bare = Counter(value.var.name for value in values)
        seen: Counter[str] = Counter()
        inner: dict[str, list[NamedValue]] = {}
        outer: dict[str, list[NamedValue]] = {}
        for value in values:
            var, path = value.var, value.path
            seen[path] += 1
            exact = path if counts[path] == 1 else f"{path}@{seen[path]}"
            short = var.name if bare[var.name] == 1 else exact
            named = NamedValue(NodeRef(function, var.id), f"{function}.{short}", value.binding)
            self._exact[named.ref] = named.name
            for word in dict.fromkeys((path, exact, value.place + var.name)):
                outer.setdefault(word, []).append(named)
            if value.place:
                inner.setdefault(var.name, []).append(named)
        for word, found in (inner | outer).items():
            self._named.setdefault(word, []).extend(found)
            self._named.setdefault(f"{function}.{word}", []).extend(found)

    def _add_tensor(self, name: str, function: TensorFunction) -> None:
        whole = NamedValue(NodeRef(name, NodeId(-1)), name)
        self._named.setdefault(name, []).append(whole)
        for param in function.params:
            named = NamedValue(NodeRef(name, param.id), f"{name}.{param.name}")
            self._named.setdefault(named.name, []).append(named)


@dataclass(frozen=True, slots=True)
class _Bound:
    """A value with the arms that it is in, `y.then.`, and its path behind the function."""

    var: Var
    path: str
    place: str = ""
    binding: Binding | None = None


def _in_blocks(
    blocks: tuple[BindingBlock, ...], place: str = "", result: Arg | None = None
) -> Iterator[_Bound]:
    """The values of a body, those of arms behind that of their `if`."""
    for block in blocks:
        for binding in block.bindings:
            given = place and isinstance(result, Var) and result.id == binding.var.id
            path = place.removesuffix(".") if given else place + binding.var.name
            yield _Bound(binding.var, path, place, binding)
            if isinstance(binding.value, IfThenElse):
                then, otherwise = binding.value.then, binding.value.otherwise
                yield from _in_blocks(then.blocks, f"{path}.then.", then.result)
                yield from _in_blocks(otherwise.blocks, f"{path}.else.", otherwise.result)
