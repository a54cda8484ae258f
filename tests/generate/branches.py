"""Random graph functions of nested branches, as script: what arms share, give twice and swap."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.generate.choices import Choices, chance, pick
from workbench.ir import IRModule
from workbench.passes import LegalizeOps
from workbench.script import parse

SHAPE = 'R.Tensor((N, 3), dtype="float32")'
FLAGS = ("p", "q", "r")
CALLS = (
    "R.nn.relu({a})",
    "R.add({a}, {b})",
    "R.tanh({a})",
    "R.flip({a}, axis=1)",
    "R.multiply({a}, {a})",
    'R.call_pure_packed("test.generate.flip", {a}, ty_args=TYPE)',
    'R.call_dps_packed("test.generate.scale", ({a},), out_ty=TYPE)',
)


@dataclass(slots=True)
class _Lines:
    choices: Choices
    lines: list[str] = field(default_factory=list[str])
    count: int = 0

    def name(self) -> str:
        self.count += 1
        return f"v{self.count}"

    def body(self, indent: str, known: list[str], depth: int, most: int) -> list[str]:
        """Some bindings; gives the names that are known after them."""
        known = list(known)
        for _ in range(self.choices.integer(1, most)):
            if depth < 3 and chance(self.choices, 3):
                known += self.branch(indent, known, depth)
            elif chance(self.choices, 6):
                name = self.name()
                self.lines.append(f"{indent}{name} = cls.inner({pick(self.choices, known)}, p)")
                known.append(name)
            else:
                name = self.name()
                a, b = pick(self.choices, known), pick(self.choices, known)
                call = pick(self.choices, CALLS).format(a=a, b=b)
                self.lines.append(f"{indent}{name} = {call}")
                known.append(name)
        return known

    def branch(self, indent: str, known: list[str], depth: int) -> list[str]:
        """An `if` of one or two results; gives their names."""
        name, several = self.name(), chance(self.choices, 2)
        for word in (f"if {pick(self.choices, FLAGS)}:", "else:"):
            self.lines.append(f"{indent}{word}")
            inside = self.body(indent + "    ", known, depth + 1, 3)
            recent = inside[-3:]
            a, b = pick(self.choices, recent), pick(self.choices, recent)
            self.lines.append(f"{indent}    {name} = {f'({a}, {b})' if several else a}")
        if not several:
            return [name]
        items = [self.name(), self.name()]
        self.lines += [f"{indent}{item} = {name}[{n}]" for n, item in enumerate(items)]
        return items


def random_branches(choices: Choices, rows: str = "2") -> IRModule:
    """A module whose `main` takes `x`, `w` and the flags `p`, `q`, `r`, without operators."""
    lines = _Lines(choices)
    known = lines.body("        ", ["x", "w"], 0, 6)
    results = [pick(choices, known[-4:]), known[-1]]
    flags = ", ".join(f'{flag}: R.Tensor((), "bool")' for flag in FLAGS)
    body = "\n".join(lines.lines)
    text = f"""
@I.ir_module
class Module:
    @R.function(private=True)
    def inner(a: TYPE, c: R.Tensor((), "bool")) -> TYPE:
        b = R.exp(a)
        if c:
            d = R.add(a, b)
        else:
            d1 = R.nn.relu(b)
            d = R.tanh(d1)
        e = R.nn.relu(d)
        return e

    @R.function
    def main(x: TYPE, w: TYPE, {flags}):
        cls = Module
{body}
        return ({results[0]}, {results[1]})
"""
    return LegalizeOps()(parse(text.replace("TYPE", SHAPE).replace("N", rows))).module
