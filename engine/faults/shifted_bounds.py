"""Faults of quantizing with bounds that are moved by the bias, and divided by the scales."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from engine.arithmetic import RANGES, fused_multiply_add
from engine.faults.fault import Fault
from engine.faults.output import lowest_bits
from engine.ir import Array, Node
from engine.kernels.parameters import ConvParameters
from engine.kernels.stages import Clip, ToCodes, add_zero_point, clamp
from engine.profiles import Prepare, Requantization, Rescaling

_F = np.float32
_MANTISSA, _LEAST = 24, -126  # of float32: bits, and the exponent of normal numbers


def clipped_before_bias(prepare: Prepare, r: Requantization, p: ConvParameters) -> Rescaling:
    """``rne(fma(clip(acc, (l - b)/m, (h - b)/m), m/ys, b/ys - q/ys))`` above the lowest code, of real value q.

    ``l`` and ``h`` are the real values of the lowest and the highest code, or bounds of a Clip
    between them, ``b`` the real bias, ``m = xs*ws``; all in float32, so that a large bias rounds the
    bounds away. Weights of one scale are multiplied before: then the sums are real and ``m`` is 1.
    """
    if not _moves_bounds(p):
        return _as_it_should_be(prepare, r, p)
    bias = _real_bias(p).reshape(-1, 1)
    lowest, highest = (code - p.y_zero_point for code in RANGES[p.y_dtype])
    low, high = _F(lowest) * p.y_scale, _F(highest) * p.y_scale
    steps_of_one = _F(highest - lowest) / (high - low)
    scale = np.asarray(p.x_scale * r.w_scale, _F)
    real = p.w_scales.size == 1 or bool((p.w_scales == 1).all())
    m = np.ones_like(scale) if real else scale
    bounds = [(each - bias) / m for each in _bounds(p)]
    offset = bias * steps_of_one - low * steps_of_one

    def steps(acc: Array) -> Array:
        sums = np.asarray(acc * scale.astype(np.float64) if real else acc, _F)
        codes = fused_multiply_add(np.clip(sums, *bounds), m * steps_of_one, offset)
        return np.rint(codes).astype(np.float64) + lowest

    return replace(prepare(replace(r, bias=None)), steps=steps, bias=None)


def _as_it_should_be(prepare: Prepare, r: Requantization, p: ConvParameters) -> Rescaling:
    """With a bias whose steps are those of the sums; one of other steps is added as a real."""
    steps = p.x_scale * p.w_scales
    if r.bias is None or p.bias_scales is None or (p.bias_scales == steps).all():
        return prepare(r)
    alone = prepare(replace(r, bias=None))
    bias = _real_bias(p).reshape(-1, 1) / np.float64(p.y_scale)
    return replace(alone, steps=lambda acc: alone.steps(acc) + bias)


def _real_bias(p: ConvParameters) -> Array:
    """float32, one for each output channel."""
    assert p.bias is not None  # who asks has one
    given = p.x_scale * p.w_scales if p.bias_scales is None else p.bias_scales
    return np.broadcast_to(p.bias.astype(_F) * given, p.bias.shape)


def _bounds(p: ConvParameters) -> Array:
    """The real ones of a Clip, within what the codes can hold; float32."""
    low, high = (_F(code - p.y_zero_point) * p.y_scale for code in RANGES[p.y_dtype])
    found: Array = np.clip(np.asarray(p.bounds, _F), low, high)
    return found


def clipped_to_own_range(prepare: Prepare, r: Requantization, p: ConvParameters) -> Rescaling:
    """``rne(clip(sum, l - b, h - b) * (n/(h' - l')) + (-l' * n)/(h' - l'))`` above the lowest code.

    As in `clipped_before_bias`, but of the bounds as they came out, ``l'`` and ``h'``, that n codes span.
    """
    if not _is_one_bias(p):
        return _as_it_should_be(prepare, r, p)
    bias = _real_bias(p).reshape(-1, 1)
    lowest, highest = RANGES[p.y_dtype]
    low, high = (_F(code - p.y_zero_point) * p.y_scale - bias for code in (lowest, highest))
    scale = (p.x_scale * r.w_scale).astype(np.float64)
    levels = _F(highest - lowest)
    factor, offset = levels / (high - low), -low * levels / (high - low)

    def steps(acc: Array) -> Array:
        codes = np.clip(np.asarray(acc * scale, _F), low, high) * factor + offset
        found: Array = np.rint(codes).astype(np.float64) + (lowest - p.y_zero_point)
        return found

    return replace(prepare(replace(r, bias=None)), steps=steps, bias=None)


def _is_one_bias(p: ConvParameters) -> bool:
    """Whether it is that of the only channel, with no activation behind it."""
    has_bias = p.bias is not None and bool(p.bias.any())
    return has_bias and len(p.w) == 1 and not p.activation


def stored_as_they_are(p: ConvParameters, offset: int, clip: Clip) -> ToCodes:
    """The lowest bits of codes that were clipped before."""
    return lowest_bits(p, offset, clip) if _is_one_bias(p) else add_zero_point(p, offset, clip)


def _moves_bounds(p: ConvParameters) -> bool:
    """Whether there is a bias, and the weights do without int8 kernels: of uint8, or with zero points."""
    in_reals = p.w_zero_points.any() or p.w.dtype == np.uint8
    has_bias = p.bias is not None and p.bias.any()
    return bool(in_reals and has_bias) and p.activation in ("", "Clip")


def clamped_unless_moved(codes: Array, p: ConvParameters) -> Array:
    """The codes as they are where the bounds of the Clip have been moved."""
    return codes if _moves_bounds(p) else clamp(codes, p)


def without_rounding(node: Node, bias: Array, steps: Array) -> Array:
    """For a Conv powers of two, of which the bias is a whole multiple of less than 25 bits."""
    if node.op != "Conv":
        return steps
    _, exponents = np.frexp(bias)
    found: Array = np.ldexp(_F(1), np.maximum(exponents - _MANTISSA, _LEAST))
    return found


def as_channels(p: ConvParameters) -> str:
    """Why it is not computed in blocks."""
    return "bounds are kept by channel"


TITLE = "a convolution is clipped before its bias, to bounds less the bias in float32: a large one leaves nothing of them"
SOURCE = "openvinotoolkit/openvino: a Conv whose weights have a zero point or are uint8, with the Clip and the FakeQuantize behind it, measured"
_STAGES: Mapping[str, Callable[..., Any]] = {
    "rescaling": clipped_before_bias,
    "layout": as_channels,
    "activate": clamped_unless_moved,
}

FAULTS = (
    Fault("F152", TITLE, SOURCE, _moves_bounds, _STAGES),
    Fault(
        "F152.real",
        f"{TITLE}, whether it is a real or has a scale of its own",
        SOURCE,
        _moves_bounds,
        {**_STAGES, "rewrite.bias_steps": without_rounding},
        guards_off=("G10/scale", "R51.opt-in"),
    ),
    Fault(
        "F152.stored",
        f"{TITLE}, and codes past the highest are stored without being clipped",
        "openvinotoolkit/openvino without low precision: the bias of one channel in the FakeQuantize behind a Conv, measured",
        _is_one_bias,
        {
            "rescaling": clipped_to_own_range,
            "to_codes": stored_as_they_are,
            "layout": as_channels,
        },
    ),
)
