"""Sums of products over windows: ``acc[n, m, p] = sum x[n, c, p * stride + k * dilation] w[m, c, k]``.

Source: ONNX Conv-11, QLinearConv-10 (the same geometry). Plain float64: integer sums are exact below
2^53. One strided view gathers the windows; no kernel of the engine is used.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from corpus.case import Array
from harness.oracle.values import Silent


@dataclass(frozen=True, slots=True)
class Window:
    """Geometry of a convolution, one entry an axis; ``ends`` are the pads after the data."""

    groups: int
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    begins: tuple[int, ...]
    ends: tuple[int, ...]
    out: tuple[int, ...]


def window(
    attributes: Mapping[str, Any], x: tuple[int, ...], w: tuple[int, ...], where: str
) -> Window:
    """The geometry that the attributes of Conv or QLinearConv give for shapes x and w.

    Raises:
        Silent: shapes and attributes that do not fit each other.
    """
    rank = len(x) - 2
    groups = attributes.get("group", 1)
    _check_shapes(x, w, groups, attributes, where)
    kernel = w[2:]
    strides = _integers(attributes.get("strides"), rank, 1, where)
    dilations = _integers(attributes.get("dilations"), rank, 1, where)
    spans = tuple(d * (k - 1) + 1 for d, k in zip(dilations, kernel, strict=True))
    auto = attributes.get("auto_pad", b"NOTSET")
    if auto in (b"SAME_UPPER", b"SAME_LOWER"):
        begins, ends = _same_pads(x[2:], strides, spans, lower=auto == b"SAME_LOWER")
    elif auto == b"VALID":
        begins = ends = (0,) * rank
    elif auto in (b"NOTSET", b""):
        pads = _integers(attributes.get("pads"), 2 * rank, 0, where)
        begins, ends = pads[:rank], pads[rank:]
    else:
        raise Silent(f"auto_pad {auto!r} is not of the standard", where)
    room = [x[2 + i] + begins[i] + ends[i] - spans[i] for i in range(rank)]
    if min(room) < 0 or min(begins + ends) < 0:
        raise Silent(f"no room for kernel {kernel} in image {x[2:]}", where)
    out = tuple(r // s + 1 for r, s in zip(room, strides, strict=True))
    return Window(groups, kernel, strides, dilations, begins, ends, out)


def columns(x: Array, win: Window) -> Array:
    """Windows of x, padded with 0: ``(N, C, *image)`` -> ``(N, groups, C/groups * taps, pixels)``."""
    x = np.ascontiguousarray(_padded(x, win))
    batch, channels = x.shape[:2]
    steps = x.strides[2:]
    shape = (batch, channels, *win.kernel, *win.out)
    strides = (
        *x.strides[:2],
        *(s * d for s, d in zip(steps, win.dilations, strict=True)),
        *(s * d for s, d in zip(steps, win.strides, strict=True)),
    )
    taps = (channels // win.groups) * math.prod(win.kernel)
    view: Array = np.ndarray(shape, x.dtype, x, 0, strides)
    return view.reshape(batch, win.groups, taps, math.prod(win.out))


def weight_rows(w: Array, win: Window) -> Array:
    """``(M, C/groups, *kernel)`` -> ``(groups, M/groups, C/groups * taps)``."""
    rows = w.shape[0] // win.groups
    return w.reshape(win.groups, rows, w.shape[1] * math.prod(win.kernel))


def sums(cols: Array, rows: Array, win: Window) -> Array:
    """Products of ``columns`` and ``weight_rows`` -> ``(N, M, *out)``."""
    acc: Array = np.matmul(rows, cols)
    return acc.reshape(cols.shape[0], rows.shape[0] * rows.shape[1], *win.out)


def _padded(x: Array, win: Window) -> Array:
    if not any(win.begins) and not any(win.ends):
        return x
    image = x.shape[2:]
    sizes = (n + b + e for n, b, e in zip(image, win.begins, win.ends, strict=True))
    padded = np.zeros((*x.shape[:2], *sizes), x.dtype)
    inner = (slice(b, b + n) for n, b in zip(image, win.begins, strict=True))
    padded[(slice(None), slice(None), *inner)] = x
    return padded


def _same_pads(
    image: tuple[int, ...], strides: tuple[int, ...], spans: tuple[int, ...], *, lower: bool
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Pads so that ``out = ceil(image / stride)``; an odd one goes to the end, or the beginning."""
    totals = [
        max((-(-n // s) - 1) * s + span - n, 0)
        for n, s, span in zip(image, strides, spans, strict=True)
    ]
    small = tuple(t // 2 for t in totals)
    large = tuple(t - t // 2 for t in totals)
    return (large, small) if lower else (small, large)


def _check_shapes(
    x: tuple[int, ...],
    w: tuple[int, ...],
    groups: int,
    attributes: Mapping[str, Any],
    where: str,
) -> None:
    if len(x) < 3 or len(w) != len(x):
        raise Silent(f"x of shape {x} and w of shape {w} are not a convolution", where)
    if groups < 1 or w[0] % groups or w[1] * groups != x[1]:
        raise Silent(f"x of shape {x} and w of shape {w} do not fit {groups} groups", where)
    kernel = attributes.get("kernel_shape", w[2:])
    if tuple(kernel) != w[2:]:
        raise Silent(f"kernel_shape {kernel} is not that of w {w}", where)


def _integers(value: Any, count: int, default: int, where: str) -> tuple[int, ...]:
    if value is None:
        return (default,) * count
    numbers: tuple[int, ...] = tuple(value)
    if len(numbers) != count:
        raise Silent(f"{len(numbers)} numbers where {count} are needed", where)
    return numbers
