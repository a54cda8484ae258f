"""Rules of the codebase that no linter sees; CONTRIBUTING.md gives their reasons."""

import ast
import dataclasses
import enum
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import workbench.ir
from tools import diagnostic_codes, extension
from workbench import passes
from workbench.ir import GraphFunction, TensorFunction

MAX_LINES = 500
SOURCES = ["workbench", "tests", "tools", "benchmarks", "extensions"]
SUFFIXES = {".py", ".ts", ".tsx", ".css"}
VALUES = {str, int, float, bool, types.NoneType}
REWRITE_BLOCK = re.compile(r"^Rewrite::\n\n(?: .*\n|\n)* +=>", re.MULTILINE)


def test_no_file_is_longer_than_500_lines(repository: Path) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *SOURCES],
        cwd=repository,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    files = [path for name in tracked if (path := repository / name).suffix in SUFFIXES]
    files = [path for path in files if path.exists() and path.name != "generated.ts"]
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert len(lengths) > 100
    assert {path.name: count for path, count in lengths.items() if count > MAX_LINES} == {}


def test_public_functions_say_what_they_raise(repository: Path) -> None:
    files = sorted((repository / "workbench").rglob("*.py"))
    silent = [f"{path.name}: {name}" for path in files for name in silent_functions(path)]
    assert len(files) > 100
    assert silent == []


def test_the_check_of_raises_sees_what_it_is_for(tmp_path: Path) -> None:
    path = tmp_path / "some.py"
    text = 'def f():\n    """Gives."""\n    raise CompileError(x)\n'
    path.write_text(text + text.replace("f()", "_f()"), encoding="utf-8")
    assert list(silent_functions(path)) == ["f"]


def silent_functions(path: Path) -> Iterator[str]:
    """Public functions that raise a `CompileError` and whose docstrings do not say so."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    classes = [c for c in tree.body if isinstance(c, ast.ClassDef) and not c.name.startswith("_")]
    for function in (item for scope in (tree, *classes) for item in scope.body):
        if not isinstance(function, ast.FunctionDef) or function.name.startswith("_"):
            continue
        inherited = any(ast.unparse(d) == "override" for d in function.decorator_list)
        raised = [n.exc for n in ast.walk(function) if isinstance(n, ast.Raise) and n.exc]
        raises = any("CompileError" in ast.unparse(error) for error in raised)
        if raises and not inherited and "Raises:" not in (ast.get_docstring(function) or ""):
            yield function.name


def test_nodes_are_frozen_and_hold_only_values() -> None:
    nodes = reachable_classes(GraphFunction, TensorFunction)
    assert len(nodes) > 30
    assert [fault for node in nodes for fault in faults_of_node(node)] == []


def test_the_check_of_nodes_sees_what_it_is_for() -> None:
    @dataclass
    class Thawed:
        value: int

    @dataclass(frozen=True, slots=True)
    class Listed:
        values: list[int]
        action: Callable[[], None]

    assert faults_of_node(Thawed) == ["Thawed is not frozen", "Thawed has no slots"]
    assert len(faults_of_node(Listed)) == 2


@pytest.mark.parametrize("kind", passes.BUILTIN_PASSES, ids=lambda kind: kind.__name__)
def test_builtin_pass_shows_what_it_rewrites(kind: type[passes.Pass]) -> None:
    module = sys.modules[kind.__module__]
    assert REWRITE_BLOCK.search(inspect.getdoc(module) or "") is not None
    assert module.__name__.rsplit(".", 1)[1] == kind.name.replace("-", "_")


def test_every_pass_that_a_file_defines_is_listed() -> None:
    defined = {
        kind
        for module in modules_of(passes)
        for kind in vars(module).values()
        if inspect.isclass(kind) and issubclass(kind, passes.Pass)
        if kind.__module__.startswith("workbench.passes.") and not inspect.isabstract(kind)
    }
    assert defined == set(passes.BUILTIN_PASSES)


def test_every_diagnostic_code_is_explained() -> None:
    used = diagnostic_codes.used()
    assert len(used) > 50
    assert sorted(set(used) - diagnostic_codes.explained()) == []


def test_no_explained_code_is_gone() -> None:
    assert sorted(diagnostic_codes.explained() - set(diagnostic_codes.used())) == []


def test_generated_protocol_is_fresh(repository: Path) -> None:
    script = repository / "tools" / "generate_protocol.py"
    done = subprocess.run([sys.executable, script, "--check"], check=False, capture_output=True)
    assert done.returncode == 0, "run `make protocol`"


def test_locks_name_no_address(repository: Path) -> None:
    lock = (extension.SOURCES / "package-lock.json").read_text(encoding="utf-8")
    assert re.findall(r'"resolved": "https?:[^"]*"', lock) == []
    assert "://" not in (repository / "constraints.txt").read_text(encoding="utf-8")


def faults_of_node(node: type) -> list[str]:
    """What keeps a dataclass from being a node of the intermediate representation."""
    faults: list[str] = []
    parameters = typing.cast("typing.Any", node).__dataclass_params__
    if not parameters.frozen:
        faults.append(f"{node.__name__} is not frozen")
    if "__slots__" not in vars(node):
        faults.append(f"{node.__name__} has no slots")
    for name, hint in hints_of(node).items():
        faults += [f"{node.__name__}.{name} may be a {bad}" for bad in no_values(hint, frozenset())]
    return faults


def no_values(hint: object, seen: frozenset[str]) -> Iterator[object]:
    """The parts of a type hint that are neither nodes, tuples, plain values nor enums."""
    for part in parts_of(hint, seen):
        is_enum = isinstance(part, type) and issubclass(part, enum.Enum)
        if part not in VALUES and not is_enum and not dataclasses.is_dataclass(part):
            yield part


def parts_of(hint: object, seen: frozenset[str] = frozenset()) -> Iterator[object]:
    """The classes that a hint consists of; unions, tuples and recursive aliases are opened."""
    origin = typing.get_origin(hint)
    text = hint.__forward_arg__ if isinstance(hint, typing.ForwardRef) else hint
    if isinstance(text, str):
        if text not in seen:
            yield from parts_of(eval(text, names_of_ir()), seen | {text})
    elif isinstance(hint, typing.NewType):
        yield from parts_of(hint.__supertype__, seen)
    elif origin is typing.Literal:
        yield from {type(value) for value in typing.get_args(hint)}
    elif origin in {typing.Union, types.UnionType, tuple}:
        for part in typing.get_args(hint):
            if part is not Ellipsis:
                yield from parts_of(part, seen)
    else:
        yield hint


def reachable_classes(*roots: type) -> list[type]:
    """The dataclasses that the fields of the roots can hold, the roots first."""
    found = list(roots)
    for node in found:
        for hint in hints_of(node).values():
            new = [p for p in parts_of(hint) if isinstance(p, type) and dataclasses.is_dataclass(p)]
            found += [part for part in dict.fromkeys(new) if part not in found]
    return found


def hints_of(node: type) -> dict[str, object]:
    """The resolved types of a dataclass's fields."""
    hints = typing.get_type_hints(node, localns=names_of_ir())
    return {entry.name: hints[entry.name] for entry in dataclasses.fields(node)}


def names_of_ir() -> dict[str, object]:
    """Every name that the modules of `workbench.ir` define, for hints that are text."""
    return {
        name: value for module in modules_of(workbench.ir) for name, value in vars(module).items()
    }


def modules_of(package: types.ModuleType) -> list[types.ModuleType]:
    """All modules of a package, imported."""
    found = pkgutil.walk_packages(package.__path__, package.__name__ + ".")
    return [importlib.import_module(entry.name) for entry in found]
