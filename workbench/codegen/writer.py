"""Writes the text of one LLVM function.

Code is written into nested frames, one for each open loop or branch. An instruction without side
effects goes into the outermost frame that has its operands: loop-invariant code and common
subexpressions never enter a loop in the first place.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from workbench.codegen.values import Value, integer


@dataclass(slots=True)
class Frame:
    """Code under construction; `label` is the basic block that is open at its end."""

    label: str
    branch: bool = False
    lines: list[str] = field(default_factory=list[str])
    known: dict[tuple[str, ...], Value] = field(default_factory=dict[tuple[str, ...], Value])


class Declarations:
    """What a whole module declares once."""

    __slots__ = ("lines",)

    def __init__(self) -> None:
        self.lines: dict[str, None] = {}

    def add(self, line: str) -> None:
        """Declare; a second time does nothing."""
        self.lines[line] = None


class Writer:
    """Instructions, basic blocks and frames of one function."""

    def __init__(self, declarations: Declarations) -> None:
        self.declarations = declarations
        self.counter = 0
        self.allocas: list[str] = []
        self.cold: list[str] = []
        self.frames = [Frame("entry")]

    @property
    def level(self) -> int:
        """Depth of the innermost open frame."""
        return len(self.frames) - 1

    @property
    def frame(self) -> Frame:
        """The innermost open frame."""
        return self.frames[-1]

    def name(self, stem: str) -> str:
        """A name that is free in this function."""
        self.counter += 1
        return f"{stem}{self.counter}"

    def line(self, text: str) -> None:
        """One instruction at the end of the innermost frame."""
        self.frame.lines.append("  " + text)

    def label(self, name: str) -> None:
        """Start a basic block in the innermost frame."""
        self.frame.lines.append(name + ":")
        self.frame.label = name

    def pure(self, text: str, element: str, lanes: int, *operands: Value) -> Value:
        """An instruction without side effects: placed as far out as it can go, and only once."""
        level = 0
        for operand in operands:
            level = max(level, operand.level)
        for depth in range(self.level, level, -1):
            if self.frames[depth].branch:
                level = depth
                break
        key = (text, element)
        for frame in self.frames[: level + 1]:
            if (found := frame.known.get(key)) is not None:
                return found
        result = Value("%" + self.name("v"), element, lanes, level)
        self.frames[level].lines.append(f"  {result.ref} = {text}")
        self.frames[level].known[key] = result
        return result

    def effect(self, text: str, element: str, lanes: int) -> Value:
        """An instruction that stays where it is written, such as a load."""
        result = Value("%" + self.name("v"), element, lanes, self.level)
        self.line(f"{result.ref} = {text}")
        return result

    # --- instructions ---------------------------------------------------------------------

    def splat(self, value: Value, lanes: int) -> Value:
        """`value` in every lane."""
        if lanes == value.lanes:
            return value
        if not value.ref.startswith("%"):
            return Value(f"splat ({value.element} {value.ref})", value.element, lanes, value.level)
        vector = f"<{lanes} x {value.element}>"
        one = self.pure(
            f"insertelement {vector} poison, {value.typed}, i64 0", value.element, lanes, value
        )
        text = f"shufflevector {one.typed}, {vector} poison, <{lanes} x i32> zeroinitializer"
        return self.pure(text, value.element, lanes, one)

    def match(self, *values: Value) -> tuple[Value, ...]:
        """The values with one number of lanes."""
        lanes = max(value.lanes for value in values)
        return tuple(self.splat(value, lanes) for value in values)

    def op(self, opcode: str, a: Value, b: Value) -> Value:
        """A binary instruction on equal types, such as `fadd` or `add`."""
        a, b = self.match(a, b)
        return self.pure(f"{opcode} {a.typed}, {b.ref}", a.element, a.lanes, a, b)

    def compare(self, opcode: str, a: Value, b: Value) -> Value:
        """`icmp` or `fcmp` with its predicate."""
        a, b = self.match(a, b)
        return self.pure(f"{opcode} {a.typed}, {b.ref}", "i1", a.lanes, a, b)

    def convert(self, opcode: str, value: Value, element: str) -> Value:
        """A conversion instruction, such as `sext` or `bitcast`."""
        target = element if value.lanes == 1 else f"<{value.lanes} x {element}>"
        return self.pure(f"{opcode} {value.typed} to {target}", element, value.lanes, value)

    def select(self, condition: Value, a: Value, b: Value) -> Value:
        """`a` where the condition holds, else `b`; a scalar condition chooses whole vectors."""
        if condition.const is not None:
            return a if condition.const else b
        a, b = self.match(a, b)
        if condition.lanes > 1:
            condition, a, b = self.match(condition, a, b)
        text = f"select {condition.typed}, {a.typed}, {b.typed}"
        return self.pure(text, a.element, a.lanes, condition, a, b)

    def intrinsic(self, name: str, *operands: Value) -> Value:
        """An overloaded LLVM intrinsic whose result has the type of its operands."""
        values = self.match(*operands)
        first = values[0]
        suffix = {"float": "f32", "double": "f64"}.get(first.element, first.element)
        symbol = f"@llvm.{name}." + (f"v{first.lanes}{suffix}" if first.lanes > 1 else suffix)
        self.declarations.add(f"declare {first.type} {symbol}({', '.join(v.type for v in values)})")
        arguments = ", ".join(v.typed for v in values)
        return self.pure(
            f"call {first.type} {symbol}({arguments})", first.element, first.lanes, *values
        )

    def lane(self, vector: Value, index: int) -> Value:
        """One lane as a scalar."""
        if vector.lanes == 1:
            return vector
        return self.pure(f"extractelement {vector.typed}, i64 {index}", vector.element, 1, vector)

    def join(self, scalars: list[Value]) -> Value:
        """A vector of scalars."""
        if len(scalars) == 1:
            return scalars[0]
        lanes, element = len(scalars), scalars[0].element
        result = Value("poison", element, lanes)
        for index, value in enumerate(scalars):
            text = f"insertelement {result.typed}, {value.typed}, i64 {index}"
            result = self.pure(text, element, lanes, result, value)
        return result

    def any(self, mask: Value) -> Value:
        """Whether a lane of a mask is set, as `i1`."""
        if mask.lanes == 1:
            return mask
        symbol = f"@llvm.vector.reduce.or.v{mask.lanes}i1"
        self.declarations.add(f"declare i1 {symbol}({mask.type})")
        return self.pure(f"call i1 {symbol}({mask.typed})", "i1", 1, mask)

    # --- integers that fold ---------------------------------------------------------------

    def add(self, a: Value, b: Value) -> Value:
        """Integer sum."""
        if a.const is not None and b.const is not None:
            return integer(a.const + b.const, a.element)
        if a.const == 0 and a.lanes == 1:
            return b
        if b.const == 0 and b.lanes == 1:
            return a
        return self.op("add", a, b)

    def sub(self, a: Value, b: Value) -> Value:
        """Integer difference."""
        if a.const is not None and b.const is not None:
            return integer(a.const - b.const, a.element)
        return a if b.const == 0 else self.op("sub", a, b)

    def mul(self, a: Value, b: Value) -> Value:
        """Integer product."""
        if a.const is not None and b.const is not None:
            return integer(a.const * b.const, a.element)
        if a.const == 1:
            return b
        if b.const == 1:
            return a
        return self.op("mul", a, b)

    def checked_mul(self, a: Value, b: Value) -> tuple[Value, Value]:
        """Product of `i64` values, and whether it is right and both are not negative."""
        if a.const is not None and b.const is not None:
            product = a.const * b.const
            right = min(a.const, b.const) >= 0 and product < 1 << 63
            return integer(product), integer(int(right), "i1")
        symbol = "@llvm.umul.with.overflow.i64"
        self.declarations.add(f"declare {{i64, i1}} {symbol}(i64, i64)")
        pair = self.pure(f"call {{i64, i1}} {symbol}({a.typed}, {b.typed})", "pair", 1, a, b)
        product = self.pure(f"extractvalue {{i64, i1}} {pair.ref}, 0", "i64", 1, pair)
        wrong = self.pure(f"extractvalue {{i64, i1}} {pair.ref}, 1", "i1", 1, pair)
        sign = self.op("or", self.op("or", a, b), product)
        fine = self.compare("icmp sge", sign, integer(0))
        return product, self.logical("and", fine, self.negate(wrong))

    def logical(self, opcode: str, a: Value, b: Value) -> Value:
        """`and` or `or` of truth values."""
        for known, other in ((a, b), (b, a)):
            if known.const is not None and known.lanes == 1:
                neutral = int(opcode == "and")
                return other if known.const == neutral else known
        return self.op(opcode, a, b)

    def negate(self, value: Value) -> Value:
        """Logical not."""
        if value.const is not None:
            return integer(1 - value.const, "i1")
        return self.op("xor", value, integer(1, "i1"))

    # --- control flow ---------------------------------------------------------------------

    def push(self, label: str, *, branch: bool) -> None:
        """Open a frame whose first basic block is `label`."""
        self.frames.append(Frame(label, branch))

    def pop(self) -> Frame:
        """Close the innermost frame; its code is not yet placed."""
        return self.frames.pop()

    def place(self, frame: Frame, start: str) -> None:
        """Put a closed frame's code, under its first label, at the end of the innermost frame."""
        self.frame.lines.append(start + ":")
        self.frame.lines.extend(frame.lines)
        self.frame.label = frame.label

    def place_after_pop(self, start: str) -> None:
        """Close the innermost frame and place it."""
        self.place(self.pop(), start)

    def body(self) -> list[str]:
        """All lines of the function, without its head."""
        assert len(self.frames) == 1
        return ["entry:", *self.allocas, *self.frames[0].lines, *self.cold]
