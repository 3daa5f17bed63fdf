"""Faults of DequantizeLinear by itself: the order in which it subtracts and multiplies."""

from collections.abc import Callable

import numpy as np

from engine.errors import InvalidModel
from engine.faults.fault import Fault
from engine.ir import Array
from engine.kernels.binary import BinaryParameters, Combined
from engine.kernels.codes_before import CodesBefore, codes_before, is_fixed
from engine.kernels.dequantize_linear import Centre, Dequantize, centre, real_of
from engine.kernels.number_types import INTEGER_CODES
from engine.kernels.quantize_granularity import spread
from engine.kernels.quantize_parameters import DequantizeParameters


def _of_integers(real: Dequantize) -> Callable[[Centre], Dequantize]:
    """The stage that computes integer codes so; floats it leaves as they are."""

    def stage(middle: Centre) -> Dequantize:
        right = real_of(middle)

        def chosen(q: Array, scale: Array, zero_point: Array | None) -> Array:
            how = real if q.dtype in INTEGER_CODES else right
            return np.asarray(how(q, scale, zero_point))

        return chosen

    return stage


def distributed(q: Array, scale: Array, zero_point: Array | None) -> Array:
    """``fl(fl(q * s) - fl(z * s))``."""
    return np.asarray(q.astype(np.float32) * scale - _shift(scale, zero_point))


def distributed_at_once(q: Array, scale: Array, zero_point: Array | None) -> Array:
    """``fl(q * s - fl(z * s))``, a fused multiply-add; float64 holds it exactly."""
    wide = q.astype(np.float64) * scale - _shift(scale, zero_point)
    return np.asarray(wide).astype(np.float32)


def of_one_factor(p: BinaryParameters, function: Combined) -> Combined:
    """``fl(q * fl(s * b) - fl(fl(z * s) * b))`` of the reals that are made of codes q, and a constant b."""
    place, codes = multiplied_codes(p)
    if codes.scale is None or codes.scale.size != 1:
        return function
    scale = codes.scale.reshape(())
    zero_point = None if codes.zero_point is None else codes.zero_point.reshape(())
    shift = _shift(scale, zero_point)

    def multiplied(operands: tuple[Array, ...]) -> Array:
        other = operands[1 - place]
        q = np.rint(operands[place] / scale) + (0 if zero_point is None else zero_point)
        wide = q.astype(np.float64) * np.asarray(scale * other) - np.asarray(shift * other)
        return np.asarray(wide).astype(np.float32)

    return multiplied


def multiplied_codes(p: BinaryParameters, op: str = "Mul") -> tuple[int, CodesBefore]:
    """Which operand of a Mul with a constant, or of another operator, is made of which codes."""
    fixed = [is_fixed(each, p.graph) for each in p.node.inputs]
    if p.node.op != op or fixed.count(True) != 1:
        return 0, CodesBefore()
    place = fixed.index(False)
    return place, codes_before(p.node, p.graph, place)


def between_ends(q: Array, scale: Array, zero_point: Array | None) -> Array:
    """``fl(fl((q - lowest) * fl(fl(high - low) / levels)) + low)``, low and high the ends' reals."""
    steps, levels, low, high = _ends(q, scale, zero_point)
    return np.asarray(steps * np.asarray((high - low) / levels) + low)


def between_ends_at_once(q: Array, scale: Array, zero_point: Array | None) -> Array:
    """``fl((q - lowest) * fl(fl(high - low) / levels) + low)``, a fused multiply-add."""
    steps, levels, low, high = _ends(q, scale, zero_point)
    wide = steps.astype(np.float64) * np.asarray((high - low) / levels) + low
    return np.asarray(wide).astype(np.float32)


def between_ends_apart(q: Array, scale: Array, zero_point: Array | None) -> Array:
    """``fl(q * s) - fl(z * s)``, where ``q * s`` is interpolated as one multiply-add."""
    return between_ends_at_once(q, scale, None) - _shift(scale, zero_point)


def at_a_share(q: Array, scale: Array, zero_point: Array | None) -> Array:
    """``fl(fl(fl((q - lowest) / levels) * fl(high - low)) + low)``."""
    steps, levels, low, high = _ends(q, scale, zero_point)
    return np.asarray(np.asarray(steps / levels) * np.asarray(high - low) + low)


def by_inverse(q: Array, scale: Array, zero_point: Array | None) -> Array:
    """``fl((q - z) * fl(1 / fl(1 / s)))``."""
    return np.asarray(centre(q, zero_point) * _inverted_twice(scale))


def wrapped_difference(q: Array, zero_point: Array | None) -> Array:
    """``q - z`` modulo 256 in the type of 8-bit codes."""
    steps = centre(q, zero_point)
    if q.dtype not in (np.int8, np.uint8):
        return steps
    own: Array = steps.astype(np.int16).astype(q.dtype).astype(np.float32)
    return own


def unsigned_as_signed(q: Array, zero_point: Array | None) -> Array:
    """``q - 256 - z`` for uint8 codes from 128 on: their bits read as int8."""
    return centre(q.view(np.int8) if q.dtype == np.uint8 else q, zero_point)


def signed_as_unsigned(q: Array, zero_point: Array | None) -> Array:
    """``q + 256 - z`` for int8 codes below 0: their bits read as uint8."""
    return centre(q.view(np.uint8) if q.dtype == np.int8 else q, zero_point)


def _shift(scale: Array, zero_point: Array | None) -> Array:
    z = np.zeros((), np.float32) if zero_point is None else zero_point.astype(np.float32)
    return np.asarray(z * scale)


