"""The engine: builds each module once and keeps the last executables."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from workbench.ir import IRModule, TupleValue, Var, module_digest, registry_version
from workbench.runtime import CancelToken, Executable, build
from workbench.support import NodeId

KEPT = 24
"""Executables kept; their kernels are in the object cache anyway."""


class Engine:
    """Executables by module digest and registry version, the oldest forgotten.

    Safe to use from threads.
    """

    def __init__(self) -> None:
        self._built: OrderedDict[tuple[str, int, int], Executable] = OrderedDict()
        self._lock = threading.Lock()

    def executable(self, module: IRModule) -> Executable:
        """The executable of `module`.

        Raises:
            CompileError: what `build` finds.
        """
        key = (module_digest(module), id(module.pool), registry_version())
        with self._lock:
            if key in self._built:
                self._built.move_to_end(key)
                return self._built[key]
        built = build(module)
        with self._lock:
            self._built[key] = built
            while len(self._built) > KEPT:
                self._built.popitem(last=False)
        return built

    def values(
        self,
        module: IRModule,
        arrays: Sequence[Any],
        function: str,
        given: Mapping[NodeId, Any] | None = None,
        cancel: CancelToken | None = None,
    ) -> dict[NodeId, Any]:
        """Every value of a run by id; those in `given` are taken instead of being computed.

        Values have memory of their own here. Where the function follows a memory plan, what it
        returns is what it returns with shared memory, so that a wrong plan shows.

        Raises:
            CompileError: what `build` or the run finds.
        """
        executable = self.executable(module)
        found = executable.values(arrays, given, function=function, cancel=cancel)
        if not given and executable.follows_plan(function):
            result = module.graph_functions[function].result
            returned = executable(*arrays, function=function, cancel=cancel)
            if isinstance(result, Var):
                found[result.id] = returned
            elif isinstance(result, TupleValue):
                pairs = zip(result.fields, returned, strict=True)
                found |= {leaf.id: value for leaf, value in pairs if isinstance(leaf, Var)}
        return found
