"""Arrays to OpenVINO's tensors and back, also of the types that numpy itself lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import openvino

if TYPE_CHECKING:
    from harness.backends.protocol import Array

# OpenVINO's name of an element type, and the one ml_dtypes gives it.
SHORT = {
    "bf16": "bfloat16",
    "f8e4m3": "float8_e4m3fn",
    "f8e5m2": "float8_e5m2",
    "f8e8m0": "float8_e8m0fnu",
}
PACKED = {
    "u4": "uint4",
    "i4": "int4",
    "f4e2m1": "float4_e2m1fn",
}  # two in a byte, low one first


def tensor(array: Array) -> Any:
    """A tensor with the array's values, type and shape."""
    name = array.dtype.name
    for short, ours in SHORT.items():
        if name == ours:
            codes = np.ascontiguousarray(array).view(f"u{array.itemsize}")
            return openvino.Tensor(codes, openvino.Shape(array.shape), _type(short))
    for packed, ours in PACKED.items():
        if name == ours:
            codes = np.append(np.ravel(array).view(np.uint8) & 15, np.uint8(0))
            pairs = codes[: codes.size // 2 * 2].reshape(-1, 2)
            joined = np.ascontiguousarray(pairs[:, 0] | pairs[:, 1] << 4)
            return openvino.Tensor(joined, openvino.Shape(array.shape), _type(packed))
    return openvino.Tensor(np.ascontiguousarray(array).reshape(array.shape))


def array(made: Any) -> Array:
    """A copy of a tensor's values, with its type and shape."""
    short = made.get_element_type().to_string()
    if short in SHORT:
        return np.array(made.data).view(_dtype(SHORT[short]))
    if short not in PACKED:
        return np.array(made.data)
    pairs = np.ravel(np.array(made.data)).view(np.uint8)
    codes = np.stack([pairs & 15, pairs >> 4], axis=-1).ravel()[: made.size]
    if short == "i4":
        codes = (codes ^ 8).astype(np.int8) - np.int8(8)
        return codes.astype(_dtype("int4")).reshape(tuple(made.shape))
    dtype = _dtype(PACKED[short])
    found: Array = codes.astype(dtype) if short == "u4" else codes.view(dtype)
    return found.reshape(tuple(made.shape))


def _type(name: str) -> Any:
    return getattr(openvino.Type, name)


def _dtype(name: str) -> np.dtype[Any]:
    import ml_dtypes  # comes along with onnx, but not in its oldest releases

    found: np.dtype[Any] = np.dtype(getattr(ml_dtypes, name))
    return found
