"""Tiny models whose answers can be worked out by hand."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from corpus.case import Case

ELEMENT = {"u1": TensorProto.UINT8, "i1": TensorProto.INT8, "f4": TensorProto.FLOAT}


def constant(name: str, values: object, dtype: str) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(values, dtype), name)


def model(
    nodes: Sequence[onnx.NodeProto],
    constants: Sequence[onnx.TensorProto],
    x: tuple[str, Sequence[int]],
    y: tuple[str, Sequence[int]],
    opset: int = 13,
) -> bytes:
    """A model from ``x`` to ``y``, each with its dtype and shape."""
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("x", ELEMENT[x[0]], x[1])],
        [helper.make_tensor_value_info("y", ELEMENT[y[0]], y[1])],
        constants,
    )
    made = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8
    )
    onnx.checker.check_model(made, full_check=True)
    return bytes(made.SerializeToString())


def convolution(
    w: object,
    *,
    x: str = "u1",
    wt: str = "i1",
    xs: float = 0.5,
    xz: int = 3,
    ws: object = 0.5,
    wz: object = 0,
    ys: float = 1.0,
    yz: int = 1,
    b: object = None,
    x_shape: Sequence[int] = (1, 1, 2, 2),
    y_shape: Sequence[int] = (1, 1, 2, 2),
    opset: int = 13,
    **attributes: Any,
) -> bytes:
    """One QLinearConv named ``c``; activations of dtype ``x``, weights of dtype ``wt``."""
    constants = [
        constant("xs", xs, "f4"),
        constant("xz", xz, x),
        constant("w", w, wt),
        constant("ws", ws, "f4"),
        constant("wz", wz, wt),
        constant("ys", ys, "f4"),
        constant("yz", yz, x),
    ]
    inputs = ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz"]
    if b is not None:
        constants.append(constant("b", b, "i4"))
        inputs.append("b")
    node = helper.make_node("QLinearConv", inputs, ["y"], name="c", **attributes)
    return model([node], constants, (x, x_shape), (x, y_shape), opset)


def dequantized_convolution(
    w: object,
    *,
    x: str = "u1",
    xs: float = 0.5,
    xz: int = 3,
    ws: object = 0.5,
    wz: object = 0,
    ys: float = 1.0,
    yz: int = 1,
    b: object = None,
    bs: object = 0.25,
    activation: str = "",
    x_shape: Sequence[int] = (1, 1, 2, 2),
    y_shape: Sequence[int] = (1, 1, 2, 2),
    **attributes: Any,
) -> bytes:
    """The same in Q/DQ form: DequantizeLinear ``dx dw [db]``, Conv ``c``, activation, Q ``q``."""
    constants = [
        constant("xs", xs, "f4"),
        constant("xz", xz, x),
        constant("w", w, "i1"),
        constant("ws", ws, "f4"),
        constant("wz", wz, "i1"),
        constant("ys", ys, "f4"),
        constant("yz", yz, x),
    ]
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "xs", "xz"], ["xf"], name="dx"),
        helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["wf"], name="dw", axis=0),
    ]
    inputs = ["xf", "wf"]
    if b is not None:
        constants += [constant("b", b, "i4"), constant("bs", bs, "f4")]
        nodes.append(
            helper.make_node("DequantizeLinear", ["b", "bs"], ["bf"], name="db", axis=0)
        )
        inputs.append("bf")
    nodes.append(helper.make_node("Conv", inputs, ["yf"], name="c", **attributes))
    last = "yf"
    if activation:
        nodes.append(helper.make_node(activation, [last], ["af"], name="a"))
        last = "af"
    nodes.append(helper.make_node("QuantizeLinear", [last, "ys", "yz"], ["y"], name="q"))
    return model(nodes, constants, (x, x_shape), (x, y_shape))


SCALE_BY_TWO = convolution([[[[2]]]])


def pixels(*values: int) -> Case:
    """`SCALE_BY_TWO` on four pixels: ``y = (x - 3) / 2 + 1``, the half rounded to even."""
    return Case(SCALE_BY_TWO, {"x": np.array(values, np.uint8).reshape(1, 1, 2, 2)})


def converting(operator: str, dtype: Any) -> tuple[onnx.ModelProto, int]:
    """QuantizeLinear to, or DequantizeLinear from, codes of a type; scale 1, zero point 0."""
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    x, y = (
        (TensorProto.FLOAT, kind)
        if operator == "QuantizeLinear"
        else (kind, TensorProto.FLOAT)
    )
    graph = helper.make_graph(
        [helper.make_node(operator, ["x", "s", "z"], ["y"])],
        "types",
        [helper.make_tensor_value_info("x", x, [7])],
        [helper.make_tensor_value_info("y", y, [7])],
        [
            numpy_helper.from_array(np.array(1, np.float32), "s"),
            helper.make_tensor("z", kind, [], [0]),
        ],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return made, kind
