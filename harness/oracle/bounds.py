"""How far a float32 implementation may be from the exact real value.

u = 2^-24 is the largest relative error of one float32 operation, and k of them along one path
multiply a value by 1 + t with ``|t| <= gamma(k) = k u / (1 - k u)`` (Higham, Accuracy and Stability
of Numerical Algorithms, 2nd ed., lemma 3.1). Every rule of this package adds roundings:

- DequantizeLinear: the integer difference is exact, the product with the scale is 1 rounding.
- Conv of n products as float: 1 rounding for each product (none with FMA) and at most n for the
  sum of n products and a bias, in any order; 3 more are granted for kernels that scale or add the
  bias in a step of their own. Each is relative to its own term, so the error is
  ``gamma(n + 4) * T``, T = sum |x||w| + |b|, on top of what the operands bring along.
- Conv of integers in a fused kernel: the dot product is exact; 10 roundings cover conversion,
  multiplier and products of every engine that was examined (onednn is the worst). Two of the ten
  are left to QuantizeLinear, so here ``gamma(8) * |x.w| + gamma(9) * |b|``: one more for the bias
  because its own scale is a rounded scale_x * scale_w. A float bias is first rounded to an integer
  number of scale_x * scale_w. The larger of the two kernels' errors is taken.
- Add: fused kernels expand ``a - zero``, hence ``gamma(7)`` of the expanded terms, zero points
  included. Mul: 2 roundings (its fused multiplier needs one more than the float product).
- QuantizeLinear: a division is 1 rounding, a reciprocal and a product are 2; adding the zero point
  before the last rounding is 1 more, relative to the sum ``v = x / scale + zero``.
- QLinearConv: only integer kernels, ``d = gamma(10) s + u (|v| + gamma(10) s)`` with
  ``s = |M dot| + |M bias|``, M = scale_x scale_w / scale_y.

- Other operators state theirs in the modules that judge them.

The last rounding of v' with ``|v' - v| <= d`` returns an integer of ``[v - d - 1/2, v + d + 1/2]``,
whatever its tie rule and whether the zero point is added before or after. All d are enlarged by
2^-10 of themselves, which pays for evaluating v and d in float64.

Exact steps. A multiple of a power of two 2^k that is at most 2^24 2^k is a float32 number. While
the sum T of a convolution of such numbers is at most 2^24 of its grid units, every partial sum is
one, in any order; then there is no error at all, d = 0, and an exact tie has one right answer:
QuantizeLinear rounds half to even *before* it adds the zero point (ONNX QuantizeLinear).

Assumed of an implementation: IEEE float32, sums computed as sums (no Winograd), no int16 saturation
inside dot products (that is a defect, and judged so). Left open by the standard, so everything is
allowed: accumulators outside int32, float32 overflow, scales whose products leave the normal
range, NaN into QuantizeLinear.
"""

import math

import numpy as np

from corpus.case import Array
from harness.oracle.values import CODE_TYPES, Codes, Number

UNIT = 2.0**-24
EXACT_STEPS = 2.0**24
SMALLEST_NORMAL = 2.0**-126
LARGEST_POWER = 2.0**127
FLOAT64_ALLOWANCE = 1 + 2.0**-10


def gamma(k: int) -> float:
    """``k u / (1 - k u)``: the relative error of k float32 roundings in a row (no unit)."""
    if k >= 2**23:
        return 1.0
    return k * UNIT / (1 - k * UNIT)


def is_power_of_two(scale: Number) -> Array | bool:
    """Whether each scale is 2^k and normal, so that products with it are exact."""
    if isinstance(scale, float):
        return scale >= SMALLEST_NORMAL and math.frexp(scale)[0] == 0.5
    exact: Array = (np.frexp(scale)[0] == 0.5) & (scale >= SMALLEST_NORMAL)
    return exact


def leaves_float32(scale: Number) -> bool:
    """Whether a product of scales, or its reciprocal, leaves the normal float32 numbers."""
    if isinstance(scale, float):
        return not SMALLEST_NORMAL <= scale <= LARGEST_POWER
    return bool(((scale < SMALLEST_NORMAL) | (scale > LARGEST_POWER)).any())


def fits_float32(values: Array) -> Array:
    """Whether each float64 is a float32 number."""
    rounded: Array = values.astype(np.float32) == values
    return rounded


def round_to_codes(
    steps: tuple[Array, Array, Array],
    error: Array,
    zero: Number,
    dtype: np.dtype[np.generic],
    exact: Array | None,
) -> Codes:
    """The codes ``sat(rne(t) + zero)`` of every t within ``error`` of ``[low, high]``.

    Args:
        steps: low, centre and high of ``x / scale``, in steps of the output; the same array thrice
            for a point.
        error: d, in steps.
        zero: the zero point, broadcastable.
        dtype: of the codes.
        exact: elements where no float32 evaluation errs: one code there, ties to even; or None.
    """
    low_t, t, high_t = steps
    rounded = np.rint(t)
    centre = _saturate(rounded + zero, dtype)
    gap = np.abs(t - rounded)
    if low_t is not high_t:
        low, high = _ends(low_t, high_t, error, zero, dtype)
        if exact is None:
            return Codes(dtype, low, centre, high, centre)
        low, high = np.where(exact, centre, low), np.where(exact, centre, high)
        beyond = _saturate(2 * t - rounded + zero, dtype)
        return Codes(dtype, low, centre, high, np.where(exact & (gap == 0.5), beyond, centre))
    # Most tensors have no element near the middle of two codes, and end here.
    doubtful = gap + error >= 0.5
    if not doubtful.any():
        return Codes(dtype, centre, centre, centre, centre)
    other = centre
    if exact is not None:
        tie = exact & (gap == 0.5)
        other = np.where(tie, _saturate(2 * t - rounded + zero, dtype), centre)
        doubtful = doubtful & ~exact
    low, high = _ends(t, t, error, zero, dtype)
    low, high = np.where(doubtful, low, centre), np.where(doubtful, high, centre)
    if not doubtful.any():
        low = high = centre
    return Codes(dtype, low, centre, high, other)


def _ends(
    low_t: Array, high_t: Array, error: Array, zero: Number, dtype: np.dtype[np.generic]
) -> tuple[Array, Array]:
    low = np.ceil(low_t - error + (zero - 0.5))
    high = np.floor(high_t + error + (zero + 0.5))
    return _saturate(low, dtype), _saturate(high, dtype)


def _saturate(codes: Array, dtype: np.dtype[np.generic]) -> Array:
    least, most = CODE_TYPES[dtype]
    return np.minimum(np.maximum(codes, least), most)
