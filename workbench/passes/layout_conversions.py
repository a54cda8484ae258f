"""Conversions between layouts in a graph function: making them, moving them, dropping them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache

from workbench.analysis.homes import bindings_at_home
from workbench.analysis.index_map import IndexMap
from workbench.analysis.uses import argument_vars, own_vars
from workbench.ir import (
    Arg,
    Binding,
    CallOp,
    CallTIR,
    Constant,
    IRModule,
    TensorFunction,
    TensorType,
    Type,
    Var,
    free_vars,
    leaf_vars,
    type_of,
)
from workbench.rewrite import ModuleEditor, NodeRef, Relation
from workbench.schedule.layouts.flow import Found, canonical, flow_forward, places, same_layout
from workbench.schedule.layouts.relayout import relaid_function, with_unit_variables
from workbench.support import NodeId
from workbench.support.slot_init import sets_slots

CONVERSION = "layout_transform"
"""The operator that converts."""


@sets_slots
@dataclass(frozen=True, slots=True)
class Conversion:
    """A binding that gives a value in another layout."""

    binding: Binding
    source: Arg
    layout: IndexMap

    @property
    def type_(self) -> TensorType:
        """The type of the source."""
        return tensor_type(self.source)


@sets_slots
@dataclass(frozen=True, slots=True)
class Laid:
    """A value in another layout: `var` is the value at `layout`."""

    var: Var
    layout: IndexMap


def conversion(binding: Binding) -> Conversion | None:
    """The conversion that a binding is, None where it is something else."""
    call = binding.value
    if not isinstance(call, CallOp) or call.op != CONVERSION:
        return None
    type_ = type_of(call.args[0])
    text = dict(call.attrs).get("index_map")
    if not isinstance(type_, TensorType) or type_.shape is None or not isinstance(text, str):
        return None
    return Conversion(binding, call.args[0], read_layout(text))


@lru_cache(maxsize=1024)
def read_layout(text: str) -> IndexMap:
    """The map that a text says, of indices `i0`, `i1`.

    Raises:
        CompileError: `index-map/not-a-map`.
    """
    return canonical(IndexMap.of(text))


@lru_cache(maxsize=1024)
def undone(layout: IndexMap, type_: TensorType) -> IndexMap | None:
    """The way back to a tensor of that type; None where the layout has padding.

    Or where the way back would need the extents of the tensor.
    """
    assert type_.shape is not None
    inverse = layout.inverse(type_.shape)
    own = {var.id for var in inverse.variables}
    used = {var for value in inverse.values for var in free_vars(value).values()}
    if inverse.inside is not None or not {var.id for var in used} <= own:
        return None
    return canonical(IndexMap(inverse.variables, with_unit_variables(inverse)))


@sets_slots
@dataclass(frozen=True, slots=True)
class _Laying:
    """A layout of values of one type: their type in it, and what the conversion to it says."""

    layout: IndexMap
    type_: TensorType
    text: str
    places: str
    """Where the elements lie, as text: hashed once, and not as expressions."""

    def of(self, leaf: Arg) -> CallOp:
        """The call that converts a leaf."""
        return CallOp(CONVERSION, (leaf,), (("index_map", self.text),))


@lru_cache(maxsize=1024)
def _laying(layout: IndexMap, type_: TensorType) -> _Laying:
    shape = type_.shape
    assert shape is not None
    laid = replace(type_, shape=layout.map_shape(shape), ndim=None)
    return _Laying(layout, laid, layout.text, repr(places(layout, shape)))


@sets_slots
@dataclass(frozen=True, slots=True)
class _Form:
    """A tensor function in new layouts: of its arguments, of its output, and back from that."""

    function: TensorFunction
    operands: tuple[IndexMap | None, ...]
    out: _Laying | None
    back: _Laying | None


class Forms:
    """Forms of tensor functions that were asked for, by the objects: networks repeat layers."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], tuple[TensorFunction, Found, Type, _Form | str]] = {}

    def of(self, callee: TensorFunction, layouts: Found, binding: Binding) -> _Form | str:
        """The form that a call of `callee` gets, or why it gets none."""
        key = id(callee), id(layouts)
        known = self._known.get(key)
        type_ = binding.var.type
        if known is None or (known[2] is not type_ and known[2] != type_):
            known = callee, layouts, type_, _form(callee, layouts, binding)
            self._known[key] = known
        return known[3]


