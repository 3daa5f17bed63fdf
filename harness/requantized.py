"""Other parameters for a graph: the same operators with other scales, zero points and borders."""

from collections.abc import Iterator

import numpy as np
import onnx

from corpus.case import Array, Case
from harness.other_data import other_inputs

FACTORS = (2**-8, 0.25, 0.5, 1, 2, 4, 0.625, 0.00293)
"""Mostly powers of two: what was a tie may be one again, what fitted may not fit."""
USUAL = (2.0**-20, 2.0**20)
"""Between these a scale is nothing out of the ordinary."""
FEW = 9
"""By so many whole numbers a border moves at most: what drops it and what cuts it off lose less than 1 alike."""
DRAWS = 4
"""Times that other data are tried with other parameters."""
MOVED = 32
"""Times that a case is tried with other zero points."""
SEED = 100
_CODES = ("int8", "uint8", "int16", "uint16")
_CODES_AND_ZERO_POINT = {
    "DequantizeLinear": (0, 2),
    "QLinearConv": (3, 5),
    "QLinearMatMul": (3, 5),
    "QGemm": (3, 5),
}
_MADE_OF = {"QuantizeLinear": (1, 2), "DequantizeLinear": (1, 2), "Pad": (2,)}


def with_other_parameters(case: Case) -> Iterator[Case]:
    """Other data under other parameters."""
    rng = np.random.default_rng(SEED)
    for _ in range(DRAWS):
        for fresh in other_inputs(case):
            yield requantized(fresh, rng)


def with_other_zero_points(case: Case) -> Iterator[Case]:
    """Its own data, whose ties may be all that tells faults of ties apart."""
    rng = np.random.default_rng(SEED)
    return (requantized(case, rng, scales=False) for _ in range(MOVED))


def requantized(case: Case, rng: np.random.Generator, *, scales: bool = True) -> Case:
    """The case with the constants among its scales, zero points and borders drawn anew.

    In one draw of two equal ones stay equal, for rules ask for that, and those that are extreme
    become usual, for nothing fits them; of zero points one in two is kept, and the scales of one
    tensor stay in proportion in one of two. Constants around 0 stay so, for fusions ask for that,
    too. A border that is not 0 moves by a few whole numbers.
    Without ``scales`` these and the borders stay, and with them the ties.
    """
    model = case.proto()
    factors: dict[bytes, Array] = {}
    zeros: dict[tuple[str, bytes], Array] = {}
    names, together = set(_parameters(model.graph)), rng.random() < 0.5
    plain, borders = set(_of_pairs(model.graph)), set(_borders(model.graph))
    fixed = set(_of_constants(model.graph))
    for each in model.graph.initializer:
        if each.name not in names:
            continue
        array = onnx.numpy_helper.to_array(each)
        if each.name in fixed and not array.any():
            continue
        if array.dtype == np.float32 and not scales:
            continue
        if array.dtype == np.float32:
            same = array.tobytes() if together else each.name.encode()
            factor = factors.setdefault(same, _factors(array, rng))
            usual = np.sign(array) if together and _is_extreme(array) else array
            moved = rng.integers(-FEW, FEW + 1) if each.name in borders and array.any() else 0
            with np.errstate(over="ignore"):  # an extreme one may become infinite
                array = np.asarray(usual * factor + moved, array.dtype)
        elif array.dtype.name in _CODES and (array.ndim < 2 or each.name in plain):
            same = array.tobytes() if together else each.name.encode()
            drawn = zeros.setdefault((array.dtype.str, same), _zero_points(array, rng))
            array = drawn.reshape(array.shape)  # a scalar may equal the only element of a list
        each.CopyFrom(onnx.numpy_helper.from_array(array, each.name))
    return case.with_model(model)


def _is_extreme(scales: Array) -> bool:
    """Whether they are so far from 1 that every result is at the end of its range, or none is."""
    return bool(((np.abs(scales) < USUAL[0]) | (np.abs(scales) > USUAL[1])).any())


def _parameters(graph: onnx.GraphProto) -> Iterator[str]:
    """What nodes of quantized operators read, of Q and DQ scales and zero points, of a Pad its value."""
    for node in graph.node:
        if node.op_type.startswith("QLinear"):
            yield from node.input
    yield from _of_pairs(graph)


def _of_pairs(graph: onnx.GraphProto) -> Iterator[str]:
    for node in graph.node:
        for place in _MADE_OF.get(node.op_type, ()):
            yield from node.input[place : place + 1]


def _borders(graph: onnx.GraphProto) -> Iterator[str]:
    for node in graph.node:
        if node.op_type == "Pad":
            yield from node.input[2:3]


def _of_constants(graph: onnx.GraphProto) -> Iterator[str]:
    """The zero points of what is constant."""
    constants = {each.name for each in graph.initializer}
    for node in graph.node:
        if node.op_type in _CODES_AND_ZERO_POINT:
            codes, zero_point = _CODES_AND_ZERO_POINT[node.op_type]
            if constants.intersection(node.input[codes : codes + 1]):
                yield from node.input[zero_point : zero_point + 1]


def _factors(array: Array, rng: np.random.Generator) -> Array:
    shape = () if array.size < 2 or rng.random() < 0.5 else array.shape
    drawn: Array = np.asarray(rng.choice(FACTORS, shape))
    return drawn


def _zero_points(array: Array, rng: np.random.Generator) -> Array:
    if rng.random() < 0.5:
        return array
    info = np.iinfo(array.dtype)
    drawn: Array = rng.integers(info.min, info.max + 1, array.shape).astype(array.dtype)
    return drawn
