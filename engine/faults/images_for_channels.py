"""A fault of sums and means along the second or the last of three axes: what belongs to a channel is looked up by image."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.arithmetic import RANGES
from engine.faults.fault import Fault
from engine.ir import Array, Graph, Node
from engine.kernels.known_shape import known_shape
from engine.kernels.quantize_parameters import code_type
from engine.kernels.reduction import Axes, Reduce, ReductionParameters

_F = np.float32
_BOTH = min(low for low, _ in RANGES.values()), max(high for _, high in RANGES.values())
_MOST = 2**12  # sums that are tried


@dataclass(frozen=True, slots=True)
class Pair:
    """A reduction's own DequantizeLinear and the QuantizeLinear behind it, of 8-bit codes.

    ``x_range`` is that of the codes of x, ``low`` and ``high`` those of y.
    """

    x_scale: np.float32
    x_zero: int
    x_range: tuple[int, int]
    y_scale: np.float32
    y_zero: int
    low: int
    high: int
    divides: bool

    def reaches_beyond(self, channels: int) -> bool:
        """Whether images from ``channels`` on are given other numbers."""
        if self.x_scale > 0:  # nothing is left to multiply by, but for a shift behind a mean
            return self.divides and self.x_zero != 0 and channels > 1
        return self.x_zero != 0 or channels > 1

    def codes(self, sums: Array, width: int, channels: int) -> Array:
        """Those of images from ``channels`` on, one row each, of the sums of their codes.

        Of sums along the second axis there is one channel.

        With C channels, a step is ``min(max(v, P[n]), P[n + C]) P[n + 2C] + P[n + 3C]`` of image n. P is
        C times the lowest v, the highest, the factor and the shift, then 1, the lowest code and zeros;
        a shift of 0 is there once and for every image.

        Of a negative scale the zero point Z is taken from v before: ``v A[n] + A[n + C]``, A is C times
        1 and -Z, then zeros. Of one channel that has the scale in it, and a QuantizeLinear follows.

        The zeros fill up C to a multiple of 16; from two images behind that on other memory is read.
        """
        n = channels + np.arange(len(sums))[:, np.newaxis]
        v, zero = sums.astype(_F), _F(self.x_zero)
        if self.divides:
            v = v / _F(width)
        else:
            zero = zero * _F(width)
        if self.x_scale < 0 and zero:
            factor = self.x_scale if channels == 1 else _F(1)
            before = _beyond([factor, -zero * factor], [channels] * 2, n)
            v = v * before[n] + before[n + channels]
        if channels == 1:
            return self._stored(np.rint(v / self.y_scale) + self.y_zero)
        line = self._line(_F(0) if self.x_scale < 0 else zero)
        table = _beyond(line, [channels] * 3 + [channels if line[3] else 1, 1, 1], n)
        inside = np.minimum(np.maximum(v, table[n]), table[n + channels])
        shift = table[n + 3 * channels] if line[3] else _F(0)
        return self._stored(np.rint(inside * table[n + 2 * channels] + shift) + self.low)

    def _stored(self, codes: Array) -> Array:
        clipped: Array = np.clip(codes, self.low, self.high)
        return clipped

    def _line(self, zero: np.float32) -> Array:
        moved = -zero * self.x_scale
        ends = [_F(each - self.y_zero) * self.y_scale for each in (self.low, self.high)]
        bounds = sorted((each - moved) / self.x_scale for each in ends)
        inverse = _F(1) / self.y_scale
        shift = _F(self.y_zero - self.low) + inverse * moved
        return np.array([*bounds, inverse * self.x_scale, shift, 1, self.low], _F)


def _beyond(numbers: Sequence[np.float32] | Array, times: list[int], n: Array) -> Array:
    """The numbers, each so many times, with zeros behind them, as far as place n + 3C."""
    table = np.zeros(sum(times) + 4 * (int(n.max(initial=0)) + 1), _F)
    table[: sum(times)] = np.repeat(np.asarray(numbers, _F), times)
    return table


def by_image(reduce: Reduce, p: ReductionParameters) -> Reduce:
    """Images from the number of channels on are quantized with what lies behind their parameters."""
    pair = pair_around(p)
    if pair is None:
        return reduce

    def reduced(x: Array, axes: Axes, keep: bool) -> Array:
        y = reduce(x, axes, keep)
        axis = _axis(x.shape, axes)
        channels = x.shape[1] if axis == 2 else 1
        if not axis or not pair.reaches_beyond(channels):
            return y
        with np.errstate(all="ignore"):  # of extreme scales, infinity
            sums = (np.rint(x[channels:] / pair.x_scale) + pair.x_zero).sum(axis=axis)
            codes = pair.codes(sums, x.shape[axis], channels)
            reals = (codes - pair.y_zero) * pair.y_scale
        rows = y.reshape(len(x), -1).copy()
        rows[channels:] = np.where(np.isfinite(reals), reals, rows[channels:])
        return rows.reshape(y.shape)

    return reduced


def _axis(shape: Sequence[int], axes: Axes | None) -> int:
    """The one of three axes that is summed along, if it is the second or the last; else 0."""
    named = [each % 3 for each in axes or ()]
    return named[0] if len(shape) == 3 and len(named) == 1 else 0


def pair_around(p: ReductionParameters) -> Pair | None:
    """What is around a sum or mean, if codes are on both sides and nobody else reads it."""
    before = next((each for each in p.graph.nodes if p.data in each.outputs), None)
    behind = [each for each in p.graph.nodes if p.made in each.inputs]
    if p.op not in ("ReduceSum", "ReduceMean") or p.made in p.graph.outputs:
        return None
    if before is None or before.op != "DequantizeLinear" or len(behind) != 1:
        return None
    x = _affine(before, p.graph)
    y = _affine(behind[0], p.graph) if behind[0].op == "QuantizeLinear" else None
    if x is None or y is None or y[0] <= 0:
        return None
    x_range, dtype = _BOTH, code_type(behind[0], y[1])
    if x[1] is not None:
        if x[1].dtype not in RANGES:
            return None
        x_range = RANGES[x[1].dtype]
    if dtype not in RANGES:
        return None
    x_zero, y_zero = (0 if each is None else int(each.reshape(-1)[0]) for each in (x[1], y[1]))
    return Pair(x[0], x_zero, x_range, y[0], y_zero, *RANGES[dtype], p.op == "ReduceMean")


def _affine(node: Node, graph: Graph) -> tuple[np.float32, Array | None] | None:
    """One constant scale and zero point, None where that is left out."""
    scale, name = graph.constants.get(node.input(1)), node.input(2)
    zero = graph.constants.get(name) if name else None
    if scale is None or scale.size != 1 or scale.dtype != _F or (name and zero is None):
        return None
    return None if zero is not None and zero.size != 1 else (scale.reshape(-1)[0], zero)


def _shows(p: ReductionParameters) -> bool:
    """Whether some sum of codes of some image becomes another code; or only a run tells."""
    pair, shape = pair_around(p), known_shape(p.graph, p.data)
    if pair is None:
        return False
    if shape is None:
        is_last = p.axes in ((-1,), (2,))
        return is_last and (pair.reaches_beyond(1) or pair.reaches_beyond(2))
    axis = _axis(shape, p.axes)
    channels = shape[1] if axis == 2 else 1
    if not axis or shape[0] <= channels or not pair.reaches_beyond(channels):
        return False
    return 0 not in shape and _gives_other_codes(pair, shape[0], channels, shape[axis])


def _gives_other_codes(pair: Pair, images: int, channels: int, width: int) -> bool:
    low, high = (each * width for each in pair.x_range)
    sums = np.linspace(low, high, min(high - low + 1, _MOST)).round()
    divisor = width if pair.divides else 1
    reals = (sums - pair.x_zero * width) * np.float64(pair.x_scale) / divisor
    right = np.clip(np.rint(reals / pair.y_scale) + pair.y_zero, pair.low, pair.high)
    rows = np.broadcast_to(sums, (min(images - channels, 4 * channels + 2), sums.size))
    return bool((pair.codes(rows, width, channels) != right).any())


FAULTS = (
    Fault(
        "F170",
        "sums and means along the second or the last of three axes are quantized with the numbers of their image instead of their channel",
        "openvinotoolkit/openvino: a Reduce that a FakeQuantize with a factor or shift for each channel is fused with, measured",
        _shows,
        {"reduce.codes": by_image},
        record=ReductionParameters,
    ),
)