def _form(callee: TensorFunction, layouts: Found, binding: Binding) -> _Form | str:
    call, var = binding.value, binding.var
    assert isinstance(call, CallTIR)
    assert isinstance(var.type, TensorType)
    operands = tuple([layouts.get(param.id) for param in callee.params[: len(call.args)]])
    layout = layouts.get(callee.params[len(call.args)].id)
    way_back = None if layout is None else undone(layout, var.type)
    if layout is not None and way_back is None:
        return f"`{var.name}` would get padding"
    made = relaid_function(callee, layouts)
    if isinstance(made, str):
        return made
    if layout is None or way_back is None:
        return _Form(made, operands, None, None)
    out = _laying(layout, var.type)
    return _Form(made, operands, out, _laying(way_back, out.type_))


@dataclass(slots=True)
class Relayer:
    """Lays out calls of one graph function anew, with conversions of what they read and give.

    `laid` has the values that are there in another layout too; `calls` the values that belong to
    each call that was laid out.
    """

    editor: ModuleEditor
    function: str
    rule: str
    laid: dict[NodeId, Laid] = field(default_factory=dict[NodeId, Laid])
    calls: list[tuple[NodeId, ...]] = field(default_factory=list[tuple[NodeId, ...]])
    forms: Forms = field(default_factory=Forms)
    _made: dict[object, Var] = field(default_factory=dict[object, Var])

    def note(self, found: Conversion) -> None:
        """Remember a conversion that is there: its result is its source in another layout."""
        var, source = found.binding.var, found.source
        assert isinstance(var.type, TensorType)
        self._made.setdefault(_key(source, _laying(found.layout, found.type_)), var)
        back = undone(found.layout, found.type_)
        leaves_blocks = len(found.layout.final) < len(found.layout.initial)
        if isinstance(source, Var) and back is not None and leaves_blocks:
            self.laid[var.id] = Laid(source, back)

    def same(self, found: Conversion) -> Var | None:
        """The value that a conversion gives, where it is there already."""
        source = found.source
        known = self.laid.get(source.id) if isinstance(source, Var) else None
        if known is not None and _same(known.layout, found.layout, found.type_):
            return known.var
        return None

    def follow(self, binding: Binding) -> str | None:
        """Lay out a call as an operand of it; a reason where not, None where none has a layout."""
        callee = self.callee(binding)
        if callee is None:
            return None
        call = binding.value
        assert isinstance(call, CallTIR)
        pairs = list(zip(callee.params, call.args, strict=False))
        given = {
            param.id: self.laid[arg.id].layout
            for param, arg in pairs
            if isinstance(arg, Var) and arg.id in self.laid
        }
        if not given:
            return None
        layouts = flow_forward(callee, given)
        if isinstance(layouts, str):
            return layouts
        return self._too_much(binding, callee, layouts) or self.lay_out(binding, callee, layouts)

    def callee(self, binding: Binding) -> TensorFunction | None:
        """The tensor function of one output that a binding calls."""
        call = binding.value
        if not isinstance(call, CallTIR) or len(call.out_types) != 1:
            return None
        found = self.editor.function(call.callee)
        if isinstance(found, TensorFunction) and isinstance(binding.var.type, TensorType):
            return found
        return None

    def _too_much(self, binding: Binding, callee: TensorFunction, layouts: Found) -> str:
        """Whether more would have to be converted for the call than is saved."""
        call = binding.value
        assert isinstance(call, CallTIR)
        saved = needed = 0
        first = ""
        for param, arg in zip(callee.params, call.args, strict=False):
            has = self.laid.get(arg.id) if isinstance(arg, Var) else None
            layout = layouts.get(param.id)
            if has is not None and layout is not None and _same(has.layout, layout, type_of(arg)):
                saved += elements(has.var)
            elif layout is not None and isinstance(arg, Var) and not self._constant(arg):
                needed += elements(arg)
                first = first or arg.name
        return f"`{first}` would have to be converted instead" if needed > saved else ""

    def _constant(self, value: Var) -> bool:
        binding = self.editor.binding(self.function, value.id)
        return binding is not None and not argument_vars(binding.value)

    def lay_out(self, binding: Binding, callee: TensorFunction, layouts: Found) -> str:
        """Let a binding call the function in new layouts; a reason where it cannot be.

        The value keeps its id; where its layout changes it is converted back, and the call gives a
        new value.
        """
        call, var = binding.value, binding.var
        assert isinstance(call, CallTIR)
        form = self.forms.of(callee, layouts, binding)
        if isinstance(form, str):
            return form
        name = self.editor.add_function(f"{call.callee}_layout", form.function)
        args: list[Arg] = []
        moved: list[NodeId] = []
        for arg, layout in zip(call.args, form.operands, strict=True):
            leaf = arg if layout is None else self.leaf(arg, layout, var.id)
            args.append(leaf)
            if leaf is not arg and leaf != arg and isinstance(leaf, Var):
                moved.append(leaf.id)
        out, back = form.out, form.back
        if out is None or back is None:
            self.calls.append((var.id, *moved))
            new = CallTIR(name, tuple(args), call.out_types, call.scalars)
            self.editor.replace_value(self.function, var.id, new, self.rule)
            return ""
        result = self.editor.new_var(self.function, f"{var.name}_layout", out.type_)
        new = CallTIR(name, tuple(args), (out.type_,), call.scalars)
        self.editor.insert_before(self.function, var.id, Binding(result, new))
        self.editor.replace_value(self.function, var.id, back.of(result), self.rule)
        self._derive(var, result, out)
        self.calls.append((var.id, result.id, *moved))
        self.laid[var.id] = Laid(result, out.layout)
        return ""

    def leaf(self, arg: Arg, layout: IndexMap, anchor: NodeId) -> Arg:
        """A leaf in a layout: the one that is there, or a conversion before `anchor`."""
        type_ = tensor_type(arg)
        known = self.laid.get(arg.id) if isinstance(arg, Var) else None
        if known is not None and _same(known.layout, layout, type_):
            return known.var
        laying = _laying(layout, type_)
        key = _key(arg, laying)
        made = self._made.get(key)
        if made is None:
            name = f"{arg.name}_layout" if isinstance(arg, Var) else "layout"
            made = self.editor.new_var(self.function, name, laying.type_)
            self.editor.insert_before(self.function, anchor, Binding(made, laying.of(arg)))
            self._made[key] = made
            if isinstance(arg, Var):
                self._derive(arg, made, laying)
        return made

    def _derive(self, source: Var, result: Var, laying: _Laying) -> None:
        old, new = NodeRef(self.function, source.id), NodeRef(self.function, result.id)
        self.editor.derive(self.rule, (old,), (new,), Relation.LAYOUT, laying.text)


