"""Random sequences of passes: built-in ones with parameters that fit, and schedule primitives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

import workbench as wb
from tests.generate.choices import Choices, Seeded, chance, pick
from tests.generate.graphs import Generated, random_module
from tests.schedule.fuzzing import random_primitive
from workbench.analysis.dependence import AnswerKind
from workbench.interpret import run
from workbench.ir import CallTIR, GraphFunction, IRModule, ScalarType, free_vars, walk
from workbench.ir.verify import verify
from workbench.passes import (
    BUILTIN_PASSES,
    AnnotateForLibrary,
    BindParameters,
    BindSymbolicVariables,
    FoldConstant,
    FuseOps,
    FuseTensorFunctions,
    Implement,
    ImplementByFunction,
    InlinePrivateFunctions,
    LegalizeOps,
    Pass,
    ReplaceFunction,
    ScheduleDefault,
    TransformLayouts,
    implementations,
)
from workbench.rewrite import all_bindings
from workbench.schedule.primitive import answer_of
from workbench.schedule.scope import Scope
from workbench.script import print_function, print_module
from workbench.session.catalogue import required_parameters
from workbench.support import CompileError, NodeId

Arrays = list[NDArray[Any]]

STEPS = 14
ROUNDING = 2e-4
"""Relative to the largest magnitude of a result."""

USUAL: tuple[Pass, ...] = (LegalizeOps(), FuseOps(), FuseTensorFunctions())
"""Drawn more often than the rest: others have nothing to do before them."""


class WrongSequenceError(AssertionError):
    """A sequence of passes changed what a module computes; says how to see it again."""


@dataclass
class Sequence:
    """A module on its way, with the arguments for its `main`."""

    module: IRModule
    arguments: dict[NodeId, NDArray[Any]]
    extents: dict[str, int] = field(default_factory=dict[str, int])
    steps: list[str] = field(default_factory=list[str])
    counts: Counter[str] = field(default_factory=Counter[str])
    """Steps by name that changed the module, `:refused` those that raised a diagnostic."""

    @property
    def main(self) -> GraphFunction:
        return self.module.graph_functions["main"]

    def given(self) -> Arrays:
        """The arguments that `main` takes now."""
        return [self.arguments[param.id] for param in self.main.params]


def fuzz_passes(seed: int) -> Counter[str]:
    """A random sequence of passes on a random module.

    Raises:
        WrongSequenceError: with seed, steps and module.
    """
    choices = Seeded(seed)
    generated = random_module(choices, steps=8)
    return check_sequence(choices, start(generated), choices.integer(2, STEPS), f"seed {seed}")


def start(generated: Generated) -> Sequence:
    """A generated module before the first pass."""
    main = generated.module.graph_functions["main"]
    values = zip(main.params, generated.inputs(), strict=True)
    names = {v.id: v.name for p in main.params for v in free_vars(p.type).values()}
    extents = {names[symbol]: extent for symbol, extent in generated.extents if symbol in names}
    return Sequence(generated.module, {p.id: a for p, a in values}, extents)


def check_sequence(
    choices: Choices, sequence: Sequence, steps: int, label: str, *, interpret: bool = True
) -> Counter[str]:
    """Apply random steps; the result verifies, builds and gives what the original gave.

    Raises:
        WrongSequenceError: with steps and module.
    """
    original, given = sequence.module, sequence.given()
    expected = flat(run(original, *given))
    try:
        if chance(choices, 2):
            apply_step(LegalizeOps(), sequence)
        for _ in range(steps):
            random_step(choices, sequence)
        faults = verify(sequence.module)
        assert faults == (), faults
        _compare(expected, flat(wb.build(sequence.module)(*sequence.given())), "the build")
        if interpret:
            _compare(expected, flat(run(sequence.module, *sequence.given())), "the interpreter")
    except Exception as error:
        done = ", ".join(sequence.steps)
        text = f"{label}: {type(error).__name__}: {error}\n{print_module(original)}\n{done}"
        raise WrongSequenceError(f"{text}\n{print_module(sequence.module)}") from error
    return sequence.counts


def flat(result: object) -> Arrays:
    """The arrays of a result."""
    if isinstance(result, tuple):
        return [array for item in result for array in flat(item)]
    return [np.asarray(result)]


def _compare(expected: Arrays, found: Arrays, who: str) -> None:
    for a, b in zip(expected, found, strict=True):
        assert (a.dtype, a.shape) == (b.dtype, b.shape), who
        finite = a[np.isfinite(a)]
        scale = float(np.abs(finite).max()) if finite.size else 1.0
        np.testing.assert_allclose(
            b, a, rtol=ROUNDING, atol=ROUNDING * max(scale, 1e-3), err_msg=who
        )


def random_step(choices: Choices, sequence: Sequence) -> None:
    """Apply one pass, drawn at random with parameters that fit; what refuses changes nothing."""
    step = drawn_step(choices, sequence)
    if step is not None:
        apply_step(step, sequence)


def drawn_step(choices: Choices, sequence: Sequence) -> Pass | None:
    """One pass or primitive, drawn at random with parameters that fit."""
    return _primitive(choices, sequence) if chance(choices, 3) else _pass(choices, sequence)


def apply_step(step: Pass, sequence: Sequence) -> None:
    """Apply a pass and count it."""
    try:
        result = step(sequence.module)
    except CompileError as error:
        if not required_parameters(type(step)):
            raise
        sequence.counts[f"{step.name}:refused {error.diagnostics[0].code}"] += 1
        return
    sequence.steps.append(repr(step))
    if result.module is not sequence.module:
        sequence.counts[step.name] += 1
    sequence.module = result.module


def _primitive(choices: Choices, sequence: Sequence) -> Pass | None:
    names = list(sequence.module.tensor_functions)
    if not names:
        return None
    scope = Scope.of(sequence.module, pick(choices, names))
    if not (scope.loops or scope.blocks):
        return None
    found = random_primitive(choices, scope)
    if found is None or answer_of(found, scope).kind is not AnswerKind.APPLIES:
        return None
    return found


def _pass(choices: Choices, sequence: Sequence) -> Pass | None:
    if chance(choices, 3):
        return pick(choices, USUAL)
    kind = pick(choices, BUILTIN_PASSES)
    make = MAKERS.get(kind)
    if make is not None:
        return make(choices, sequence)
    assert not required_parameters(kind), f"say in MAKERS how `{kind.__name__}` is made"
    return kind()


# --- passes with parameters ---------------------------------------------------------------------


def _bind_parameters(choices: Choices, sequence: Sequence) -> Pass | None:
    params = sequence.main.params
    if len(params) < 2:
        return None
    chosen = pick(choices, params)
    return BindParameters({chosen.name: sequence.arguments[chosen.id]})


def _bind_symbols(choices: Choices, sequence: Sequence) -> Pass | None:
    found = {
        v.name
        for p in sequence.main.params
        for v in free_vars(p.type).values()
        if isinstance(v.type, ScalarType)
    }
    names = sorted(found & sequence.extents.keys())
    if not names:
        return None
    name = pick(choices, names)
    return BindSymbolicVariables({name: sequence.extents[name]}, functions=("main",))


def _implement(choices: Choices, sequence: Sequence) -> Pass | None:
    there = list(_bindings(sequence.module))
    if not there:
        return None
    function, binding = pick(choices, there)
    found = [c for c in implementations(sequence.module, function, binding) if c.available]
    if not found:
        return None
    return Implement(f"{function}.{binding.var.name}", pick(choices, found).name)


def _annotate(choices: Choices, sequence: Sequence) -> Pass | None:
    named = [f"{function}.{b.var.name}" for function, b in _bindings(sequence.module)]
    if not named:
        return None
    first = choices.integer(0, len(named) - 1)
    return AnnotateForLibrary(tuple(named[first : first + choices.integer(1, 3)]), "numpy")


def _replace(choices: Choices, sequence: Sequence) -> Pass | None:
    """The text of a function as it is."""
    names = list(sequence.module.tensor_functions)
    if not names:
        return None
    name = pick(choices, names)
    return ReplaceFunction(name, print_function(name, sequence.module[name]))


def _layouts(choices: Choices, sequence: Sequence) -> Pass | None:
    calls = {
        node.callee for f in sequence.module.graph_functions.values() for node in walk(f)
        if isinstance(node, CallTIR)
    }  # fmt: skip
    if not calls:
        return None
    name = pick(choices, sorted(calls))
    function = sequence.module.tensor_functions[name]
    param = pick(choices, function.params)
    rank = len(getattr(param.type, "shape", ()))
    axes = [f"d{i}" for i in range(rank)]
    turned = axes[1:] + axes[:1]
    return TransformLayouts(
        ((name, param.name, f"lambda {', '.join(axes)}: ({', '.join(turned)},)"),)
    )


def _bindings(module: IRModule) -> Iterator[tuple[str, Any]]:
    for name, function in module.graph_functions.items():
        for binding in all_bindings(function):
            yield name, binding


def _no_function(choices: Choices, sequence: Sequence) -> None:
    """Functions of users cannot be drawn."""
    del choices, sequence


def _schedule_default(choices: Choices, sequence: Sequence) -> Pass:
    del sequence
    return ScheduleDefault(lanes=pick(choices, (4, 8, 16)), parallel=chance(choices, 2))


def _fold_constant(choices: Choices, sequence: Sequence) -> Pass:
    del sequence
    return FoldConstant(max_bytes=pick(choices, (1 << 26, 16)))


def _inline(choices: Choices, sequence: Sequence) -> Pass:
    del sequence
    return InlinePrivateFunctions(most=pick(choices, (100_000, 3)))


MAKERS: dict[type[Pass], Callable[[Choices, Sequence], Pass | None]] = {
    BindParameters: _bind_parameters,
    BindSymbolicVariables: _bind_symbols,
    Implement: _implement,
    ImplementByFunction: _no_function,
    AnnotateForLibrary: _annotate,
    ReplaceFunction: _replace,
    TransformLayouts: _layouts,
    ScheduleDefault: _schedule_default,
    FoldConstant: _fold_constant,
    InlinePrivateFunctions: _inline,
}
"""How passes are made whose parameters depend on the module, or matter."""
