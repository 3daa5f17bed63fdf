"""What type an operator computes where its own name or attributes fix it."""

from typing import Any

import numpy as np

from engine.ir import Node
from engine.onnx_tensor import element_dtype

_BY_ATTRIBUTE = {"QuantizeLinear": "output_dtype", "Cast": "to"}

MOVES = frozenset(
    [
        "Identity",
        "Reshape",
        "Transpose",
        "Flatten",
        "Concat",
        "MaxPool",
        "Slice",
        "Split",
        "Squeeze",
        "Unsqueeze",
        "Expand",
        "Tile",
        "Gather",
        "GatherElements",
        "DepthToSpace",
        "SpaceToDepth",
        "Pad",
        "Resize",
        "ReduceMax",
        "ReduceMin",
        "GlobalMaxPool",
        "TopK",
    ]
)
"""Operators whose output has the type of their first input."""

Y_ZERO_POINT = {
    "QLinearConv": 7,
    "QLinearConvTranspose": 7,
    "QLinearConvAdd": 7,
    "QLinearConvSiLU": 7,
    "QLinearMatMul": 7,
    "QGemm": 8,
    "QLinearResize": 4,
    "Requantize": 4,
    **dict.fromkeys(("QLinearAdd", "QLinearSub", "QLinearMul", "QLinearDiv"), 7),
    **dict.fromkeys(("QLinearSum", "QLinearMax", "QLinearMin", "QLinearConcat"), 1),
    **dict.fromkeys(("QLinearTable", "QLinearSigmoid", "QLinearLeakyRelu"), 4),
    "QLinearWhere": 8,
    "QLinearSoftmax": 4,
    "QLinearAveragePool": 4,
    "QLinearGlobalAveragePool": 4,
    "QLinearReduceMean": 4,
    "QLinearReduceSum": 4,
}
"""Where an operator on codes keeps the zero point of its output."""


def own_dtype(node: Node) -> np.dtype[Any] | None:
    """The type of a node's first output; float32 unless the node says another, None: unknown."""
    if node.op == "DynamicQuantizeLinear":
        return np.dtype(np.uint8)
    name = _BY_ATTRIBUTE.get(node.op)
    if name is None:
        return np.dtype(np.float32)
    number = node.attributes.get(name, 0) or 2
    return element_dtype(number) if isinstance(number, int) else None
