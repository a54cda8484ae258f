"""Modules with faults planted between correct passes, and what blame must say of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import workbench as wb
from workbench.passes import Pass
from workbench.session import Blame, Session

IMAGE = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((1, 3, 9, 9), "float32"), w: R.Tensor((8, 3, 3, 3), "float32"),
             b: R.Tensor((1, 8, 1, 1), "float32")):
        with R.dataflow():
            scale = R.const(0.5, "float32")
            c = R.nn.conv2d(x, w, padding=[1, 1, 1, 1])
            h = R.add(c, b)
            r = R.nn.relu(h)
            m = R.mean(r, axis=[2, 3], keepdims=True)
            d = R.subtract(r, m)
            e = R.multiply(d, scale)
            p = R.nn.max_pool2d(e, pool_size=[3, 3], strides=[2, 2], padding=[1, 1, 1, 1])
            q = R.nn.max_pool2d(e, pool_size=[2, 2], strides=[2, 2])
            R.output(p, q)
        return (p, q)
"""

MATRIX = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((6, 6), "float32"), w: R.Tensor((6, 6), "float32"),
             b: R.Tensor((6,), "float32")):
        with R.dataflow():
            h = R.matmul(x, w)
            a = R.add(h, b)
            s = R.sum(a, axis=[1])
            t = R.nn.softmax(a, axis=-1)
            u = R.multiply(t, x)
            y = R.add(u, a)
            g = R.exp(x)
            k = R.exp(w)
            z = R.subtract(g, k)
            R.output(s, y, z)
        return (s, y, z)
"""

SYMBOLIC = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor(("n", 8), "float32"), w: R.Tensor((8, 4), "float32")):
        with R.dataflow():
            h = R.matmul(x, w)
            a = R.nn.relu(h)
            y = R.exp(a)
            R.output(y)
        return y
"""

NORMED = """
@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor((1, 2, 4, 4), "float32")):
        with R.dataflow():
            w = R.const([[[[1.0]], [[2.0]]], [[[0.5]], [[0.25]]]], "float32")
            gamma = R.const([2.0, 0.5], "float32")
            beta = R.const([1.0, -1.0], "float32")
            mean = R.const([0.5, 0.25], "float32")
            variance = R.const([0.01, 4.0], "float32")
            c = R.nn.conv2d(x, w)
            n = R.nn.batch_norm(c, gamma, beta, mean, variance, axis=1, epsilon=0.001)
            i = n[0]
            y = R.nn.relu(i)
            R.output(y)
        return y
"""

IN_PLACE = """
@I.ir_module
class Module:
    @R.function(pure=False)
    def main(x: R.Tensor((4, 4), "float32")):
        h = R.negative(x)
        r = R.nn.relu(h)
        y = R.add(r, h)
        return y
"""

EFFECTS = """
@I.ir_module
class Module:
    @R.function(pure=False)
    def main(total: R.Tensor((4,), "float32"), x: R.Tensor((4,), "float32")):
        a = R.exp(x)
        s = R.call_packed("test.faulty.accumulate", total, a, ty_args=(R.Tensor((4,), "float32"),))
        t = R.call_packed("test.faulty.doubling", total, x, ty_args=(R.Tensor((4,), "float32"),))
        y = R.add(s, t)
        return y
"""

CALLS = """
@I.ir_module
class Module:
    @R.function(private=True)
    def layer(p: R.Tensor((4,), "float32"), q: R.Tensor((4,), "float32")):
        with R.dataflow():
            f = R.subtract(p, q)
            g = R.abs(f)
            R.output(g)
        return g

    @R.function
    def main(x: R.Tensor((4,), "float32"), z: R.Tensor((4,), "float32")):
        cls = Module
        with R.dataflow():
            zero = R.subtract(x, x)
            a = cls.layer(x, x)
            b = cls.layer(a, z)
            y = R.exp(b)
            R.output(y)
        return y
"""

BRANCHES = """
@I.ir_module
class Module:
    @R.function(private=True)
    def down(n: R.Tensor((), "float32")) -> R.Tensor((), "float32"):
        cls = Module
        again = R.greater(n, R.const(0.5, "float32"))
        if again:
            m = R.subtract(n, R.const(1.0, "float32"))
            r = cls.down(m)
        else:
            low = R.exp(n)
            r = R.negative(low)
        return r

    @R.function
    def main(x: R.Tensor((4,), "float32"), n: R.Tensor((), "float32"), c: R.Tensor((), "bool")):
        cls = Module
        if c:
            t = R.exp(x)
            f = R.negative(t)
        else:
            v = R.abs(x)
            f = R.sqrt(v)
        k = cls.down(n)
        y = R.add(f, k)
        return y
"""


@dataclass(frozen=True)
class Case:
    """A fault between correct passes. `path` are the names that blame must give."""

    text: str
    before: tuple[Pass, ...]
    fault: Pass
    after: tuple[Pass, ...]
    path: tuple[str, ...]
    rewrite: str
    arrays: tuple[Any, ...] = ()


def blamed(case: Case) -> tuple[Session, int, Blame]:
    """The session after all passes, the step of the fault, and who is blamed."""
    session = wb.open(wb.parse(case.text))
    for step in case.before:
        session.apply(step)
    wrong = session.apply(case.fault).index
    for step in case.after:
        session.apply(step)
    found = session.blame(*case.arrays, timeout=300)
    assert found is not None
    return session, wrong, found


def check(case: Case) -> Blame:
    _, wrong, found = blamed(case)
    assert found.index == wrong
    assert found.path == case.path
    assert case.rewrite in str(found.rewrite)
    assert found.difference is not None
    assert str(found.difference.expected) != str(found.difference.found)
    return found
