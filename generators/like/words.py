"""The pattern of a part: what it computes, without its sizes; as a key and as a name to read."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import onnx
from onnx import helper

from corpus.case import Array
from generators.like.quantities import slots
from generators.like.sizes import Part, shape_constants, weights_shape

LONGEST_NAME = 4  # operators
_CONVERSIONS = ("QuantizeLinear", "DequantizeLinear")
_SHORT = {"uint8": "u8", "int8": "s8", "uint16": "u16", "int16": "s16", "float32": "f32"}
_SIZED = ("K", "N", "shape", "split", "value")  # attributes that say sizes


def key_of(part: Part) -> str:
    """Equal for parts of one structure: operators, attributes, types, kinds of parameters, edges.

    Sizes are no part of it; that scales are equal, or zero points 0, is.
    """
    names: dict[str, str] = {}
    for n, name in enumerate(part.inputs):
        rank = len(part.shapes[name])
        names[name] = f"input{n}:{part.types[name]}:{rank}"
    names |= _constants(part)
    lines = []
    for n, node in enumerate(part.model.graph.node):
        inputs = ",".join(names.get(each, each) if each else "-" for each in node.input)
        names |= {name: f"t{n}.{k}" for k, name in enumerate(node.output)}
        lines.append(f"{node.domain}.{node.op_type}({inputs}){{{_attributes(part, node)}}}")
    seen = ",".join(names[each.name] for each in part.model.graph.output)
    opset = max((e.version for e in part.model.opset_import if not e.domain), default=0)
    return "\n".join((*lines, seen, str(opset)))


def _constants(part: Part) -> dict[str, str]:
    """What a key says of constants: parameters by kind, equal scales alike, data by type and rank."""
    found = slots(part)
    fixed = shape_constants(part)
    values: dict[bytes, int] = {}
    names = {}
    read = dict.fromkeys(name for node in part.model.graph.node for name in node.input)
    for name in (each for each in read if each in part.constants):
        array = part.constants[name]
        if name in found.scales:
            number = values.setdefault(array.tobytes(), len(values))
            names[name] = f"scale{number}:{_kind(array)}"
        elif name in found.zeros:
            names[name] = (
                f"zero:{array.dtype}:{_kind(array)}:{'some' if array.any() else 'none'}"
            )
        elif name in fixed:
            names[name] = f"shape:{array.size}"
        else:
            names[name] = f"data:{array.dtype}:{array.ndim}"
    return names


def _kind(array: Array) -> str:
    return "one" if array.size == 1 else f"many{array.ndim}"


def _attributes(part: Part, node: onnx.NodeProto) -> str:
    said = []
    for each in sorted(node.attribute, key=lambda attribute: attribute.name):
        value = helper.get_attribute_value(each)
        if each.name == "group":
            value = grouping(part, node)
        elif each.name in _SIZED:
            value = ""
        said.append(f"{each.name}={value}")
    return ";".join(said)


def grouping(part: Part, node: onnx.NodeProto) -> str:
    """``plain``, ``depthwise`` or ``grouped``."""
    groups = next((each.i for each in node.attribute if each.name == "group"), 1)
    if groups == 1:
        return "plain"
    return "depthwise" if weights_shape(part, node)[1] == 1 else "grouped"


def name_of(part: Part) -> str:
    """``Conv 3x3/2 depthwise + Relu, u8 s8/channel``."""
    nodes = [each for each in part.model.graph.node if each.op_type not in _CONVERSIONS]
    words = [_word(part, node) for node in nodes]
    shown = " + ".join(words[:LONGEST_NAME]) + (" + ..." if len(words) > LONGEST_NAME else "")
    return f"{shown}, {' '.join(_types(part))}"


def _word(part: Part, node: onnx.NodeProto) -> str:
    if "Conv" not in node.op_type:
        return str(node.op_type)
    kernel = "x".join(map(str, weights_shape(part, node)[2:]))
    said = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    stride = max(said.get("strides", [1]))
    how = grouping(part, node)
    return (
        f"{node.op_type} {kernel}"
        + (f"/{stride}" if stride > 1 else "")
        + ("" if how == "plain" else f" {how}")
    )


def _types(part: Part) -> Iterator[str]:
    """Types of codes that come in, then of weights, with how many scales those have."""
    activations = (_type(part.types[name]) for name in part.inputs)
    yield from dict.fromkeys(activations)
    found = slots(part)
    kinds = []
    for data, scale in found.weights:
        if (
            data in part.constants
            and scale in part.constants
            and part.constants[data].ndim > 1
        ):
            many = part.constants[scale]
            how = "" if many.size == 1 else "/channel" if many.ndim == 1 else "/block"
            kinds.append(_short(part.constants[data].dtype) + how)
    yield from dict.fromkeys(kinds)


def _type(element: int) -> str:
    return _short(np.dtype(helper.tensor_dtype_to_np_dtype(element)))


def _short(dtype: np.dtype[np.generic]) -> str:
    return _SHORT.get(dtype.name, dtype.name)


def numbered(names: Sequence[str]) -> list[str]:
    """Names, with ``#2`` and so on where one comes again."""
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name} #{seen[name]}")
    return found
