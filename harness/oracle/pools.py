"""Pools and reductions on sets of values: largest, smallest, mean and sum of windows or axes.

Largest and smallest are monotone: the ends of the result are those of the ends. A mean of n values is
at most n - 1 additions and one quotient, or an exact integer sum and one product: ``gamma(n + 4)`` of
the mean magnitude covers both, as for a sum of products with weights 1 / n.

Source: ONNX MaxPool-12, AveragePool-19, ReduceMean-18 and their relatives.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from corpus.case import Array
from harness.oracle.bounds import EXACT_STEPS, FLOAT64_ALLOWANCE, SMALLEST_NORMAL, gamma
from harness.oracle.graph import Node
from harness.oracle.inputs import Inputs
from harness.oracle.values import (
    CODE_TYPES,
    FLOAT32_END,
    UNBOUNDED,
    Codes,
    Reals,
    Silent,
    Value,
    point_codes,
)

Reduce = Callable[[Array], Array]
_ORDER: Mapping[str, Callable[..., Array]] = MappingProxyType({"max": np.max, "min": np.min})


@dataclass(frozen=True, slots=True)
class Windows:
    """Where the windows of a pool lie: begins, sizes of the padded image, and of the output."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    begins: tuple[int, ...]
    ends: tuple[int, ...]
    out: tuple[int, ...]


