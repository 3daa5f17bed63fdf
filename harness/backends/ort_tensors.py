"""Arrays to onnxruntime and back where numpy itself lacks their type: bfloat16, float8 and 4 bits."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
from onnx import TensorProto

if TYPE_CHECKING:
    from harness.backends.protocol import Array

# onnxruntime's name of an element type, and the one that ml_dtypes gives it.
NAMES = {
    "tensor(bfloat16)": "bfloat16",
    "tensor(float8e4m3fn)": "float8_e4m3fn",
    "tensor(float8e4m3fnuz)": "float8_e4m3fnuz",
    "tensor(float8e5m2)": "float8_e5m2",
    "tensor(float8e5m2fnuz)": "float8_e5m2fnuz",
    "tensor(int4)": "int4",
    "tensor(uint4)": "uint4",
}
TYPES = {ours: getattr(TensorProto, short[7:-1].upper()) for short, ours in NAMES.items()}
PACKED = ("int4", "uint4")  # two in a byte, low one first


def run(session: Any, inputs: dict[str, Array]) -> dict[str, Array]:
    """All outputs of a session by name."""
    outputs = session.get_outputs()
    names = [each.name for each in outputs]
    if not any(each.type in NAMES for each in outputs) and not any(
        map(_is_foreign, inputs.values())
    ):
        found = session.run(names, inputs)
        return {name: found[i] for i, name in enumerate(names)}
    given = {name: _value(array) for name, array in inputs.items()}
    values = session.run_with_ort_values(names, given)
    return {name: _array(values[i]) for i, name in enumerate(names)}


def _is_foreign(array: Array) -> bool:
    return array.dtype.isbuiltin != 1 and array.dtype.name in TYPES  # the name takes its time


def _value(array: Array) -> Any:
    kind = onnxruntime.OrtValue
    if not _is_foreign(array):
        return kind.ortvalue_from_numpy(np.ascontiguousarray(array).reshape(array.shape))
    name = array.dtype.name
    codes = np.ascontiguousarray(array).view(f"u{array.itemsize}")
    if name in PACKED:
        pairs = np.append(codes.ravel() & 15, np.uint8(0))[: (array.size + 1) // 2 * 2]
        stored = np.zeros(
            array.size, np.uint8
        )  # as long as the shape says, the rest is not read
        stored[: pairs.size // 2] = pairs[::2] | pairs[1::2] << 4
        codes = stored
    return kind.ortvalue_from_numpy_with_onnx_type(codes.reshape(array.shape), TYPES[name])


def _array(value: Any) -> Array:
    if value.data_type() not in NAMES:
        plain: Array = value.numpy()
        return plain
    dtype, shape = _dtype(NAMES[value.data_type()]), tuple(value.shape())
    size = int(np.prod(shape, dtype=np.int64))
    if dtype.name not in PACKED:
        return np.frombuffer(_bytes(value, size * dtype.itemsize), dtype).reshape(shape)
    stored = np.frombuffer(_bytes(value, (size + 1) // 2), np.uint8)
    codes = np.stack([stored & 15, stored >> 4], axis=-1).ravel()[:size]
    signed = (codes ^ 8).astype(np.int8) - np.int8(8) if dtype.name == "int4" else codes
    return signed.astype(dtype).reshape(shape)


def _bytes(value: Any, count: int) -> bytes:
    return ctypes.string_at(value.data_ptr(), count) if count else b""


def _dtype(name: str) -> np.dtype[Any]:
    import ml_dtypes

    found: np.dtype[Any] = np.dtype(getattr(ml_dtypes, name))
    return found
