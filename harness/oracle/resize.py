"""Resize: nearest moves elements; linear and cubic are sums with fixed weights that add up to 1.

The standard's own evaluator gives the weights, in float64. Errors of a float32 kernel: at most 16
roundings of weights, products and sums, and a coordinate of an axis of n pixels with 6 roundings, which
moves the sample by ``gamma(6) (n + 1)`` pixels and the value by that much of the tensor's whole spread,
times 4 for the steepest cubic. With scales that are powers of two the coordinates and the weights
of linear are exact.

Source: ONNX Resize-10..19.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from corpus.case import Array
from harness.oracle.bounds import EXACT_STEPS, FLOAT64_ALLOWANCE, SMALLEST_NORMAL, gamma
from harness.oracle.graph import Node
from harness.oracle.inputs import Inputs
from harness.oracle.movement import taken
from harness.oracle.standard import evaluate
from harness.oracle.values import FLOAT32_END, UNBOUNDED, Reals, Silent, Value

CUBIC_WEIGHTS = 1.5
"""More than the sum of the four weights' magnitudes, which is at most 1.375 for -0.75."""

Others = Sequence[Array | None]


def resize(node: Node, inputs: Inputs) -> Value:
    """A tensor of another size; shapes as the standard's evaluator gives them.

    Raises:
        Silent: values made up outside the image, antialiasing, integers between pixels.
    """
    x = inputs.value(0)
    mode = node.attributes.get("mode", b"nearest").decode()
    others = [inputs.optional(i) for i in range(1, len(node.inputs))]
    others = [None if each is None or not each.size else each for each in others]
    how = node.attributes.get("coordinate_transformation_mode", b"half_pixel")
    if how == b"tf_crop_and_resize":
        raise Silent("tf_crop_and_resize is not judged", node.where)
    if how == b"align_corners" and _is_fractional(node, x.centre.shape, others):
        raise Silent(
            "align_corners of a fractional size: the standard's text takes the whole length, "
            "its evaluator the fractional one",
            node.where,
        )
    if node.attributes.get("antialias", 0):
        raise Silent("antialiasing is not judged", node.where)
    if mode == "nearest":
        return _nearest(node, x, others)
    if not isinstance(x, Reals):
        raise Silent("how integers between pixels are rounded is not said", node.where)
    found = _linear(node, x, others) if mode == "linear" else _cubic(node, x, others)
    return _widened(node, x, found, others)


def _nearest(node: Node, x: Value, others: Others) -> Value:
    shape = x.centre.shape
    indices = np.arange(int(np.prod(shape)), dtype=np.float64).reshape(shape)
    (places,) = evaluate(node, [indices, *others])
    return taken(x, np.rint(places).astype(np.int64))


Sums = tuple[Array, Array, Array, Array]


def _linear(node: Node, x: Reals, others: Others) -> Sums:
    """Low, centre, high and the sum of magnitudes; no weight is negative."""
    ends = [evaluate(node, [each, *others])[0] for each in (x.centre, x.size())]
    if x.is_point:
        return ends[0], ends[0], ends[0], ends[1]
    low, high = (evaluate(node, [each, *others])[0] for each in (x.low, x.high))
    return low, ends[0], high, ends[1]


def _cubic(node: Node, x: Reals, others: Others) -> Sums:
    """As above; the magnitudes are bounded by the largest."""
    (centre,) = evaluate(node, [x.centre, *others])
    axes = sum(a != b for a, b in zip(x.centre.shape, centre.shape, strict=True))
    most = CUBIC_WEIGHTS**axes
    size = np.full(centre.shape, most * x.size().max(initial=0.0))
    if x.is_point:
        return centre, centre, centre, size
    (middle,) = evaluate(node, [(x.low + x.high) / 2, *others])
    radius = most * ((x.high - x.low) / 2).max(initial=0.0)
    return middle - radius, centre, middle + radius, size


def _widened(node: Node, x: Reals, sums: Sums, others: Others) -> Reals:
    low, centre, high, size = sums
    spread = float(x.high.max(initial=0.0) - x.low.min(initial=0.0))
    moved = sum(
        gamma(6) * (max(a, b) + 1)
        for a, b in zip(x.centre.shape, centre.shape, strict=True)
        if a != b
    )
    error = FLOAT64_ALLOWANCE * ((x.relative + gamma(16)) * size + 4 * moved * spread)
    error = error + SMALLEST_NORMAL
    unit = float(np.min(x.grid, initial=np.inf)) * _weight_unit(node, others)
    exact = (size <= EXACT_STEPS * unit) & (unit >= SMALLEST_NORMAL) & np.isfinite(unit)
    error = np.where(exact, 0.0, error)
    error = np.where(size >= FLOAT32_END / 2, 2 * UNBOUNDED, error)
    grid = np.where(exact, unit, 0.0)
    quantum = None if x.quantum is None else float(np.max(x.quantum, initial=0.0))
    if low is centre and not error.any():
        return Reals(centre, centre, centre, grid=grid, quantum=quantum)
    return Reals(low - error, centre, high + error, grid=grid, quantum=quantum)


def _scales(node: Node, others: Others) -> Array | None:
    place = 1 if node.opset >= 11 else 0
    return others[place] if len(others) > place else None


def _is_fractional(node: Node, shape: tuple[int, ...], others: Others) -> bool:
    """Whether a scale times a length is no whole number."""
    scales = _scales(node, others)
    return scales is not None and bool((scales.astype(np.float64) * shape % 1 != 0).any())


def _weight_unit(node: Node, others: Others) -> float:
    """What every weight of linear is a multiple of, 0 unless scales are powers of two.

    Coordinates ``(i + 0.5) / 2^k - 0.5`` are multiples of ``2^-(|k| + 1)``.
    """
    scales = _scales(node, others)
    mode = node.attributes.get("coordinate_transformation_mode", b"half_pixel")
    if node.attributes.get("mode") != b"linear" or mode not in (b"half_pixel", b"asymmetric"):
        return 0.0
    if scales is None or (np.frexp(scales)[0] != 0.5).any():
        return 0.0
    powers = np.abs(np.frexp(scales)[1] - 1)
    return float(np.prod(np.where(powers == 0, 1.0, 2.0 ** -(powers + 1.0))))


OPERATORS: Mapping[str, Callable[[Node, Inputs], Value]] = MappingProxyType({"Resize": resize})
