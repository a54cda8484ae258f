"""Amounts in words, with three digits."""

from __future__ import annotations

BYTES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


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
