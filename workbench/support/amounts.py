"""Amounts in words: bytes with three digits, `1 argument`, `21st`."""

from __future__ import annotations

BYTES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def counted(count: int, noun: str) -> str:
    """A number of things: `1 argument`, `2 arguments`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def ordinal(number: int) -> str:
    """A place in an order: `1st`, `12th`, `23rd`."""
    last = "th" if number % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(number % 10)
    return f"{number}{last or 'th'}"


def byte_count(count: int) -> str:
    """A number of bytes: `48 KiB`."""
    scale = 0
    value = float(count)
    while value >= 1023.5 and scale < len(BYTES) - 1:
        value, scale = value / 1024, scale + 1
    return f"{three_digits(value)} {BYTES[scale]}"


def three_digits(value: float) -> str:
    """Three digits, without an exponent: `2.1`, `268`, `1020`."""
    return f"{value:.0f}" if value >= 99.95 else f"{value:.3g}"
