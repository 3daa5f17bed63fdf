"""The heat map: distance in steps, channels down, pixels across, in a few classes of colour."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from reports.text import number

_MOST_ROWS, _MOST_COLUMNS = 64, 64
_TEXT_COLUMNS = 24
_LIMITS = (0.0, 1.0, 4.0, 16.0, 64.0)

Heat = Sequence[Sequence[float]]


@dataclass(frozen=True, slots=True)
class HeatCell:
    """``level`` names the colour (``0`` right to ``5``, ``n`` not finite); ``text`` may be empty."""

    level: str
    text: str
    steps: str


@dataclass(frozen=True, slots=True)
class HeatRow:
    """``8`` or, where several channels share a row, ``8–15``."""

    label: str
    cells: tuple[HeatCell, ...]


@dataclass(frozen=True, slots=True)
class HeatMap:
    """What is drawn; ``pooled`` says in words what a cell stands for, if not for one element."""

    rows: tuple[HeatRow, ...]
    columns: tuple[str, ...]
    pooled: str


def heat_map(heat: Heat) -> HeatMap:
    """The map of at most 64 x 64 cells; a cell that stands for several elements shows the worst."""
    channels, pixels = len(heat), max(map(len, heat), default=0)
    tall, wide = -(-channels // _MOST_ROWS) or 1, -(-pixels // _MOST_COLUMNS) or 1
    rows = tuple(
        HeatRow(_label(c, tall, channels), _cells(heat[c : c + tall], wide, pixels))
        for c in range(0, channels, tall)
    )
    columns = tuple(_label(p, wide, pixels) for p in range(0, pixels, wide))
    pooled = f"the worst of {tall} channels x {wide} pixels" if tall * wide > 1 else ""
    return HeatMap(rows, columns, pooled)


def legend() -> tuple[tuple[str, str], ...]:
    """Each level with the distances it stands for."""
    between = (f"up to {number(high)}" for high in _LIMITS[1:])
    names = ("right", *between, f"over {number(_LIMITS[-1])}")
    return (
        *((str(level), name) for level, name in enumerate(names)),
        ("n", "NaN or infinite"),
    )


def _label(first: int, width: int, count: int) -> str:
    last = min(first + width, count) - 1
    return str(first) if first == last else f"{first}–{last}"


def _cells(channels: Heat, wide: int, pixels: int) -> tuple[HeatCell, ...]:
    has_text = -(-pixels // wide) <= _TEXT_COLUMNS
    return tuple(_cell(_worst(channels, p, wide), has_text) for p in range(0, pixels, wide))


def _worst(channels: Heat, first: int, wide: int) -> float:
    values = [value for channel in channels for value in channel[first : first + wide]]
    return math.nan if any(map(math.isnan, values)) else max(values, default=0.0)


def _cell(steps: float, has_text: bool) -> HeatCell:
    if not math.isfinite(steps):
        return HeatCell("n", "∞" if steps == math.inf else "NaN", number(steps))
    level = sum(steps > limit for limit in _LIMITS)
    text = f"{steps:.3g}" if has_text and steps else ""
    return HeatCell(str(level), text, number(steps))
