"""Write the TypeScript types of the view protocol from its Python structs.

`python tools/generate_protocol.py` writes the file; with `--check` it only says whether the file is
fresh (exit status 1 where it is not). The output depends on `protocol.py` and `messages.py` in
`workbench/view` alone.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args, get_origin

import msgspec
from msgspec import inspect

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from workbench.view import messages, protocol  # noqa: E402

NAMES = {**vars(protocol), **vars(messages)}
"""Everything that the two files of the protocol define, in their order."""
TARGET = ROOT / "extensions" / "view" / "src" / "protocol" / "generated.ts"
UNIONS = ("Message", "AnyIntent")
HEADER = """\
// Generated from workbench/view/protocol.py by `make protocol`. Do not edit.

/** Version of the protocol that these types describe. */
export const VERSION = {version};
"""


def main() -> int:
    """Write or check the generated file; gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail where the file is stale")
    check = parser.parse_args().check
    text = generate()
    if check:
        fresh = TARGET.exists() and TARGET.read_text(encoding="utf-8") == text
        if not fresh:
            sys.stderr.write(f"{TARGET.relative_to(ROOT)} is stale: run `make protocol`\n")
        return 0 if fresh else 1
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(text, encoding="utf-8")
    return 0


def generate() -> str:
    """The whole TypeScript file."""
    parts = [HEADER.format(version=protocol.VERSION)]
    parts.extend(
        f"export type {name} = {_literal(values)};\n" for values, name in _aliases().items()
    )
    parts.extend(_interface(struct) for struct in _structs())
    parts.extend(_union(name) for name in UNIONS)
    return "\n".join(parts)


def _structs() -> Iterator[type[msgspec.Struct]]:
    """Every struct of the protocol in the order of the file, without the two bases."""
    bases = (protocol.Struct, messages.Intent)
    for value in NAMES.values():
        if isinstance(value, type) and issubclass(value, protocol.Struct) and value not in bases:
            yield value


def _aliases() -> dict[tuple[str, ...], str]:
    """Names of the module's `Literal` aliases by their values, sorted as msgspec gives them."""
    return {
        tuple(sorted(map(str, get_args(value)))): name
        for name, value in NAMES.items()
        if get_origin(value) is Literal
    }


def _interface(struct: type[msgspec.Struct]) -> str:
    """One struct as an interface; every field is there, since msgspec writes defaults too."""
    info = inspect.type_info(struct)
    if not isinstance(info, inspect.StructType):
        raise TypeError(f"{struct.__name__} is not a struct")
    lines = [f"/** {_summary(struct)} */", f"export interface {struct.__name__} {{"]
    if info.tag_field is not None:
        lines.append(f"  readonly {info.tag_field}: '{info.tag}';")
    lines.extend(f"  readonly {field.encode_name}: {_type(field.type)};" for field in info.fields)
    return "\n".join([*lines, "}\n"])


def _summary(struct: type[msgspec.Struct]) -> str:
    """The first sentence of the docstring on one line."""
    paragraph = (struct.__doc__ or struct.__name__).strip().split("\n\n")[0]
    return " ".join(paragraph.split()).replace("*/", "* /")


def _type(info: inspect.Type) -> str:
    """A msgspec type as TypeScript."""
    match info:
        case inspect.StructType(cls=cls):
            return cls.__name__
        case inspect.LiteralType(values=values):
            return _aliases().get(tuple(sorted(map(str, values))), _literal(values))
        case inspect.ListType(item_type=item):
            inner = _type(item)
            return f"readonly ({inner})[]" if " " in inner else f"readonly {inner}[]"
        case inspect.DictType(value_type=value):
            return f"Readonly<Record<string, {_type(value)}>>"
        case inspect.UnionType(types=types):
            return " | ".join(dict.fromkeys(_type(part) for part in types))
        case _:
            return _scalar(info)


def _scalar(info: inspect.Type) -> str:
    """A scalar msgspec type as TypeScript."""
    names: dict[type[inspect.Type], str] = {
        inspect.StrType: "string",
        inspect.IntType: "number",
        inspect.FloatType: "number",
        inspect.BoolType: "boolean",
        inspect.NoneType: "null",
    }
    name = names.get(type(info))
    if name is None:
        raise TypeError(f"the view protocol has no TypeScript form of {info}")
    return name


def _literal(values: tuple[object, ...]) -> str:
    return " | ".join(f"'{value}'" for value in values)


def _union(name: str) -> str:
    """A union of tagged structs by their names."""
    members = " | ".join(member.__name__ for member in get_args(NAMES[name]))
    return f"export type {name} = {members};\n"


if __name__ == "__main__":
    raise SystemExit(main())