def windows_of(node: Node, image: tuple[int, ...]) -> Windows:
    """The geometry that the attributes of a pool give for an image.

    With ceil_mode the last window may begin anywhere before the end pads.
    """
    rank = len(image)
    kernel = tuple(node.attributes.get("kernel_shape", ()))
    if len(kernel) != rank:
        raise Silent(f"kernel_shape {kernel} for an image of {rank} axes", node.where)
    strides = tuple(node.attributes.get("strides", (1,) * rank))
    dilations = tuple(node.attributes.get("dilations", (1,) * rank))
    pads = tuple(node.attributes.get("pads", (0,) * (2 * rank)))
    auto = node.attributes.get("auto_pad", b"NOTSET")
    ceil = bool(node.attributes.get("ceil_mode", 0))
    spans = [d * (k - 1) + 1 for d, k in zip(dilations, kernel, strict=True)]
    begins, ends, out = [], [], []
    for i, size in enumerate(image):
        begin, end = pads[i], pads[i + rank]
        if auto in (b"SAME_UPPER", b"SAME_LOWER"):
            total = max((-(-size // strides[i]) - 1) * strides[i] + spans[i] - size, 0)
            begin = total // 2 if auto == b"SAME_UPPER" else total - total // 2
            end = total - begin
        elif auto == b"VALID":
            begin = end = 0
        room = size + begin + end - spans[i]
        count = (-(-room // strides[i]) if ceil else room // strides[i]) + 1
        if ceil and (count - 1) * strides[i] >= size + begin:
            count -= 1
        if count < 1:
            raise Silent(f"no room for kernel {kernel} in image {image}", node.where)
        begins.append(begin)
        ends.append(max(end, (count - 1) * strides[i] + spans[i] - size - begin))
        out.append(count)
    return Windows(kernel, strides, dilations, tuple(begins), tuple(ends), tuple(out))


def gathered(x: Array, win: Windows, border: float) -> Array:
    """All windows of ``(N, C, *image)``: ``(N, C, *out, *kernel)``, with that border."""
    pads = [(0, 0), (0, 0), *zip(win.begins, win.ends, strict=True)]
    padded = np.ascontiguousarray(np.pad(x.astype(np.float64), pads, constant_values=border))
    steps = padded.strides[2:]
    strides = (
        *padded.strides[:2],
        *(s * t for s, t in zip(steps, win.strides, strict=True)),
        *(s * d for s, d in zip(steps, win.dilations, strict=True)),
    )
    shape = (*x.shape[:2], *win.out, *win.kernel)
    view: Array = np.ndarray(shape, padded.dtype, padded, 0, strides)
    return view


def max_pool(node: Node, inputs: Inputs) -> tuple[Value, ...]:
    """The largest of each window; borders never win. Indices only where nothing is in doubt."""
    x = inputs.value(0)
    win = windows_of(node, x.centre.shape[2:])
    axes = tuple(range(-len(win.kernel), 0))

    def largest(array: Array) -> Array:
        found: Array = gathered(array, win, -np.inf).max(axis=axes)
        return np.where(np.isinf(found), _lowest(x), found)

    y = monotone(x, largest)
    if len([name for name in node.outputs if name]) < 2:
        return (y,)
    if not x.is_point:
        raise Silent("indices of values in doubt are not judged", node.where)
    if isinstance(x, Reals) and x.relative and not isinstance(x.quantum, float):
        raise Silent("float32 may order values of several scales in other ways", node.where)
    return y, _indices(x, win, bool(node.attributes.get("storage_order", 0)))


def _lowest(x: Value) -> float:
    if isinstance(x, Codes):
        return float(CODE_TYPES[x.dtype][0])
    return -UNBOUNDED


def _indices(x: Value, win: Windows, by_columns: bool) -> Codes:
    """The flat index of the first largest element of each window."""
    places = gathered(_flat(x.centre.shape, by_columns), win, -1)
    values = gathered(x.centre, win, -np.inf)
    lead = values.shape[: -len(win.kernel)]
    best = values.reshape(*lead, -1).argmax(axis=-1)
    chosen = np.take_along_axis(places.reshape(*lead, -1), best[..., None], -1)[..., 0]
    return point_codes(chosen.astype(np.int64))


def _flat(shape: tuple[int, ...], by_columns: bool) -> Array:
    """The number of each element; ``by_columns`` an image's first axis runs fastest, not its last."""
    numbers = np.arange(math.prod(shape), dtype=np.float64)
    if not by_columns:
        return numbers.reshape(shape)
    image = range(len(shape) - 1, 1, -1)
    return numbers.reshape(*shape[:2], *(shape[axis] for axis in image)).transpose(
        0, 1, *image
    )


def monotone(x: Value, change: Reduce) -> Value:
    """An order-based function of the ends; grid and quantum are those of the whole tensor."""
    centre = change(x.centre)
    low, high = (centre, centre) if x.is_point else (change(x.low), change(x.high))
    if isinstance(x, Codes):
        other = centre if x.other is x.centre else change(x.other)
        return Codes(x.dtype, low, centre, high, other)
    return Reals(
        low, centre, high, x.relative, float(np.min(x.grid, initial=np.inf)), _one_quantum(x)
    )


def _one_quantum(x: Reals) -> float | None:
    return None if x.quantum is None else float(np.max(x.quantum, initial=0.0))


def average_pool(node: Node, x: Reals) -> Reals:
    """The mean of each window, of what lies in the image or (count_include_pad) in its pads."""
    win = windows_of(node, x.centre.shape[2:])
    axes = tuple(range(-len(win.kernel), 0))
    ones = np.ones((1, 1, *x.centre.shape[2:]))
    if node.attributes.get("count_include_pad", 0):
        counts = _count_with_pads(ones, win, node, axes)
    else:
        counts = gathered(ones, win, 0.0).sum(axis=axes)
    return _mean(x, counts, lambda array: gathered(array, win, 0.0).sum(axis=axes), win.kernel)


def _count_with_pads(ones: Array, win: Windows, node: Node, axes: tuple[int, ...]) -> Array:
    """The image and its own pads count; what ceil_mode adds behind them does not."""
    rank = len(win.kernel)
    pads = tuple(node.attributes.get("pads", (0,) * (2 * rank)))
    own = win.ends if node.attributes.get("auto_pad", b"NOTSET") != b"NOTSET" else pads[rank:]
    grown = np.pad(
        ones, [(0, 0), (0, 0), *zip(win.begins, own, strict=True)], constant_values=1.0
    )
    beyond = tuple(e - p for e, p in zip(win.ends, own, strict=True))
    inner = replace(win, begins=(0,) * rank, ends=beyond)
    counts: Array = gathered(grown, inner, 0.0).sum(axis=axes)
    return counts


def _mean(x: Reals, counts: Array, total: Reduce, taps: tuple[int, ...]) -> Reals:
    """``total / counts`` with the errors of a mean; exact where sum and quotient are."""
    number = math.prod(taps)
    centre = total(x.centre) / counts
    low, high = (
        (centre, centre) if x.is_point else (total(x.low) / counts, total(x.high) / counts)
    )
    size = total(x.size()) / counts
    error = FLOAT64_ALLOWANCE * (x.relative + gamma(number + 4)) * size + SMALLEST_NORMAL
    quantum = _one_quantum(x)
    if quantum is not None:
        # a fused kernel that expands q - zero adds up zero points as well
        error = error + FLOAT64_ALLOWANCE * gamma(number + 4) * 256 * quantum
    grid = _mean_grid(x, counts, size)
    error = np.where(grid > 0, 0.0, error)
    error = np.where(size * counts >= FLOAT32_END / 2, 2 * UNBOUNDED, error)
    if x.is_point and not error.any():
        low = high = centre
    else:
        low, high = low - error, high + error
    quantum_of = None if quantum is None else quantum / np.broadcast_to(counts, centre.shape)
    return Reals(low, centre, high, grid=grid, quantum=quantum_of)


def _mean_grid(x: Reals, counts: Array, size: Array) -> Array:
    """Where every sum and the quotient are exact: small sums of multiples, powers of two of them."""
    unit = float(np.min(x.grid, initial=np.inf))
    if not 0 < unit < np.inf:
        return np.zeros(size.shape)
    whole = np.broadcast_to(counts, size.shape)
    exact = (size * whole <= EXACT_STEPS * unit) & (np.frexp(whole)[0] == 0.5)
    return np.where(exact, unit / whole, 0.0)


def global_average(node: Node, x: Reals) -> Value:
    """The mean of each plane."""
    return _reduced(node, x, tuple(range(2, x.centre.ndim)), keep=True, what="mean")


def global_max(node: Node, x: Value) -> Value:
    """The largest of each plane."""
    return _reduced(node, x, tuple(range(2, x.centre.ndim)), keep=True, what="max")


def reduction(node: Node, inputs: Inputs) -> Value:
    """ReduceMax, ReduceMin, ReduceMean, ReduceSum over axes (attribute or input)."""
    given = inputs.optional(1)
    axes = node.attributes.get("axes", ()) if given is None else given.tolist()
    return reduced(node, inputs.value(0), axes, node.op.removeprefix("Reduce").lower())


def reduced(node: Node, x: Value, axes: Sequence[int], what: str) -> Value:
    """``what`` over axes; over all without any, unless noop_with_empty_axes says over none."""
    if not axes and node.attributes.get("noop_with_empty_axes", 0):
        return x
    rank = x.centre.ndim
    places = tuple(int(each) % max(rank, 1) for each in axes or range(rank))
    keep = bool(node.attributes.get("keepdims", 1))
    return _reduced(node, x, places, keep=keep, what=what)


def _reduced(node: Node, x: Value, axes: tuple[int, ...], *, keep: bool, what: str) -> Value:
    if what in _ORDER:
        order = _ORDER[what]
        if 0 in x.centre.shape:
            raise Silent("nothing is the largest of nothing", node.where)
        return monotone(x, lambda array: order(array, axis=axes, keepdims=keep))
    if not isinstance(x, Reals):
        raise Silent("sums and means of integers are not judged", node.where)
    taps = tuple(x.centre.shape[i] for i in axes)
    counts = np.asarray(float(math.prod(taps)) if what == "mean" else 1.0)
    if not counts:
        raise Silent("the mean of nothing is not defined", node.where)
    return _mean(x, counts, lambda array: array.sum(axis=axes, keepdims=keep), taps)


OPERATORS: Mapping[str, Callable[[Node, Inputs], Value | tuple[Value, ...]]] = (
    MappingProxyType(
        {
            "AveragePool": lambda node, inputs: average_pool(node, inputs.reals(0)),
            "GlobalAveragePool": lambda node, inputs: global_average(node, inputs.reals(0)),
            "GlobalMaxPool": lambda node, inputs: global_max(node, inputs.value(0)),
            "MaxPool": max_pool,
            "ReduceMax": reduction,
            "ReduceMean": reduction,
            "ReduceMin": reduction,
            "ReduceSum": reduction,
        }
    )
)
