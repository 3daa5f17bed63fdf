"""ConvTranspose: the convolution of an image with zeros between its pixels and the flipped kernel.

Those zeros change no sum, so the errors are those of Conv; see ``bounds``. Source: ONNX ConvTranspose-11.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from corpus.case import Array
from harness.oracle.conv import conv
from harness.oracle.elementwise import move_reals
from harness.oracle.graph import Node
from harness.oracle.inputs import Inputs
from harness.oracle.values import Reals, Silent


@dataclass(frozen=True, slots=True)
class Spread:
    """Where pixels go: ``begins + stride * i`` of an image of ``sizes``; begins may be negative."""

    strides: tuple[int, ...]
    begins: tuple[int, ...]
    sizes: tuple[int, ...]


def conv_transpose(node: Node, inputs: Inputs) -> Reals:
    """``y[n, m, i * stride + k * dilation - pad] += x[n, c, i] w[c, m, k]``, plus a bias.

    Shapes: x ``(N, C, *S)``, w ``(C, M/group, *K)``, bias ``(M)``.

    Raises:
        Silent: shapes that do not fit.
    """
    x, w = inputs.reals(0), inputs.reals(1)
    groups = int(node.attributes.get("group", 1))
    shape = w.centre.shape
    if x.centre.ndim < 3 or len(shape) != x.centre.ndim or x.centre.shape[1] != shape[0]:
        raise Silent(f"x {x.centre.shape} and w {shape} do not fit", node.where)
    dilations = _numbers(node, "dilations", x.centre.ndim - 2, 1)
    spread = _spread(node, x.centre.shape[2:], shape[2:], dilations)
    plain = replace(node, attributes={"group": groups, "dilations": dilations})
    bias = inputs.reals(2) if inputs.has(2) else None
    return conv(plain, _spaced(x, spread), _flipped(w, groups), bias)


def _spread(
    node: Node, image: tuple[int, ...], kernel: tuple[int, ...], dilations: tuple[int, ...]
) -> Spread:
    rank = len(image)
    strides = _numbers(node, "strides", rank, 1)
    extra = _numbers(node, "output_padding", rank, 0)
    reach = [d * (k - 1) for d, k in zip(dilations, kernel, strict=True)]
    full = [
        s * (n - 1) + e + r + 1
        for s, n, e, r in zip(strides, image, extra, reach, strict=True)
    ]
    begins, ends = _pads(node, image, strides, full)
    sizes = tuple(f - b - e + r for f, b, e, r in zip(full, begins, ends, reach, strict=True))
    return Spread(strides, tuple(r - b for r, b in zip(reach, begins, strict=True)), sizes)


def _pads(
    node: Node, image: tuple[int, ...], strides: tuple[int, ...], full: list[int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What is cut from the full result before and behind."""
    rank, auto = len(image), node.attributes.get("auto_pad", b"NOTSET")
    target = node.attributes.get("output_shape")
    if target is None and auto in (b"SAME_UPPER", b"SAME_LOWER"):
        target = [n * s for n, s in zip(image, strides, strict=True)]
    if target is None:
        pads = _numbers(node, "pads", 2 * rank, 0)
        return pads[:rank], pads[rank:]
    totals = [max(f - t, 0) for f, t in zip(full, list(target)[-rank:], strict=True)]
    small = tuple(t // 2 for t in totals)
    large = tuple(t - t // 2 for t in totals)
    return (small, large) if auto == b"SAME_UPPER" else (large, small)


def _numbers(node: Node, name: str, count: int, default: int) -> tuple[int, ...]:
    numbers: tuple[int, ...] = tuple(node.attributes.get(name) or (default,) * count)
    if len(numbers) != count:
        raise Silent(f"{len(numbers)} {name} where {count} are needed", node.where)
    return numbers


def _spaced(x: Reals, spread: Spread) -> Reals:
    """Zeros between and around the pixels; 0 is on every grid."""
    columns = [
        np.arange(n) * s + b
        for n, s, b in zip(x.centre.shape[2:], spread.strides, spread.begins, strict=True)
    ]
    kept = [(c >= 0) & (c < n) for c, n in zip(columns, spread.sizes, strict=True)]
    everything = slice(None)
    places: Any = (
        everything,
        everything,
        *np.ix_(*(c[k] for c, k in zip(columns, kept, strict=True))),
    )
    sources: Any = (everything, everything, *np.ix_(*(np.flatnonzero(k) for k in kept)))

    def place(array: Array) -> Array:
        wide = np.zeros((*array.shape[:2], *spread.sizes))
        wide[places] = array[sources]
        return wide

    centre = place(x.centre)
    low, high = (centre, centre) if x.is_point else (place(x.low), place(x.high))
    grid = float(np.min(x.grid, initial=np.inf))
    quantum = None if x.quantum is None else float(np.max(x.quantum, initial=0.0))
    return Reals(low, centre, high, x.relative, 0.0 if np.isinf(grid) else grid, quantum)


def _flipped(w: Reals, groups: int) -> Reals:
    """``(C, M/group, *K)`` -> ``(M, C/group, *K)`` of a plain convolution."""

    def change(array: Array) -> Array:
        inner, outer, *kernel = array.shape
        parts = array.reshape(groups, inner // groups, outer, *kernel).swapaxes(1, 2)
        whole = parts.reshape(groups * outer, inner // groups, *kernel)
        turned: Array = np.flip(whole, tuple(range(2, whole.ndim)))
        return turned

    return move_reals(w, change)


OPERATORS: Mapping[str, Callable[[Node, Inputs], Any]] = MappingProxyType(
    {"ConvTranspose": conv_transpose}
)
