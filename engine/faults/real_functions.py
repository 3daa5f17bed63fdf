"""Faults of functions of reals: a PRelu's slope, a Gelu's formula, a softmax's axis, an infinite exponential."""

import math
from dataclasses import replace

import numpy as np

from engine.faults.fault import Fault
from engine.ir import Array
from engine.kernels.activations import GeluParameters, PReluParameters, gelu_exactly
from engine.kernels.formulas import FormulaParameters
from engine.kernels.softmax import RowParameters

_F = np.float32
LANES = 8


def by_channel(slope: Array, shape: tuple[int, ...]) -> Array:
    """Slopes in the order of memory: for each element of an image, else for each channel.

    Those along one axis are the channels', if there are enough.
    """
    if len(shape) < 2 or slope.size == 1:
        return slope
    count = math.prod(shape[1:])
    flat = slope.reshape(-1)
    along_one_axis = sum(each > 1 for each in slope.shape) == 1
    if slope.size >= count and not along_one_axis:
        return flat[:count].reshape(shape[1:])
    if slope.size >= shape[1]:
        return flat[: shape[1]].reshape(-1, *(1,) * (len(shape) - 2))
    return slope


def rows_of_one_axis(p: RowParameters) -> RowParameters:
    """A row is one axis, whatever the opset."""
    return replace(p, coerced=False)


def rows_of_last_axis(p: RowParameters) -> RowParameters:
    """A row is the last axis, where the model does not say one."""
    return p if p.said else replace(p, axis=-1, coerced=False)


def tanh_of_infinity(y: Array, x: Array) -> Array:
    """``(e - 1) / (e + 1)``, e = ``exp(2x)``: NaN where e is infinite, but for the last ``n % 8``.

    Exact:
        e is ``2**k`` times a polynomial near 1, ``k = floor(fl(fl(2x fl(log2 e)) + 1/2))``, and
        float32 has no ``2**128``: that is the case from 44.188133 on, short of the largest e.
    """
    if y.dtype != _F:
        return y
    found = np.array(y, order="C")
    whole = slice(y.size // LANES * LANES)
    with np.errstate(over="ignore"):
        k = np.floor(_F(2) * x.reshape(-1)[whole] * _F(math.log2(math.e)) + _F(0.5))
    found.reshape(-1)[whole][k >= 128] = np.nan
    return found


def log_of_infinity(y: Array, x: Array) -> Array:
    """``log(1 + e)``, e = ``fl(exp(x))``: infinite where e is."""
    if y.dtype != _F:
        return y
    with np.errstate(over="ignore"):
        return np.where(np.isinf(np.exp(x.astype(np.float64)).astype(_F)), _F(np.inf), y)


FAULTS = (
    Fault(
        "F86h.reals",
        "a softmax of reals from before opset 13 takes one axis instead of all from it on",
        "opencv/opencv modules/dnn/src/layers/softmax_layer.cpp, measured",
        lambda p: p.coerced and p.axis != -1,
        {"rows.parameters": rows_of_one_axis},
        record=RowParameters,
    ),
    Fault(
        "F86h.last",
        "a softmax from before opset 13 that does not say its axis takes the last one, as later ones do",
        "opencv/opencv modules/dnn/src/onnx: opset 12 has the default of opset 13, measured",
        lambda p: p.coerced and not p.said,
        {"rows.parameters": rows_of_last_axis},
        record=RowParameters,
    ),
    Fault(
        "F166",
        "a PRelu takes its slopes by channel or by element of an image, whatever axes they have",
        "opencv/opencv modules/dnn/src/layers/elementwise_layers.cpp ChannelsPReLU, measured",
        lambda p: p.slope is None or any(each > 1 for each in p.slope),
        {"prelu.slope": by_channel},
        record=PReluParameters,
    ),
    Fault(
        "F167",
        "a Gelu by tanh is computed by erf",
        "opencv/opencv modules/dnn/src/onnx: the attribute approximate is not read, measured",
        lambda p: p.by_tanh,
        {"gelu.by_tanh": gelu_exactly},
        record=GeluParameters,
    ),
    Fault(
        "F163",
        "a Tanh is no number where the exponential it is computed from is infinite",
        "opencv/opencv 5.x on x86, measured on 120 tensors and 150 graphs",
        lambda p: p.op == "Tanh",
        {"formula.Tanh": tanh_of_infinity},
        record=FormulaParameters,
    ),
    Fault(
        "F164",
        "a Softplus is infinite where the exponential it is computed from is",
        "opencv/opencv 5.x on x86, measured on 60 tensors and 150 graphs",
        lambda p: p.op == "Softplus",
        {"formula.Softplus": log_of_infinity},
        record=FormulaParameters,
    ),
)
