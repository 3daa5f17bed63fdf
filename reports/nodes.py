"""A small model in words: each node with its attributes, and what goes in, constants with values."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # no stubs
from onnx import numpy_helper

from corpus.case import Array, node_id
from reports.text import number, short

_MOST_VALUES = 4


@dataclass(frozen=True, slots=True)
class NodeWords:
    """One node: its id, operator, and in words its inputs, outputs and attributes.

    ``given`` are the names, as they are, of the graph inputs among its inputs.
    """

    id: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: tuple[str, ...]
    given: tuple[str, ...] = ()


def read_nodes(path: Path) -> tuple[NodeWords, ...]:
    """The nodes of a model file; none when there is no such file.

    Raises:
        ValueError: the file is not an ONNX model.
    """
    if not path.is_file():
        return ()
    try:
        model = onnx.ModelProto.FromString(path.read_bytes())
    except DecodeError as error:
        raise ValueError(f"{path}: not an ONNX model") from error
    return nodes_in_words(model)


def nodes_in_words(model: onnx.ModelProto) -> tuple[NodeWords, ...]:
    """Each node, with graph inputs as ``x uint8[1,16,8,8]`` and constants as ``xs = 0.02``."""
    graph = model.graph
    given = {each.name for each in graph.input} - {each.name for each in graph.initializer}
    known = {each.name: _typed(each) for each in (*graph.input, *graph.output)}
    known |= {
        each.name: _constant(each.name, numpy_helper.to_array(each))
        for each in graph.initializer
    }
    return tuple(
        NodeWords(
            short(node_id(node)),
            short(node.op_type),
            tuple(known.get(name, short(name)) for name in node.input),
            tuple(known.get(name, short(name)) for name in node.output),
            tuple(sorted(_attribute(each) for each in node.attribute)),
            tuple(name for name in node.input if name in given),
        )
        for node in graph.node
    )


def _typed(value: onnx.ValueInfoProto) -> str:
    tensor = value.type.tensor_type
    extents = ",".join(str(d.dim_param or d.dim_value) for d in tensor.shape.dim)
    kind = onnx.TensorProto.DataType.Name(tensor.elem_type).lower()
    return short(f"{value.name} {kind}[{extents}]", 64)


def _constant(name: str, array: Array) -> str:
    flat = array.ravel()
    if flat.size <= _MOST_VALUES:
        return f"{short(name)} = {_values(flat)} ({array.dtype})"
    kind = f"{short(name)} {array.dtype}[{','.join(map(str, array.shape))}]"
    return f"{kind}, all {number(float(flat[0]))}" if np.all(flat == flat[0]) else kind


def _values(values: Iterable[float]) -> str:
    shown = [number(float(each)) for each in values]
    return shown[0] if len(shown) == 1 else f"[{', '.join(shown)}]"


def _attribute(attribute: onnx.AttributeProto) -> str:
    value = onnx.helper.get_attribute_value(attribute)
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return short(f"{attribute.name}={text}", 80)
