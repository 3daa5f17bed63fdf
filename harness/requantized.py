"""Other parameters for a graph: the same operators with other scales, zero points and borders."""

from collections.abc import Iterator

import numpy as np
import onnx

from corpus.case import Array, Case

FACTORS = (2**-8, 0.25, 0.5, 1, 2, 4, 0.625, 0.00293)
"""Mostly powers of two: what was a tie may be one again, what fitted may not fit."""
_CODES = ("int8", "uint8", "int16", "uint16")
_MADE_OF = {"QuantizeLinear": (1, 2), "DequantizeLinear": (1, 2), "Pad": (2,)}


def requantized(case: Case, rng: np.random.Generator) -> Case:
    """The case with the constants among its scales, zero points and borders drawn anew.

    Equal ones stay equal, for rules ask for that; of zero points one in two is kept.
    """
    model = case.proto()
    factors: dict[bytes, float] = {}
    zeros: dict[tuple[str, bytes], Array] = {}
    names = set(_parameters(model.graph))
    for each in model.graph.initializer:
        if each.name not in names:
            continue
        array = onnx.numpy_helper.to_array(each)
        if array.dtype == np.float32:
            factor = factors.setdefault(array.tobytes(), float(rng.choice(FACTORS)))
            array = np.asarray(array * factor, array.dtype)
        elif array.dtype.name in _CODES and array.ndim < 2:
            key = array.dtype.str, array.tobytes()
            array = zeros.setdefault(key, _zero_points(array, rng))
        each.CopyFrom(onnx.numpy_helper.from_array(array, each.name))
    return case.with_model(model)


def _parameters(graph: onnx.GraphProto) -> Iterator[str]:
    """What nodes of quantized operators read, of Q and DQ scales and zero points, of a Pad its value."""
    for node in graph.node:
        if node.op_type.startswith("QLinear"):
            yield from node.input
        for place in _MADE_OF.get(node.op_type, ()):
            yield from node.input[place : place + 1]


def _zero_points(array: Array, rng: np.random.Generator) -> Array:
    if rng.random() < 0.5:
        return array
    info = np.iinfo(array.dtype)
    drawn: Array = rng.integers(info.min, info.max + 1, array.shape).astype(array.dtype)
    return drawn
