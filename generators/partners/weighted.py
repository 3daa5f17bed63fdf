"""Convolutions and matrix products with constant weights: which axis of what is which."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import onnx

from corpus.case import Array
from generators.partners.surgery import Surgery, attribute, input_name

_DEQUANTIZE = "DequantizeLinear"


@dataclass(frozen=True, slots=True)
class _Inputs:
    """Where an operator has its weights, their parameters and its bias; -1 where it has none."""

    w: int
    w_scale: int = -1
    w_zero: int = -1
    bias: int = -1


_OPERATORS: Mapping[str, _Inputs] = MappingProxyType(
    {
        "Conv": _Inputs(1, bias=2),
        "QLinearConv": _Inputs(3, 4, 5, 8),
        "ConvInteger": _Inputs(1, w_zero=3),
        "MatMul": _Inputs(1),
        "QLinearMatMul": _Inputs(3, 4, 5),
        "MatMulInteger": _Inputs(1, w_zero=3),
    }
)


@dataclass(frozen=True, slots=True)
class Held:
    """A constant, and the input of the one node that reads it."""

    node: onnx.NodeProto
    index: int
    array: Array


@dataclass(frozen=True, slots=True)
class Weighted:
    """One operator with weights that nobody shares, between a graph input and graph outputs.

    ``w_in`` is the axis of the weights that is summed over, ``w_out`` that of the filters;
    ``by_filter`` hold a value for each filter in 1-D. ``source`` is the graph input, where its
    elements alone make x; ``sinks`` the outputs that show y element by element, where those are all.
    """

    node: onnx.NodeProto
    w: Held
    w_in: int
    w_out: int
    x_in: int
    y_out: int
    groups: int
    by_filter: tuple[Held, ...]
    source: str | None
    sinks: tuple[str, ...] | None

    @property
    def is_conv(self) -> bool:
        """Whether it slides over an image."""
        return "Conv" in self.node.op_type

    @property
    def filters(self) -> int:
        """How many there are in all groups."""
        return int(self.w.array.shape[self.w_out])

    @property
    def depth(self) -> int:
        """How many channels, or rows of the weights, each filter sees."""
        return int(self.w.array.shape[self.w_in])


def weighted(surgery: Surgery) -> list[Weighted]:
    """Every such operator of a graph, in its order."""
    found = (_read(surgery, node) for node in surgery.graph.node)
    return [each for each in found if each is not None]


def _read(surgery: Surgery, node: onnx.NodeProto) -> Weighted | None:
    places = _OPERATORS.get(node.op_type)
    if places is None or node.domain:
        return None
    is_conv = "Conv" in node.op_type
    held = _weights(surgery, node, places, 0 if is_conv else 1)
    if held is None or (held[0].array.ndim != 2 and not is_conv):
        return None
    w, by_filter = held[0], held[1:]
    groups = attribute(node, "group", 1) if is_conv else 1
    return Weighted(
        node,
        w,
        w_in=1 if is_conv else 0,
        w_out=0 if is_conv else 1,
        x_in=1 if is_conv else -1,
        y_out=1 if is_conv else -1,
        groups=int(str(groups)),
        by_filter=by_filter,
        source=surgery.source(node.input[0]),
        sinks=surgery.sinks(node.output[0]),
    )


def _weights(
    surgery: Surgery, node: onnx.NodeProto, places: _Inputs, axis: int
) -> tuple[Held, ...] | None:
    """The weights first, then what holds a value for each filter."""
    w = _constant(surgery, node, places.w, axis)
    bias = _constant(surgery, node, places.bias, 0)
    if not w or bias is None:
        return None
    others = [Held(node, each, array) for each, array in _own(surgery, node, places)]
    filters = w[0].array.shape[axis] if w[0].array.ndim > axis else 0
    every = [*w[1:], *bias, *others]
    many = tuple(each for each in every if each.array.size > 1)
    if any(each.array.shape != (filters,) for each in many):
        return None
    return (w[0], *many)


def _own(
    surgery: Surgery, node: onnx.NodeProto, places: _Inputs
) -> Sequence[tuple[int, Array]]:
    """The scale and the zero point of the weights that the operator itself takes."""
    arrays = [(each, surgery.constant(node, each)) for each in (places.w_scale, places.w_zero)]
    return [(each, array) for each, array in arrays if each >= 0 and array is not None]


def _constant(
    surgery: Surgery, node: onnx.NodeProto, index: int, axis: int
) -> tuple[Held, ...] | None:
    """A constant input, dequantized or not, with its parameters; none where it is computed."""
    name = input_name(node, index) if index >= 0 else ""
    if not name:
        return ()
    array = surgery.constant(node, index)
    if array is not None:
        return (Held(node, index, array),)
    maker = surgery.producer(name)
    if maker is None or maker.op_type != _DEQUANTIZE or not surgery.is_private(name):
        return None
    arrays = [surgery.constant(maker, each) for each in range(len(maker.input))]
    held = [Held(maker, n, each) for n, each in enumerate(arrays) if each is not None]
    is_whole = len(held) == sum(1 for each in maker.input if each)
    if not is_whole or attribute(maker, "block_size", 0):
        return None
    if held[1].array.size > 1 and attribute(maker, "axis", 1) not in (
        axis,
        axis - held[0].array.ndim,
    ):
        return None
    return tuple(held)


def take(surgery: Surgery, held: Held, axis: int, indices: Sequence[int]) -> None:
    """Keep or reorder what a constant holds along an axis."""
    surgery.replace(held.node, held.index, np.take(held.array, indices, axis))
