"""The float32 functions of engines whose values differ from the real function; softmax of codes."""

from collections.abc import Callable

import numpy as np

from engine.arithmetic import fused_multiply_add
from engine.ir import Array

_F = np.float32
Softmax = Callable[[Array, np.float32, np.float32, int, bool], Array]
"""(rows of codes as float64, their scale, output scale and zero point, whether int8) -> steps."""

_ODD = (
    4.37031012579801e-11,
    1.15627324459942e-07,
    6.08574864600143e-05,
    8.51377133304701e-03,
    2.48287947061529e-01,
)
_EVEN = (
    6.10247389755681e-13,
    5.76102136993427e-09,
    6.29106785017040e-06,
    1.70198817374094e-03,
    1.16817656904453e-01,
    9.93151921023180e-01,
)


def mlas_sigmoid(x: Array) -> Array:
    """``x * P(x*x) / Q(x*x) + 1/2`` on [-18, 18], Horner with fma, clamped to [0, 1].

    Source:
        onnxruntime core/mlas/lib/logistic.cpp, the coefficients of Eigen's approximation.
    """
    v = np.clip(x, _F(-18), _F(18))
    square = v * v
    quotient = _polynomial(_ODD, square) * v / _polynomial(_EVEN, square)
    y: Array = np.clip(quotient + _F(0.5), _F(0), _F(1))
    return y


def _polynomial(coefficients: tuple[float, ...], x: Array) -> Array:
    y: Array = np.full(x.shape, coefficients[0], _F)
    for each in coefficients[1:]:
        y = fused_multiply_add(y, x, np.asarray(each, _F))
    return y


def float32_sigmoid(x: Array) -> Array:
    """``fl(1 / fl(1 + e))``, e the float32 nearest to exp(-x).

    Exact:
        The engines' own exp is within an ulp of e, so a code may differ where y is that near to a
        tie; none was seen.

    Source:
        pytorch aten/src/ATen/native/quantized/cpu/kernels/QuantizedOpKernels.cpp; opencv
        modules/dnn/src/layers/elementwise_layers.cpp.
    """
    y: Array = _F(1) / (_F(1) + np.exp(-x.astype(np.float64)).astype(_F))
    return y


def torch_hard_swish(x: Array) -> Array:
    """``fl(fl(x * min(max(fl(x + 3), 0), 6)) / 6)``.

    Source:
        pytorch aten/src/ATen/native/quantized/cpu/kernels/QuantizedOpKernels.cpp.
    """
    y: Array = x * np.clip(x + _F(3), _F(0), _F(6)) / _F(6)
    return y


def opencv_hard_swish(x: Array) -> Array:
    """``fl(x * min(max(fma(x, fl(1/6), 1/2), 0), 1))``.

    Source:
        opencv modules/dnn/src/layers/elementwise_layers.cpp.
    """
    line = fused_multiply_add(x, np.asarray(1 / 6, _F), np.asarray(0.5, _F))
    y: Array = x * np.clip(line, _F(0), _F(1))
    return y


def exact_softmax(
    rows: Array, x_scale: np.float32, y_scale: np.float32, y_zero_point: int, signed: bool
) -> Array:
    """``exp(xs (q - max q)) / sum / ys``, float64.

    Exact:
        A tie needs a rational value, which only equal codes give (Lindemann), and there every step
        is a single rounding of an exact number; elsewhere the error is below 2**-44 of the value.
    """
    rows = rows - rows.max(axis=1, keepdims=True)
    rows *= np.float64(x_scale)
    np.exp(rows, out=rows)
    rows /= rows.sum(axis=1, keepdims=True) * np.float64(y_scale)
    return rows


def onnxruntime_softmax(
    rows: Array, x_scale: np.float32, y_scale: np.float32, y_zero_point: int, signed: bool
) -> Array:
    """``fl(fl(e c) / sum e)`` in float32, ``c = floor(fl(1/ys))``, the sum in order.

    ``e = fl(exp((q - max q + shift) xs))`` with a shift that keeps the sum of a row finite:
    ``shift xs = fl(log(fl(largest float32 / length))) - 5``. ``e c`` overflows nevertheless where ys is
    below 1/(148 length); converting infinity leaves 0 steps in uint8, in int8 INT32_MIN, to which
    the zero point is added with wrap-around.

    Source:
        onnxruntime contrib_ops/cpu/quantization/qlinear_softmax.cc.
    """
    length = rows.shape[1]
    room = float(np.log(np.finfo(_F).max / _F(length)))
    shift = max(0.0, room - 5.0) / float(x_scale)
    shifted = rows - rows.max(axis=1, keepdims=True) + shift
    e = np.exp(shifted * np.float64(x_scale)).astype(_F)
    total = np.add.accumulate(e, axis=1)[:, -1:]
    y: Array = e * np.floor(_F(1) / y_scale) / total
    y[np.isinf(y)] = (-np.inf if y_zero_point >= 0 else np.inf) if signed else 0
    return y
