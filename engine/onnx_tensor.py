"""ONNX's tensors and types as numpy's: stored inside the model, or in files beside it."""

import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from engine.errors import InvalidModel, Unsupported
from engine.ir import Array, Value

_RAW_DTYPES: Mapping[int, np.dtype[Any]] = {
    1: np.dtype(np.float32),
    2: np.dtype(np.uint8),
    3: np.dtype(np.int8),
    4: np.dtype(np.uint16),
    5: np.dtype(np.int16),
    6: np.dtype(np.int32),
    7: np.dtype(np.int64),
    10: np.dtype(np.float16),
    11: np.dtype(np.float64),
    12: np.dtype(np.uint32),
    13: np.dtype(np.uint64),
}
_NO_NUMBERS = ("UNDEFINED", "STRING", "COMPLEX64", "COMPLEX128")
_EXTERNAL = 1
_MISREAD = (ValueError, TypeError, KeyError, OverflowError, AttributeError, MemoryError)


def read_tensor(tensor: onnx.TensorProto, folder: Path | None = None) -> Array:
    """The values of a stored tensor; read-only where they share the model's bytes.

    Args:
        tensor: inside the model, or with the place of its bytes in a file.
        folder: where the model lies; files of tensors must lie in it. None: there are none.

    Raises:
        InvalidModel: bytes that do not fit type and shape, or lie outside the folder.
        Unsupported: a type that holds no real numbers; a file where no folder is known.
    """
    dtype = _RAW_DTYPES.get(tensor.data_type)
    raw = tensor.raw_data if tensor.data_location != _EXTERNAL else _outside(tensor, folder)
    dims = tuple(tensor.dims)
    try:
        if dtype is not None and raw:
            flat = np.frombuffer(raw, dtype)
            if dims == flat.shape:
                return flat
            if math.prod(dims) == flat.size:
                return flat.reshape(dims)
        elif min(dims, default=0) >= 0:
            return _converted(tensor, raw)
    except _MISREAD:
        pass
    raise InvalidModel(
        f"tensor {tensor.name!r}: {len(raw)} bytes do not hold type "
        f"{type_name(tensor.data_type)}, shape {list(dims)[:64]}"
    )


def _converted(tensor: onnx.TensorProto, raw: bytes) -> Array:
    """A tensor in typed fields, or of a type that numpy itself does not have."""
    if element_dtype(tensor.data_type) is None:
        raise Unsupported(
            f"tensor {tensor.name!r} has type {type_name(tensor.data_type)}, which holds no real "
            f"numbers; remove what needs it"
        )
    if tensor.data_location == _EXTERNAL:
        tensor = onnx.TensorProto(dims=tensor.dims, data_type=tensor.data_type, raw_data=raw)
    if tensor.data_type == onnx.TensorProto.BOOL and raw:
        values: Array = np.frombuffer(raw, np.uint8).reshape(tuple(tensor.dims)) != 0
    else:
        values = numpy_helper.to_array(tensor)
    return values


def _outside(tensor: onnx.TensorProto, folder: Path | None) -> bytes:
    """The bytes of a tensor that lie in a file inside the model's folder."""
    if folder is None:
        raise Unsupported(
            f"tensor {tensor.name!r} is stored outside the model; give the path of the model, or "
            f"save it inside"
        )
    given = {each.key: each.value for each in tensor.external_data}
    location = given.get("location", "")
    path = _inside(folder, location)
    if path is None:
        raise InvalidModel(
            f"tensor {tensor.name!r} lies at {location!r}; only files inside the model's folder "
            f"are read"
        )
    try:
        size = path.stat().st_size
        offset = int(given.get("offset", 0))
        length = int(given.get("length", size - offset))
        if min(offset, length) < 0 or offset + length > size:
            raise InvalidModel(
                f"tensor {tensor.name!r}: bytes {offset} to {offset + length} of {location!r}, "
                f"which has {size}"
            )
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(length)
    except (OSError, ValueError) as error:
        raise InvalidModel(
            f"tensor {tensor.name!r} cannot be read from {location!r}: {error}"
        ) from error


def _inside(folder: Path, location: str) -> Path | None:
    """The file, None where it lies, or a link leads, outside the folder."""
    relative = PurePosixPath(location)
    if not location or "\0" in location or relative.is_absolute() or ".." in relative.parts:
        return None
    root = folder.resolve()
    path = (root / relative).resolve()
    return path if path.is_relative_to(root) and path.is_file() else None


def element_dtype(kind: int) -> np.dtype[Any] | None:
    """The numpy type of an ONNX element type, None where it holds no real numbers."""
    return _RAW_DTYPES.get(kind) or _other_dtype(kind)


@cache
def _other_dtype(kind: int) -> np.dtype[Any] | None:
    if type_name(kind) in _NO_NUMBERS:
        return None
    try:
        found: np.dtype[Any] = onnx.helper.tensor_dtype_to_np_dtype(kind)
    except KeyError:
        return None
    return found


def type_name(kind: int) -> str:
    """ONNX's name of an element type, its number where ONNX has none."""
    found = onnx.TensorProto.DataType
    return str(found.Name(kind)) if kind in found.values() else str(kind)


def read_value(proto: onnx.ValueInfoProto) -> Value:
    """A graph input or output: its type and shape.

    Raises:
        Unsupported: no tensor, or one that holds no real numbers.
        InvalidModel: a negative dimension.
    """
    if not proto.type.HasField("tensor_type"):
        raise Unsupported(f"input {proto.name!r} is no tensor; give it a tensor type")
    kind = proto.type.tensor_type
    dtype = element_dtype(kind.elem_type)
    if dtype is None:
        raise Unsupported(
            f"input {proto.name!r} has type {type_name(kind.elem_type)}; only types of real numbers "
            f"are supported"
        )
    shape = None
    if kind.HasField("shape"):
        shape = tuple(d.dim_value if d.HasField("dim_value") else None for d in kind.shape.dim)
        if any(each is not None and each < 0 for each in shape):
            raise InvalidModel(f"input {proto.name!r} has shape {shape}; no size is negative")
    return Value(proto.name, dtype, shape)
