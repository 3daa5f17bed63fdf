"""Models of DequantizeLinear and QuantizeLinear one behind the other."""

from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from tests.engine.models import Array, element_type

F32 = np.float32


def pair_model(
    dtypes: tuple[Any, Any] = (np.uint8, np.uint8),
    scales: tuple[Any, Any] = (0.3, 0.3),
    zeros: tuple[Any, Any] | None = (7, 7),
    shape: tuple[int, ...] = (256,),
    first: dict[str, Any] | None = None,
    second: dict[str, Any] | None = None,
    real: Any = F32,
    opset: int = 25,
) -> onnx.ModelProto:
    """x -> "D" -> f -> "Q" -> y, with scales s1, s2 and zero points z1, z2 where there are any."""
    parts: dict[str, Array] = {
        "s1": np.asarray(scales[0], real),
        "s2": np.asarray(scales[1], real),
    }
    names = [["x", "s1"], ["f", "s2"]]
    if zeros is not None:
        for i in (0, 1):
            parts[f"z{i + 1}"] = np.asarray(zeros[i]).astype(np.int32).astype(dtypes[i])
            names[i].append(f"z{i + 1}")
    more = [dict(first or {}), dict(second or {})]
    if zeros is None:
        more[1]["output_dtype"] = element_type(dtypes[1])
    nodes = [
        helper.make_node("DequantizeLinear", names[0], ["f"], name="D", **more[0]),
        helper.make_node("QuantizeLinear", names[1], ["y"], name="Q", **more[1]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", element_type(dtypes[0]), list(shape))],
        [helper.make_tensor_value_info("y", element_type(dtypes[1]), None)],
        [numpy_helper.from_array(each, name) for name, each in parts.items()],
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=11
    )


def every_code(dtype: Any) -> Array:
    """Each bit pattern of a type of codes once."""
    kind = np.dtype(dtype)
    if kind.itemsize == 2:
        return np.arange(2**16, dtype=np.uint16).view(kind)
    if kind.kind != "V":
        return np.arange(256, dtype=np.uint8).view(kind)
    bits = {"4": 4, "2": 2}.get(kind.name.removesuffix("_e2m1fn")[-1], 8)
    if "float6" in kind.name:
        bits = 6
    codes = np.arange(2**bits, dtype=np.uint8)
    if kind.name.startswith("int"):
        return codes.view(np.int8).astype(kind)
    return codes.astype(kind) if kind.name.startswith("uint") else codes.view(kind)
