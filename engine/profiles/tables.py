"""The float32 functions of engines whose values differ from the real function, rounded once."""

import numpy as np

from engine.arithmetic import fused_multiply_add
from engine.ir import Array

_F = np.float32
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


def torch_sigmoid(x: Array) -> Array:
    """``fl(1 / fl(1 + e))``, e the float32 nearest to exp(-x).

    Exact:
        The vector exp of torch is within 1 ulp of e, so a code may differ where y is that near to
        a tie; none was seen.

    Source:
        pytorch aten/src/ATen/native/quantized/cpu/kernels/QuantizedOpKernels.cpp.
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
