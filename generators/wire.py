"""ONNX messages written straight as protobuf bytes, because a campaign draws thousands of models.

Building them through the ``onnx`` classes costs more than running them. Each function returns one
message's bytes, fields in ascending order, exactly as the classes would serialize it. Numbers in
the code are the field numbers of ``onnx.proto``.
"""

import struct
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache

import ml_dtypes
import numpy as np
from onnx import AttributeProto, TensorProto

from corpus.case import Array

ELEMENT_TYPES = {
    "float32": TensorProto.FLOAT,
    "uint8": TensorProto.UINT8,
    "int8": TensorProto.INT8,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "bool": TensorProto.BOOL,
    "uint16": TensorProto.UINT16,
    "int16": TensorProto.INT16,
    "uint4": TensorProto.UINT4,
    "int4": TensorProto.INT4,
    "float8_e4m3fn": TensorProto.FLOAT8E4M3FN,
    "float8_e5m2": TensorProto.FLOAT8E5M2,
}
_PACKED = ("uint4", "int4")  # two codes a byte, the first one low
_FOREIGN = (*_PACKED, "float8_e4m3fn", "float8_e5m2")  # no types of numpy's own
_TYPES_BY_CHAR = {
    np.dtype(name).char: each for name, each in ELEMENT_TYPES.items() if name not in _FOREIGN
}
_ZERO_POINT_FORMATS = {"uint8": "B", "int8": "b", "int32": "i"}


def code_dtype(name: str) -> np.dtype[np.generic]:
    """The numpy type of an element type's name."""
    return np.dtype(getattr(ml_dtypes, name)) if name in _FOREIGN else np.dtype(name)


REMEMBERED = 4096  # models repeat their names, shapes and attributes

# The IR version each opset was released with.
_IR_VERSIONS = {10: 5, 11: 6, 12: 7, 13: 7, 14: 7, 15: 8, 16: 8, 17: 8, 18: 8, 19: 9, 20: 9}
_IR_VERSIONS |= {21: 10, 22: 10, 23: 11, 24: 12}


def ir_version(opset: int) -> int:
    """The IR version that a model of this opset declares."""
    return _IR_VERSIONS.get(opset, 13 if opset > 24 else 5)


_SMALL = tuple(bytes([value]) for value in range(128))


def _varint(value: int) -> bytes:
    """Seven bits a byte, lowest first; negative numbers as 64 bits."""
    if 0 <= value < 128:
        return _SMALL[value]
    value &= 2**64 - 1
    groups = []
    while value > 127:
        groups.append(value & 127 | 128)
        value >>= 7
    return bytes([*groups, value])


@cache
def _number_tag(field: int) -> bytes:
    return _varint(field << 3)


@cache
def _chunk_tag(field: int) -> bytes:
    return _varint(field << 3 | 2)


def _number(field: int, value: int) -> bytes:
    return _number_tag(field) + _varint(value)


def _numbers(field: int, values: Iterable[int]) -> bytes:
    tag = _number_tag(field)
    return b"".join([tag + _varint(each) for each in values])


def _chunk(field: int, content: bytes) -> bytes:
    return _chunk_tag(field) + _varint(len(content)) + content


def _chunks(field: int, contents: Iterable[bytes]) -> bytes:
    tag = _chunk_tag(field)
    return b"".join([tag + _varint(len(each)) + each for each in contents])


def tensor(name: str, array: Array) -> bytes:
    """An initializer of an array of any of ``ELEMENT_TYPES``."""
    known = _TYPES_BY_CHAR.get(array.dtype.char)
    if known is not None:
        return _tensor(name, known, array.shape, array.tobytes())
    dtype = array.dtype.name
    raw = _packed(array) if dtype in _PACKED else array.tobytes()
    return _tensor(name, ELEMENT_TYPES[dtype], array.shape, raw)


def _packed(array: Array) -> bytes:
    nibbles = np.append(array.astype(np.int8).reshape(-1) & 15, np.int8(0)).astype(np.uint8)
    even = nibbles[: array.size + array.size % 2]
    return bytes(even[::2] | even[1::2] << 4)


def scale(name: str, values: Sequence[float]) -> bytes:
    """A float32 initializer: a scalar for one value, else one value per channel."""
    dims = () if len(values) == 1 else (len(values),)
    return _tensor(name, TensorProto.FLOAT, dims, struct.pack(f"<{len(values)}f", *values))


