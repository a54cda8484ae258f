"""Random programs of several blocks as script: producers and consumers to move and inline.

Element-wise blocks, stencils, padding, reversals, transposes, reductions, broadcasts, gathers,
buffers that two blocks write, buffers that are updated in place after others read them, inputs
that are overwritten, rounds that repeat blocks, flags that guard them; static extents and a
symbolic number of rows, which may be none.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.generate.choices import Choices, chance, pick
from tests.generate.programs import Program

DTYPES = ("float32", "float32", "int32", "int8", "uint8")


@dataclass(frozen=True, slots=True)
class Rows:
    """A number of rows: a constant, or a symbol and a constant."""

    number: int
    symbol: str = ""

    @property
    def text(self) -> str:
        if not self.symbol:
            return str(self.number)
        return f"{self.symbol} + {self.number}" if self.number else self.symbol

    def more(self, count: int) -> Rows:
        return Rows(self.number + count, self.symbol)


@dataclass(frozen=True, slots=True)
class Value:
    """A buffer of rows, and of columns where there are some."""

    name: str
    rows: Rows
    columns: int | None

    @property
    def shape(self) -> str:
        rows = f'"{self.rows.text}"' if self.rows.symbol else self.rows.text
        return f"{rows}, {self.columns}" if self.columns else f"{rows},"

    def at(self, row: str, column: str = "vj") -> str:
        return f"{self.name}[{row}, {column}]" if self.columns else f"{self.name}[{row}]"


@dataclass
class Stages:
    """A program under construction."""

    choices: Choices
    dtype: str
    params: list[Value] = field(default_factory=list[Value])
    values: list[Value] = field(default_factory=list[Value])
    lines: list[str] = field(default_factory=list[str])
    gathers: list[Rows] = field(default_factory=list[Rows])
    flag: bool = False
    """Whether a number 0 or 1 in memory says which of two values some blocks store."""
    depth: int = 1

    def number(self, value: int) -> str:
        return f"T.{self.dtype}({value})"

    def put(self, *lines: str) -> None:
        self.lines += ["    " * self.depth + line for line in lines]

    def block(self, name: str, out: Value, stores: str, reduced: int = 0) -> None:
        """One block over all elements of a buffer; `stores` are its statements."""
        loops = [("i", out.rows.text), *([("j", str(out.columns))] if out.columns else [])]
        loops += [("k", str(reduced))] if reduced else []
        if len(loops) > 1 and chance(self.choices, 4):
            loops = [*loops[1:], loops[0]]
        names, extents = ", ".join(n for n, _ in loops), ", ".join(e for _, e in loops)
        many = len(loops) > 1
        self.put(f"for {names} in {'T.grid' if many else 'range'}({extents}):")
        self.put(f'    with T.sblock("{name}"):')
        self.put(f"        vi = T.axis.spatial({out.rows.text}, i)")
        if out.columns:
            self.put(f"        vj = T.axis.spatial({out.columns}, j)")
        if reduced:
            self.put(f"        vk = T.axis.reduce({reduced}, k)")
        self.put(*(f"        {line}" for line in stores.splitlines()))

    def fresh(self, rows: Rows, columns: int | None) -> Value:
        found = Value(f"S{len(self.values)}", rows, columns)
        self.values.append(found)
        return found

    def simple(self, rows: Rows, columns: int | None, value: str) -> None:
        out = self.fresh(rows, columns)
        stored = f"{out.at('vi')} = {value}"
        if chance(self.choices, 12):
            self.flag = True
            other = f"{out.at('vi')} = {self.number(3)}"
            stored = f"if flag[0] > 0:\n    {stored}\nelse:\n    {other}"
        self.block(out.name, out, stored)


def random_stages(choices: Choices) -> Program:
    """A program of two to five blocks."""
    made = Stages(choices, pick(choices, DTYPES))
    symbolic = chance(choices, 4)
    rows = Rows(choices.integer(0, 2), "n") if symbolic else Rows(choices.integer(2, 7))
    source = Value("A", rows, choices.integer(2, 6))
    made.params += [source, Value("N", Rows(0, "n"), None)] if symbolic else [source]
    made.values.append(source)
    count = choices.integer(2, 4)
    repeat = choices.integer(1, count) if chance(choices, 4) else 0
    for number in range(count):
        if number + 1 == repeat:
            made.put("for t in range(2):")
            made.depth += 1
        _stage(made)
        if made.flag and chance(choices, 3):
            made.put(f'with T.sblock("turn{number}"):', "    flag[0] = T.int64(1) - flag[0]")
    affine = not (symbolic or made.gathers or made.flag)
    special = made.dtype.startswith("float") and chance(choices, 2)
    return Program(_script(made), {"n": choices.integer(0, 5)}, affine, symbolic, special)


def _stage(made: Stages) -> None:
    choices = made.choices
    x = pick(choices, made.values[-2:])
    if len(made.values) > 1 and chance(choices, 3):
        _in_place(made, x, choices.integer(0, 6))
        return
    (_matrix if x.columns else _vector)(made, x, choices.integer(0, 11))


def _matrix(made: Stages, x: Value, kind: int) -> None:  # noqa: C901 one case a kind
    rows, columns = x.rows, x.columns
    assert columns is not None
    match kind:
        case 0 | 1:
            made.simple(rows, columns, f"{x.at('vi')} * {made.number(2)} + {made.number(1)}")
        case 2 if rows.number > 2:
            value = f"{x.at('vi')} + {x.at('vi + 1')} * {made.number(3)} + {x.at('vi + 2')}"
            made.simple(rows.more(-2), columns, value)
        case 3:
            inside = f"1 <= vi and vi < {rows.more(1).text}"
            value = f"T.if_then_else({inside}, {x.at('vi - 1')}, {made.number(0)})"
            made.simple(rows.more(2), columns, value)
        case 4:
            made.simple(rows, columns, f"{x.at(f'{rows.more(-1).text} - vi')} * {made.number(3)}")
        case 5 if not rows.symbol:
            made.simple(Rows(columns), rows.number, f"{x.name}[vj, vi]")
        case 6 | 7:
            _row_reduction(made, x, "max" if kind == 6 else "sum")
        case 8:
            same = [v for v in made.values if (v.rows, v.columns) == (rows, columns)]
            made.simple(rows, columns, f"{x.at('vi')} - {pick(made.choices, same).at('vi')}")
        case 9 if rows.number >= 2:
            index = f"idx{len(made.gathers)}"
            made.gathers.append(rows)
            made.simple(rows, columns, x.at(f"{index}[vi]"))
        case 10:
            stored = f"A[vi, vj] = A[vi, vj] * {made.number(2)}"
            made.block(f"next{len(made.lines)}", made.params[0], stored)
        case 11 if rows.number >= 2 and not rows.symbol:
            _halves(made, x)
        case _:
            made.simple(rows, columns, f"{x.at('vi')} + {made.number(5)}")


def _row_reduction(made: Stages, x: Value, kind: str) -> None:
    out = made.fresh(x.rows, None)
    own, element = out.at("vi"), x.at("vi", "vk")
    start = made.number(0) if kind == "sum" else f'T.min_value("{made.dtype}")'
    update = f"{own} + {element}" if kind == "sum" else f"T.max({own}, {element})"
    stores = f"with T.init():\n    {own} = {start}\n{own} = {update}"
    made.block(out.name, out, stores, reduced=x.columns or 1)


def _in_place(made: Stages, x: Value, kind: int) -> None:
    """An update of a buffer that other blocks may read as it was before, or is in part."""
    rows = x.rows
    peers = [v for v in made.values if (v.rows, v.columns) == (rows, x.columns)]
    other, own, out = pick(made.choices, peers), x.at("vi"), x
    shorter = Value(x.name, rows.more(-1), x.columns)
    match kind:
        case 0 if rows.number >= 2:  # from the element after it
            out, value = shorter, f"{x.at('vi + 1')} * {made.number(3)}"
        case 1 if rows.number >= 2:  # not the last row
            out, value = shorter, f"{own} + {made.number(1)}"
        case 2 if rows.number >= 2:  # from the element before it, which is written already
            out, own = shorter, x.at("vi + 1")
            value = f"{x.at('vi')} + {made.number(1)}"
        case 3 if rows.number >= 2:  # the same backwards
            out, own = shorter, x.at(f"{rows.more(-1).text} - vi")
            value = f"{x.at(f'{rows.more(-2).text} - vi')} + {made.number(1)}"
        case 4:
            value = f"{other.at('vi')} * {made.number(2)}"
        case 5:
            value = f"{own} - {other.at('vi')}"
        case _:
            value = f"{own} * {made.number(2)}"
    made.block(f"up{len(made.lines)}", out, f"{own} = {value}")


def _halves(made: Stages, x: Value) -> None:
    out = made.fresh(x.rows, x.columns)
    first = x.rows.number // 2
    low = Value(out.name, Rows(first), x.columns)
    high = Value(out.name, x.rows.more(-first), x.columns)
    made.block(f"{out.name}_low", low, f"{out.at('vi')} = {x.at('vi')}")
    row = f"vi + {first}"
    made.block(f"{out.name}_high", high, f"{out.at(row)} = {x.at(row)} * {made.number(2)}")


def _vector(made: Stages, x: Value, kind: int) -> None:
    rows = x.rows
    match kind:
        case 0 | 1 | 2:
            made.simple(rows, 3, f"{x.at('vi')} + {made.number(1)}")
        case 3 | 4 if rows.number > 2:
            made.simple(rows.more(-2), None, f"{x.at('vi')} + {x.at('vi + 2')}")
        case 5 | 6:
            made.simple(rows, None, x.at(f"{rows.more(-1).text} - vi"))
        case 7 if not rows.symbol and rows.number % 2 == 0:
            made.simple(Rows(rows.number // 2), 2, f"{x.name}[vi * 2 + vj]")
        case 8 if not rows.symbol and rows.number % 2 == 0:
            made.simple(Rows(rows.number // 2), None, f"{x.at('vi * 2')} * {x.at('vi * 2 + 1')}")
        case _:
            made.simple(rows, None, f"{x.at('vi')} * {made.number(2)}")


def _script(made: Stages) -> str:
    """The program; the last buffer is an output, sometimes another one too."""
    outputs = {made.values[-1].name}
    if chance(made.choices, 4):
        outputs.add(pick(made.choices, made.values[1:] or made.values).name)
    params = [f'{v.name}: T.Buffer(({v.shape}), "{made.dtype}")' for v in made.params]
    for number, rows in enumerate(made.gathers):
        shape = f'"{rows.text}"' if rows.symbol else rows.text
        params.append(f'idx{number}: T.Buffer(({shape},), "int64")')
    if made.flag:
        params.append('flag: T.Buffer((1,), "int64")')
    inner: list[str] = []
    for value in made.values[1:]:
        if value.name in outputs:
            params.append(f'{value.name}: T.Buffer(({value.shape}), "{made.dtype}")')
        else:
            shape = value.shape.replace('"', "")
            inner.append(f'    {value.name} = T.sblock_alloc_buffer(({shape}), "{made.dtype}")')
    symbol = ["    n = T.int64()"] if made.params[0].rows.symbol else []
    head = ["@T.prim_func", f"def f({', '.join(params)}):"]
    return "\n".join([*head, *symbol, *inner, *made.lines]) + "\n"
