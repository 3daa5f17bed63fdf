"""Text that is safe to show: names in models are hostile, numbers are read by people."""

import math


def visible(text: str) -> str:
    """The text on one line, with every control, bidi or unassigned character spelled out."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def short(text: str, limit: int = 48) -> str:
    """``visible`` text of at most ``limit`` characters, cut in the middle."""
    shown = visible(text[: limit * 2] + text[-limit:] if len(text) > limit * 3 else text)
    if len(shown) <= limit:
        return shown
    tail = (limit - 1) // 3
    return f"{shown[: limit - 1 - tail]}…{shown[len(shown) - tail :]}"


def plural(count: int, noun: str) -> str:
    """``1 case``, ``12,418 cases``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def number(value: float) -> str:
    """A value as a person writes it: ``255``, ``0.0625``, ``NaN``, ``infinity``."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "infinity" if value > 0 else "-infinity"
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.7g}"


def share(part: int, whole: int) -> str:
    """``58 %``; never 0 % of something and never 100 % of less than all."""
    if whole == 0 or part == 0:
        return "0 %"
    percent = round(100 * part / whole)
    if percent == 0:
        return "< 1 %"
    return "> 99 %" if percent == 100 and part < whole else f"{percent} %"


def clock(seconds: float) -> str:
    """``0:07``, ``12:30``, ``1:02:03``."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def size(count: int) -> str:
    """``611 bytes``, ``12 kB``."""
    return plural(count, "byte") if count < 10_000 else f"{count / 1000:,.0f} kB"
