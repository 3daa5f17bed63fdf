"""Faults of products with constants behind a DequantizeLinear: one interpolation between the ends."""

import numpy as np

from engine.faults.dequantize import multiplied_codes
from engine.faults.fault import Fault
from engine.ir import Array
from engine.kernels.binary import BinaryParameters, Combined
from engine.kernels.codes_before import CodesBefore, codes_before, is_fixed
from engine.kernels.normalization import BatchParameters, Normalized
from engine.kernels.number_types import INTEGER_CODES
from engine.kernels.quantize_granularity import spread

_F = np.float32


def between_products(p: BinaryParameters, function: Combined) -> Combined:
    """``fl((q - lowest) * fl(fl(high - low) / levels) + low)``, low and high the ends' reals by k.

    A quotient is the product with ``fl(1 / k)``; the C library's ``powf(k, -1)``, which was measured,
    is another number for one k in 1,000.
    """
    place, codes = _scaled(p)
    if not _has_known_ends(codes):
        return function

    def product(operands: tuple[Array, ...]) -> Array:
        other = operands[1 - place]
        factor = np.asarray(_F(1) / other) if p.node.op == "Div" else other
        return _between_ends(codes, operands[place], factor)

    return product


def between_normalized(p: BatchParameters, function: Normalized) -> Normalized:
    """``fl(v + fl(bias - fl(mean * k)))``, v the interpolation between the ends' reals by k.

    Here ``k = fl(scale / fl(sqrt(fl(var + epsilon))))``.
    """
    codes = _normalized(p)
    if not _has_known_ends(codes):
        return function

    def shifted(x: Array, scale: Array, bias: Array, mean: Array, variance: Array) -> Array:
        factor = np.asarray(scale / np.sqrt(variance + _F(p.epsilon)))
        return np.asarray(_between_ends(codes, x, factor) + (bias - mean * factor))

    return shifted


def _between_ends(codes: CodesBefore, reals: Array, factor: Array) -> Array:
    """One multiply-add from the real of the lowest code on, with the factor in both ends."""
    if codes.dtype is None or codes.own_scale is None or codes.granularity is None:
        return reals
    given = codes.own_scale, np.zeros(()) if codes.zero_point is None else codes.zero_point
    scale, z = (spread(each.astype(_F), reals.shape, codes.granularity) for each in given)
    lowest, highest = (_F(each) for each in INTEGER_CODES[codes.dtype])
    factor = np.asarray(factor * codes.factor)
    low, high = (np.asarray((each - z) * scale * factor) for each in (lowest, highest))
    steps = np.rint(reals / np.asarray(scale * codes.factor)) + (z - lowest)
    wide = steps.astype(np.float64) * np.asarray((high - low) / (highest - lowest)) + low
    return np.asarray(wide).astype(_F)


def _scaled(p: BinaryParameters) -> tuple[int, CodesBefore]:
    """Which operand of a product with a constant, or of a quotient by one, is made of which codes."""
    if p.node.op != "Div":
        return multiplied_codes(p)
    place, codes = multiplied_codes(p, "Div")
    return (0, CodesBefore()) if place else (place, codes)


def _normalized(p: BatchParameters) -> CodesBefore:
    """The codes of which a BatchNormalization by constants reads the reals."""
    if not all(is_fixed(each, p.graph) for each in p.node.inputs[1:]):
        return CodesBefore()
    return codes_before(p.node, p.graph)


def _has_known_ends(codes: CodesBefore) -> bool:
    """Whether the ends of the codes are known, and lie in no blocks."""
    if codes.own_scale is None or codes.dtype not in INTEGER_CODES:
        return False
    return codes.own_scale.dtype == _F and not (
        codes.granularity is None or codes.granularity.block_size
    )


FAULTS = (
    Fault(
        "F127.product",
        "DequantizeLinear and a product with a constant behind it interpolate between the ends' products",
        "openvinotoolkit/openvino: a FakeQuantize that takes in a Multiply, measured",
        lambda p: _has_known_ends(_scaled(p)[1]),
        {"binary.function": between_products},
        record=BinaryParameters,
    ),
    Fault(
        "F127.batch",
        "DequantizeLinear and a BatchNormalization behind it interpolate, and add the shift by itself",
        "openvinotoolkit/openvino: a FakeQuantize that takes in a BatchNormalization's factor, measured",
        lambda p: _has_known_ends(_normalized(p)),
        {"batch.function": between_normalized},
        record=BatchParameters,
    ),
)