def _key(leaf: Arg, laying: _Laying) -> object:
    """What a conversion of a leaf gives, whatever the text of the map."""
    return leaf.id if isinstance(leaf, Var) else leaf, laying.places


def _same(a: IndexMap, b: IndexMap, type_: Type) -> bool:
    assert isinstance(type_, TensorType)
    return same_layout(a, b, type_.shape or ())


def tensor_type(leaf: Arg) -> TensorType:
    """The type of a leaf that is a tensor."""
    type_ = type_of(leaf)
    assert isinstance(type_, TensorType)
    return type_


def elements(value: Arg) -> int:
    """The number of elements, symbolic extents taken as 1."""
    type_ = type_of(value)
    shape = type_.shape if isinstance(type_, TensorType) else None
    count = 1
    for extent in shape or ():
        count *= extent if isinstance(extent, int) else 1
    return count


def conversions(module: IRModule) -> Iterator[tuple[str, Conversion]]:
    """All conversions in dataflow blocks, by function and in program order."""
    for name, function in module.graph_functions.items():
        for home, binding in bindings_at_home(function):
            found = conversion(binding) if home.dataflow else None
            if found is not None:
                yield name, found


def of_constant(found: Conversion, constants: frozenset[NodeId]) -> bool:
    """Whether a conversion can be computed now."""
    source = found.source
    return isinstance(source, Constant) or (isinstance(source, Var) and source.id in constants)


def without_unused_conversions(module: IRModule) -> IRModule:
    """The module without conversions that nothing reads."""
    editor = ModuleEditor(module)
    for name, function in module.graph_functions.items():
        reads: dict[NodeId, int] = {}
        placed = list(bindings_at_home(function))
        for _, binding in placed:
            for var in own_vars(binding.value):
                reads[var.id] = reads.get(var.id, 0) + 1
        for var in leaf_vars(function.result):
            reads[var.id] = reads.get(var.id, 0) + 1
        for home, binding in reversed(placed):
            if not home.dataflow or reads.get(binding.var.id) or conversion(binding) is None:
                continue
            editor.remove(name, binding.var.id)
            for var in own_vars(binding.value):
                reads[var.id] -= 1
    return editor.commit()
