"""What was found where something else was expected, for messages."""

from __future__ import annotations

MAX_SHOWN = 40


def found(value: object) -> str:
    """A value and its type in few characters: `None`, or `'x'`, a `str`; long ones by type only."""
    if value is None or isinstance(value, type):
        return f"`{value if value is None else value.__name__}`"
    kind = type(value).__name__
    text = repr(value)
    article = "an" if kind[0].lower() in "aeio" else "a"
    if len(text) > MAX_SHOWN or "\n" in text:
        return f"{article} `{kind}`"
    return f"`{text}`, {article} `{kind}`"
