"""Breaches of QuantizeLinear and DequantizeLinear: types and shapes of scales and zero points."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from generators.breaches.places import (
    attribute,
    lengthened,
    own_initializer,
    replace_array,
    shape_of,
    some_node,
)
from generators.choices import Choices

Parameters = tuple[onnx.NodeProto, onnx.TensorProto, onnx.TensorProto]
OTHER = {TensorProto.UINT8: np.int8, TensorProto.INT8: np.uint8}


def _parameters(model: onnx.ModelProto, choices: Choices, op: str = "") -> Parameters | None:
    """A conversion with a scale and a zero point of its own."""
    node = some_node(model, choices, (op,) if op else ("DequantizeLinear", "QuantizeLinear"))
    if node is None:
        return None
    scale, zero = own_initializer(model, node, 1), own_initializer(model, node, 2)
    return (node, scale, zero) if scale is not None and zero is not None else None


def _zero_type(model: onnx.ModelProto, choices: Choices) -> bool:
    found = _parameters(model, choices, "DequantizeLinear")
    if found is None or found[2].data_type not in OTHER:
        return False
    array = numpy_helper.to_array(found[2])
    replace_array(found[2], array.astype(OTHER[found[2].data_type]))
    return True


def _float_zero(model: onnx.ModelProto, choices: Choices) -> bool:
    found = _parameters(model, choices)
    if found is None:
        return False
    replace_array(found[2], np.zeros(tuple(found[2].dims), np.float32))
    return True


def _whole_scale(model: onnx.ModelProto, choices: Choices) -> bool:
    found = _parameters(model, choices)
    if found is None:
        return False
    replace_array(found[1], np.ones(tuple(found[1].dims), np.int64))
    return True


def _scale_length(model: onnx.ModelProto, choices: Choices) -> bool:
    found = _along_axis(model, choices)
    if found is None:
        return False
    for tensor in found[1:]:
        replace_array(tensor, lengthened(numpy_helper.to_array(tensor), 0))
    return True


def _along_axis(model: onnx.ModelProto, choices: Choices) -> Parameters | None:
    found = _parameters(model, choices)
    if found is None or len(found[1].dims) != 1 or found[1].dims[0] < 2:
        return None
    return found


def _two_lengths(model: onnx.ModelProto, choices: Choices) -> bool:
    found = _along_axis(model, choices)
    if found is None:
        return False
    replace_array(found[2], lengthened(numpy_helper.to_array(found[2]), 0))
    return True


def _axis(model: onnx.ModelProto, choices: Choices) -> bool:
    found = _along_axis(model, choices)
    if found is None:
        return False
    axis = attribute(found[0], "axis")
    shape = shape_of(model, found[0].input[0])
    if axis is None or shape is None:
        return False
    axis.i = choices.pick((len(shape), -len(shape) - 1))
    return True


def _blocks(model: onnx.ModelProto, _choices: Choices) -> bool:
    for node in model.graph.node:
        size = attribute(node, "block_size")
        shape = shape_of(model, node.input[0]) if size is not None else None
        if size is not None and size.i > 0 and shape and len(shape) > 1:
            scales = shape_of(model, node.input[1]) or ()
            size.i += max(shape)
            axis = attribute(node, "axis")
            return len(scales) == len(shape) and scales[1 if axis is None else axis.i] > 1
    return False


def _negative_block(model: onnx.ModelProto, _choices: Choices) -> bool:
    for node in model.graph.node:
        size = attribute(node, "block_size")
        if size is not None and size.i > 0:
            size.i = -size.i
            return True
    return False


def _float_codes(model: onnx.ModelProto, choices: Choices) -> bool:
    found = some_node(model, choices, ("DequantizeLinear",))
    given = None if found is None else own_initializer(model, found, 0)
    if given is None:
        return False
    replace_array(given, np.zeros(tuple(given.dims), np.float32))
    return True


def _output_type(model: onnx.ModelProto, choices: Choices) -> bool:
    found = _parameters(model, choices, "QuantizeLinear")
    if found is None or model.opset_import[0].version < 21:
        return False
    node, zero = found[0], found[2]
    if attribute(node, "output_dtype") is not None or zero.data_type not in OTHER:
        return False
    other = TensorProto.INT8 if zero.data_type == TensorProto.UINT8 else TensorProto.UINT8
    node.attribute.append(helper.make_attribute("output_dtype", other))
    return True


_SHAPE = "QuantizeLinear, DequantizeLinear: the zero point has the scale's shape"
_LENGTH = "QuantizeLinear, DequantizeLinear: one scale for each element along the axis"
_SIZE = "QuantizeLinear-21, DequantizeLinear-21: block_size fits the scale's shape"
_TYPES = "QuantizeLinear, DequantizeLinear: type constraints"
BREACHES: Mapping[str, tuple[str, Callable[[onnx.ModelProto, Choices], bool]]] = (
    MappingProxyType(
        {
            "a zero point of another type than the codes": (_TYPES, _zero_type),
            "a zero point of reals": (_TYPES, _float_zero),
            "a scale of whole numbers": (_TYPES, _whole_scale),
            "codes of reals": (_TYPES, _float_codes),
            "an output_dtype against the zero point": (
                "QuantizeLinear-21: output_dtype is the zero point's type",
                _output_type,
            ),
            "too many scales for the axis": (_LENGTH, _scale_length),
            "more zero points than scales": (_SHAPE, _two_lengths),
            "scales along an axis beyond the rank": (_LENGTH, _axis),
            "blocks that do not fit": (_SIZE, _blocks),
            "blocks of negative size": (_SIZE, _negative_block),
        }
    )
)
