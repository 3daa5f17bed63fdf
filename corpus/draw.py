"""Values for the input of a model that came without data."""

from typing import Any

import numpy as np
from onnx import ModelProto, numpy_helper

from corpus.case import Array

MOST_RANDOM_INTEGER = 8  # int32 and int64 inputs are mostly indices and sizes


class Unfillable(Exception):  # noqa: N818 - it names the property of the type
    """No values are drawn for this element type."""


def drawn(
    model: ModelProto,
    name: str,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    random: np.random.Generator,
) -> Array:
    """Values of the model's input ``name``; see ``corpus.load.random_inputs``.

    Raises:
        Unfillable: ``dtype`` is not bool, an integer or float16, float32, float64.
    """
    if dtype.kind == "b":
        return random.integers(0, 2, shape).astype(bool)
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        if dtype.itemsize > 2:
            return random.integers(0, MOST_RANDOM_INTEGER, shape).astype(dtype)
        return random.integers(limits.min, limits.max + 1, shape).astype(dtype)
    if dtype.kind != "f" or dtype.itemsize not in (2, 4, 8):
        raise Unfillable
    low, high = _quantized_range(model, name)
    spans = 0 < high - low < np.inf
    values = random.uniform(low, high, shape) if spans else random.standard_normal(shape)
    return np.asarray(values, dtype)


def _quantized_range(model: ModelProto, name: str) -> tuple[float, float]:
    """The reals that a QuantizeLinear of this input represents; (0, 0) where there is none."""
    constants = {each.name: each for each in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type != "QuantizeLinear" or node.input[0] != name:
            continue
        if all(each in constants for each in node.input[1:3] if each):
            scale = numpy_helper.to_array(constants[node.input[1]])
            zero = np.uint8(0)
            if len(node.input) > 2 and node.input[2]:
                zero = numpy_helper.to_array(constants[node.input[2]])
            return _represented(scale, np.asarray(zero))
    return 0.0, 0.0


def _represented(scale: Array, zero: Array) -> tuple[float, float]:
    if scale.size != 1 or zero.size != 1 or zero.dtype.kind not in "iu":
        return 0.0, 0.0
    limits, unit, middle = np.iinfo(zero.dtype), float(scale.item()), int(zero.item())
    return (limits.min - middle) * unit, (limits.max - middle) * unit
