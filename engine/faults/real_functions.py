"""Faults of functions of reals: whose slope a PRelu takes, which formula a Gelu is, which axis a softmax has."""

import math
from dataclasses import replace

from engine.faults.fault import Fault
from engine.ir import Array
from engine.kernels.activations import GeluParameters, PReluParameters, gelu_exactly
from engine.kernels.softmax import RowParameters


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
)
