"""Where a divergence sits, in a few words that are true of every wrong element."""

import numpy as np

from corpus.case import Array
from harness.oracle.values import CODE_TYPES, Allowed


def describe(allowed: Allowed, wrong: Array, distance: Array) -> str:
    """Place and manner: ``"channels 8..11 of 24, one step off"``.

    Shapes: ``wrong`` (bool) and ``distance`` (signed, in steps) as the tensor ``(N, C, *image)``.
    """
    manner = _manner(allowed, wrong, distance)
    return ", ".join(each for each in (_place(wrong), manner) if each)


def _place(wrong: Array) -> str:
    count = int(np.count_nonzero(wrong))
    if count == wrong.size:
        return "all elements"
    if wrong.ndim < 3:
        return f"{count} of {wrong.size} elements"
    names = (_channels(wrong), _pixels(np.asarray(wrong.any(axis=(0, 1)))))
    return ", ".join(each for each in names if each) or f"{count} of {wrong.size} elements"


def _channels(wrong: Array) -> str:
    """Names the channels if not all of them are touched and they lie side by side."""
    touched = np.flatnonzero(wrong.any(axis=(0, *range(2, wrong.ndim))))
    first, last = int(touched[0]), int(touched[-1])
    if touched.size == wrong.shape[1] or touched.size != last - first + 1:
        return ""
    name = f"channel {first}" if first == last else f"channels {first}..{last}"
    return f"{name} of {wrong.shape[1]}"


def _pixels(touched: Array) -> str:
    """Names the pixels if they are a border, or the last ones in memory."""
    if touched.all() or touched.size == 1:
        return ""
    flat = np.flatnonzero(touched)
    if flat[-1] == touched.size - 1 and flat.size == touched.size - flat[0]:
        return "last pixels"
    inner = touched[tuple(slice(1, -1) for _ in touched.shape)]
    return "border pixels" if inner.size and not inner.any() else ""


def _manner(allowed: Allowed, wrong: Array, distance: Array) -> str:
    off = distance[wrong]
    if _only_saturated(allowed, wrong):
        return "only saturated values"
    if (np.abs(off) == 1).all():
        return "one step off"
    if off.size > 1 and (off == off[0]).all() and float(off[0]).is_integer():
        return f"constant offset {int(off[0]):+d}"
    return ""


def _only_saturated(allowed: Allowed, wrong: Array) -> bool:
    ends = CODE_TYPES.get(allowed.dtype)
    if ends is None:
        return False
    centre = allowed.centre[wrong]
    if wrong.all():
        return False
    return bool(((centre == ends[0]) | (centre == ends[1])).all())
