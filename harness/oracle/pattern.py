"""Where a divergence sits, in a few words that are true of every wrong element."""

import numpy as np

from corpus.case import Array
from harness.oracle.values import CODE_TYPES, Allowed

LANES = (4, 8, 16)
FEW = 4  # wrong elements, below which a coincidence is no pattern


def describe(allowed: Allowed, values: Array, wrong: Array, distance: Array) -> str:
    """Place and manner: ``"channels 8..11 of 24, one step off"``.

    Shapes: ``values``, ``wrong`` (bool) and ``distance`` (signed, in steps) as the tensor, which is
    ``(N, C, *image)`` where it has three axes or more.
    """
    manner = _manner(allowed, values, wrong, distance)
    return ", ".join(each for each in (_place(wrong), manner) if each)


def _place(wrong: Array) -> str:
    count = int(np.count_nonzero(wrong))
    if count == wrong.size:
        return "all elements"
    if wrong.ndim < 2:
        return _span(wrong, "element") or f"{count} of {wrong.size} elements"
    names = _of_matrix(wrong) if wrong.ndim == 2 else _of_images(wrong)
    return ", ".join(each for each in names if each) or f"{count} of {wrong.size} elements"


def _of_matrix(wrong: Array) -> tuple[str, ...]:
    columns, rows = np.asarray(wrong.any(axis=0)), np.asarray(wrong.any(axis=1))
    return _span(columns, "column"), _span(rows, "row")


def _of_images(wrong: Array) -> tuple[str, ...]:
    channels = np.asarray(wrong.any(axis=(0, *range(2, wrong.ndim))))
    images = np.asarray(wrong.reshape(len(wrong), -1).any(axis=1))
    image = _span(images, "image") if np.count_nonzero(wrong) >= FEW else ""
    return _span(channels, "channel"), _pixels(np.asarray(wrong.any(axis=(0, 1)))), image


def _span(touched: Array, name: str) -> str:
    """Names indices that lie side by side, or in the same lanes of every block; not if it is all."""
    places = np.flatnonzero(touched)
    size, first, last = touched.size, int(places[0]), int(places[-1])
    if places.size == size:
        return ""
    if places.size == last - first + 1:
        return (
            f"{name} {first} of {size}"
            if first == last
            else f"{name}s {first}..{last} of {size}"
        )
    for lanes in LANES:
        within = np.unique(places % lanes)
        low, high = int(within[0]), int(within[-1])
        inside = np.arange(size) % lanes
        if within.size < lanes and (touched == ((inside >= low) & (inside <= high))).all():
            return f"{name}s {_lanes(low, high, lanes)}"
    return ""


def _lanes(low: int, high: int, lanes: int) -> str:
    """``"3 of each 8"``, ``"4..7 of each 8"``."""
    return f"{low} of each {lanes}" if low == high else f"{low}..{high} of each {lanes}"


def _pixels(touched: Array) -> str:
    """Names the pixels if they are the last ones in memory, rows or columns at an edge, a border."""
    if touched.all() or touched.size == 1:
        return ""
    flat = np.flatnonzero(touched)
    if flat[-1] == touched.size - 1 and flat.size == touched.size - flat[0]:
        return "last pixels"
    if edge := _edge(touched):
        return edge
    inner = touched[tuple(slice(1, -1) for _ in touched.shape)]
    return "border pixels" if inner.size and not inner.any() else ""


def _edge(touched: Array) -> str:
    """``"pixels of the last column"``: whole rows or columns at one end of a plane."""
    if touched.ndim != 2:
        return ""
    for axis, name in ((1, "row"), (0, "column")):
        lines = touched.any(axis=axis)
        if lines.all() or not (touched.all(axis=axis) == lines).all():
            continue
        places = np.flatnonzero(lines)
        if places.size == 1 and places[0] in (0, lines.size - 1):
            return f"pixels of the {'last' if places[0] else 'first'} {name}"
        if places[-1] == lines.size - 1 and places.size == lines.size - places[0]:
            return f"pixels of the last {name}s"
    return ""


def _manner(allowed: Allowed, values: Array, wrong: Array, distance: Array) -> str:
    off, centre = distance[wrong], allowed.centre[wrong]
    if _only_saturated(allowed, wrong):
        return "only saturated values"
    if (np.abs(off) == 1).all():
        return "one step off"
    if off.size > 1 and (off == off[0]).all() and float(off[0]).is_integer():
        return f"constant offset {int(off[0]):+d}"
    if _is_permutation(values[wrong], centre):
        return "the right values in other places"
    return _side(off) or _range(allowed, wrong)


def _is_permutation(values: Array, centre: Array) -> bool:
    if values.size < FEW or np.unique(centre).size < FEW:
        return False
    return bool((np.sort(values) == np.sort(centre)).all())


def _side(off: Array) -> str:
    if off.size < FEW:
        return ""
    return "all too high" if (off > 0).all() else "all too low" if (off < 0).all() else ""


def _range(allowed: Allowed, wrong: Array) -> str:
    """``"only codes from 17 up"``: wrong and right ones do not overlap."""
    if allowed.dtype not in CODE_TYPES or wrong.all() or np.count_nonzero(wrong) < FEW:
        return ""
    bad, good = allowed.centre[wrong], allowed.centre[~wrong]
    if good.max() < bad.min():
        return f"only codes from {bad.min()} up"
    return f"only codes up to {bad.max()}" if bad.max() < good.min() else ""


def _only_saturated(allowed: Allowed, wrong: Array) -> bool:
    ends = CODE_TYPES.get(allowed.dtype)
    if ends is None:
        return False
    centre = allowed.centre[wrong]
    if wrong.all():
        return False
    return bool(((centre == ends[0]) | (centre == ends[1])).all())