def zero_point(name: str, dtype: str, values: Sequence[int]) -> bytes:
    """A zero-point initializer: a scalar for one value, else one value per channel."""
    dims = () if len(values) == 1 else (len(values),)
    raw = struct.pack(f"<{len(values)}{_ZERO_POINT_FORMATS[dtype]}", *values)
    return _tensor(name, ELEMENT_TYPES[dtype], dims, raw)


def _tensor(name: str, elem_type: int, dims: tuple[int, ...], raw: bytes) -> bytes:
    return _tensor_head(name, elem_type, dims, len(raw)) + raw


@lru_cache(maxsize=REMEMBERED)
def _tensor_head(name: str, elem_type: int, dims: tuple[int, ...], size: int) -> bytes:
    fields = _numbers(1, dims) + _number(2, elem_type) + _chunk(8, name.encode())
    return fields + _chunk_tag(9) + _varint(size)


@lru_cache(maxsize=REMEMBERED)
def value_info(name: str, dtype: str, shape: tuple[int | str, ...]) -> bytes:
    """A typed and shaped graph input or output; a size that is a word is symbolic."""
    dims = _chunks(1, [_dimension(size) for size in shape])
    tensor_type = _number(1, ELEMENT_TYPES[dtype]) + _chunk(2, dims)
    return _chunk(1, name.encode()) + _chunk(2, _chunk(1, tensor_type))


def _dimension(size: int | str) -> bytes:
    return _number(1, size) if isinstance(size, int) else _chunk(2, size.encode())


def node(
    op: str,
    name: str,
    inputs: tuple[str, ...],
    outputs: str | tuple[str, ...],
    attributes: Sequence[bytes] = (),
    domain: str = "",
) -> bytes:
    """A named node with one output or several, of the standard's domain or another."""
    bare = _bare_node(op, name, inputs, (outputs,) if isinstance(outputs, str) else outputs)
    tail = _chunk(7, domain.encode()) if domain else b""
    return bare + _chunks(5, attributes) + tail if attributes or tail else bare


@lru_cache(maxsize=REMEMBERED)
def _bare_node(op: str, name: str, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> bytes:
    return (
        _chunks(1, map(str.encode, inputs))
        + _chunks(2, map(str.encode, outputs))
        + _chunk(3, name.encode())
        + _chunk(4, op.encode())
    )


@lru_cache(maxsize=REMEMBERED)
def ints(name: str, values: tuple[int, ...]) -> bytes:
    """An attribute that is a list of integers."""
    return _attribute(name, _numbers(8, values), AttributeProto.INTS)


@lru_cache(maxsize=REMEMBERED)
def integer(name: str, value: int) -> bytes:
    """An attribute that is one integer."""
    return _attribute(name, _number(3, value), AttributeProto.INT)


def real(name: str, value: float) -> bytes:
    """An attribute that is one float32."""
    return _attribute(name, b"\x15" + struct.pack("<f", value), AttributeProto.FLOAT)


def text(name: str, value: str) -> bytes:
    """An attribute that is a string."""
    return _attribute(name, _chunk(4, value.encode()), AttributeProto.STRING)


def held(name: str, content: bytes) -> bytes:
    """An attribute that is a tensor, in bytes."""
    return _attribute(name, _chunk(5, content), AttributeProto.TENSOR)


def subgraph(name: str, content: bytes) -> bytes:
    """An attribute that is a graph, in bytes."""
    return _attribute(name, _chunk(6, content), AttributeProto.GRAPH)


def _attribute(name: str, content: bytes, kind: int) -> bytes:
    return _chunk(1, name.encode()) + content + _number(20, kind)


def graph(
    name: str,
    nodes: Iterable[bytes],
    inputs: Iterable[bytes],
    outputs: Iterable[bytes],
    initializers: Iterable[bytes],
) -> bytes:
    """A graph of a model, or of an attribute."""
    return (
        _chunks(1, nodes)
        + _chunk(2, name.encode())
        + _chunks(5, initializers)
        + _chunks(11, inputs)
        + _chunks(12, outputs)
    )


def model(
    nodes: Iterable[bytes],
    inputs: Iterable[bytes],
    outputs: Iterable[bytes],
    initializers: Iterable[bytes],
    opset: int,
    domains: Iterable[str] = (),
    ir: int = 0,
) -> bytes:
    """A model of one graph in the standard's domain, and in version 1 of others.

    ``ir`` is the IR version; 0: that of the opset.
    """
    content = graph("g", nodes, inputs, outputs, initializers)
    opset_imports = [_chunk(1, b"") + _number(2, opset)]
    opset_imports += [_chunk(1, each.encode()) + _number(2, 1) for each in domains]
    return _number(1, ir or ir_version(opset)) + _chunk(7, content) + _chunks(8, opset_imports)
