"""Small models written by hand: one convolution as QLinearConv or between Q and DQ."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

Array = npt.NDArray[Any]


def element_type(dtype: Any) -> int:
    return int(helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))


def graph_model(
    nodes: list[onnx.NodeProto],
    inputs: Mapping[str, tuple[Any, list[Any] | None]],
    outputs: Mapping[str, Any],
    constants: Mapping[str, Array],
    opset: int = 13,
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "g",
        [
            helper.make_tensor_value_info(name, element_type(dtype), shape)
            for name, (dtype, shape) in inputs.items()
        ],
        [
            helper.make_tensor_value_info(name, element_type(dtype), None)
            for name, dtype in outputs.items()
        ],
        [numpy_helper.from_array(np.asarray(each), name) for name, each in constants.items()],
    )
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def scalar_or_row(values: Any, dtype: Any) -> Array:
    row = np.atleast_1d(np.asarray(values, dtype))
    return row.reshape(()) if row.size == 1 else row


def qlinear_conv(
    w: Array,
    *,
    x_dtype: Any = np.uint8,
    y_dtype: Any = np.uint8,
    x: tuple[float, int] = (0.02, 3),
    w_scale: Any = 0.01,
    w_zero: Any = 0,
    y: tuple[float, int] = (0.1, 5),
    bias: Array | None = None,
    image: tuple[int, ...] = (8, 8),
    groups: int = 1,
    batch: int = 1,
    opset: int = 13,
    **attributes: Any,
) -> onnx.ModelProto:
    """One node "c1", input "x", output "y"."""
    constants: dict[str, Any] = {
        "xs": np.float32(x[0]),
        "xz": np.array(x[1], x_dtype),
        "w": w,
        "ws": scalar_or_row(w_scale, np.float32),
        "wz": scalar_or_row(w_zero, w.dtype),
        "ys": np.float32(y[0]),
        "yz": np.array(y[1], y_dtype),
    }
    if bias is not None:
        constants["b"] = bias.astype(np.int32)
    node = helper.make_node(
        "QLinearConv", ["x", *constants], ["y"], name="c1", group=groups, **attributes
    )
    shape = [batch, w.shape[1] * groups, *image]
    return graph_model([node], {"x": (x_dtype, shape)}, {"y": y_dtype}, constants, opset)


def qdq_conv(
    w: Array,
    *,
    x_dtype: Any = np.uint8,
    y_dtype: Any = np.uint8,
    x: tuple[float, int] = (0.02, 3),
    w_scale: Any = 0.01,
    w_zero: Any = 0,
    y: tuple[float, int] = (0.1, 5),
    bias: Array | None = None,
    bias_scale: Any = None,
    image: tuple[int, ...] = (8, 8),
    groups: int = 1,
    batch: int = 1,
    opset: int = 13,
    activation: str = "",
    bounds: tuple[float, float] = (0.0, 6.0),
    outputs: tuple[str, ...] = ("y",),
    **attributes: Any,
) -> onnx.ModelProto:
    """Nodes dx, dw[, db], c1[, a1], qy; tensors x, xf, w, wf, b, bf, cf, af, y."""
    scale = scalar_or_row(w_scale, np.float32)
    zero = np.broadcast_to(scalar_or_row(w_zero, w.dtype), scale.shape)
    constants: dict[str, Any] = {
        "xs": np.float32(x[0]),
        "xz": np.array(x[1], x_dtype),
        "w": w,
        "ws": scale,
        "wz": zero,
        "ys": np.float32(y[0]),
        "yz": np.array(y[1], y_dtype),
    }
    axis = {"axis": 0} if scale.ndim else {}
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "xs", "xz"], ["xf"], name="dx"),
        helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["wf"], name="dw", **axis),
    ]
    operands = ["xf", "wf"]
    if bias is not None:
        steps = (
            np.float32(x[0]) * scale if bias_scale is None else scalar_or_row(bias_scale, "f4")
        )
        constants |= {"b": bias.astype(np.int32), "bs": steps}
        axis = {"axis": 0} if np.ndim(steps) else {}
        nodes.append(
            helper.make_node("DequantizeLinear", ["b", "bs"], ["bf"], name="db", **axis)
        )
        operands.append("bf")
    nodes.append(
        helper.make_node("Conv", operands, ["cf"], name="c1", group=groups, **attributes)
    )
    last = "cf"
    if activation == "Clip":
        constants |= {"lo": np.float32(bounds[0]), "hi": np.float32(bounds[1])}
        nodes.append(helper.make_node("Clip", ["cf", "lo", "hi"], ["af"], name="a1"))
        last = "af"
    elif activation:
        nodes.append(helper.make_node(activation, ["cf"], ["af"], name="a1"))
        last = "af"
    nodes.append(helper.make_node("QuantizeLinear", [last, "ys", "yz"], ["y"], name="qy"))
    dtypes = {name: y_dtype if name == "y" else np.float32 for name in outputs}
    shape = [batch, w.shape[1] * groups, *image]
    return graph_model(nodes, {"x": (x_dtype, shape)}, dtypes, constants, opset)