def _ends(
    q: Array, scale: Array, zero_point: Array | None
) -> tuple[Array, np.float32, Array, Array]:
    """Steps above the lowest code, how many there are, and the reals of the lowest and the highest."""
    lowest, highest = (np.float32(each) for each in INTEGER_CODES[q.dtype])
    z = np.zeros((), np.float32) if zero_point is None else zero_point.astype(np.float32)
    low, high = (np.asarray((each - z) * scale) for each in (lowest, highest))
    return q.astype(np.float32) - lowest, highest - lowest, low, high


def _differs_from_its_inverse(p: DequantizeParameters) -> bool:
    """Whether ``1 / (1 / s)`` is another number; of computed scales it may be."""
    return p.scale is None or bool((_inverted_twice(p.scale) != p.scale).any())


def _inverted_twice(scale: Array) -> Array:
    return np.asarray(np.float32(1) / np.asarray(np.float32(1) / scale))


def _rounds(p: DequantizeParameters) -> bool:
    """Whether a product with the scale may round; computed scales may."""
    if p.scale is None:
        return True
    fractions, _ = np.frexp(p.scale.astype(np.float64))
    return bool((np.abs(fractions) != 0.5).any())


def _has_zero_point(p: BinaryParameters) -> bool:
    """Whether codes of one scale, with a zero point other than 0, are multiplied with a constant."""
    _, codes = multiplied_codes(p)
    if codes.scale is None or codes.zero_point is None:
        return False
    return codes.scale.size == codes.zero_point.size == 1 and bool(codes.zero_point.any())


def _rounds_zero_point(p: DequantizeParameters) -> bool:
    """Whether a product with a zero point other than 0 may round."""
    return p.zero_point is not None and bool(p.zero_point.any()) and _rounds(p)


def _wraps(p: DequantizeParameters) -> bool:
    """Whether some difference of constants is beyond their type."""
    q, given = p.codes, p.zero_point
    if q is None or given is None:
        return False
    try:
        z = spread(given, q.shape, p.granularity)
    except InvalidModel:
        return False
    return bool((wrapped_difference(q, z) != centre(q, z)).any())


def _may_be(kind: type) -> Callable[[DequantizeParameters], bool]:
    """Whether codes may be of a type, as far as zero points tell."""
    return lambda p: p.zero_point is None or p.zero_point.dtype == kind


FAULTS = (
    Fault(
        "F155",
        "DequantizeLinear reads uint8 codes as int8",
        "opencv/opencv modules/dnn/src/int8layers/eltwise2_int8_layer.cpp, measured",
        _may_be(np.uint8),
        {"dequantize.centre": unsigned_as_signed},
        record=DequantizeParameters,
    ),
    Fault(
        "F155.unsigned",
        "DequantizeLinear reads int8 codes as uint8",
        "opencv/opencv modules/dnn/src/int8layers/eltwise2_int8_layer.cpp, measured",
        _may_be(np.int8),
        {"dequantize.centre": signed_as_unsigned},
        record=DequantizeParameters,
    ),
    Fault(
        "F125",
        "DequantizeLinear subtracts the zero point after the product with the scale",
        "openvinotoolkit/openvino: fused Subtract and Multiply, measured",
        _rounds_zero_point,
        {"dequantize.real": _of_integers(distributed)},
        record=DequantizeParameters,
    ),
    Fault(
        "F125.fused",
        "DequantizeLinear is one multiply-add, of the rounded product of zero point and scale",
        "openvinotoolkit/openvino: fused Subtract and Multiply, measured",
        _rounds_zero_point,
        {"dequantize.real": _of_integers(distributed_at_once)},
        record=DequantizeParameters,
    ),
    Fault(
        "F125.product",
        "DequantizeLinear and a product with a constant behind it are one multiply-add, of rounded products",
        "openvinotoolkit/openvino: Subtract and two Multiply that become one, measured",
        _has_zero_point,
        {"binary.function": of_one_factor},
        record=BinaryParameters,
    ),
    Fault(
        "F127",
        "DequantizeLinear interpolates between the reals of the lowest and the highest code",
        "openvinotoolkit/openvino: a FakeQuantize from a Q/DQ pair, measured",
        _rounds,
        {"dequantize.real": _of_integers(between_ends)},
        record=DequantizeParameters,
    ),
    Fault(
        "F127.fused",
        "DequantizeLinear is one multiply-add, from the real of the lowest code on",
        "openvinotoolkit/openvino: a FakeQuantize from a Q/DQ pair in generated code, measured",
        _rounds,
        {"dequantize.real": _of_integers(between_ends_at_once)},
        record=DequantizeParameters,
    ),
    Fault(
        "F127.apart",
        "DequantizeLinear interpolates between the ends of q * s, and subtracts z * s from that",
        "openvinotoolkit/openvino: a FakeQuantize of blocks of 4-bit codes, measured",
        _rounds_zero_point,
        {"dequantize.real": _of_integers(between_ends_apart)},
        record=DequantizeParameters,
    ),
    Fault(
        "F127.share",
        "DequantizeLinear takes a share of what lies between its lowest and highest real",
        "openvinotoolkit/openvino: a FakeQuantize of constants, measured",
        _rounds,
        {"dequantize.real": _of_integers(at_a_share)},
        record=DequantizeParameters,
    ),
    Fault(
        "F127.inverse",
        "DequantizeLinear multiplies by the inverse of the inverse of its scale",
        "openvinotoolkit/openvino: a FakeQuantize that a FullyConnected is fused with, measured",
        _differs_from_its_inverse,
        {"dequantize.real": _of_integers(by_inverse)},
        record=DequantizeParameters,
    ),
    Fault(
        "F146.dequantize",
        "DequantizeLinear subtracts the zero points of constants in 8 bits",
        "openvinotoolkit/openvino: weights of a ConvTranspose, measured",
        _wraps,
        {"dequantize.constants": wrapped_difference},
        record=DequantizeParameters,
    ),
)
