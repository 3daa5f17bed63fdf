"""Small graphs around operators that only move values."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper

from tests.engine.models import Array, graph_model

SCALE, ZERO = np.float32(0.02), np.array(3, np.uint8)
X = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 6)).astype(np.uint8)

# operator: its other inputs, its attributes
MOVES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "DepthToSpace": ({}, {"blocksize": 2}),
    "Expand": ({"s": np.array([3, 1, 1, 1, 1])}, {}),
    "Flatten": ({}, {"axis": 2}),
    "Gather": ({"s": np.array([1, 0, -1])}, {"axis": 1}),
    "GatherElements": ({"s": np.zeros((2, 2, 4, 6), np.int64)}, {"axis": 1}),
    "Reshape": ({"s": np.array([2, -1])}, {}),
    "Slice": ({"s": np.array([1]), "e": np.array([9]), "a": np.array([3])}, {}),
    "SpaceToDepth": ({}, {"blocksize": 2}),
    "Squeeze": ({"s": np.array([], np.int64)}, {}),
    "Tile": ({"s": np.array([1, 2, 1, 1])}, {}),
    "Transpose": ({}, {"perm": [0, 2, 3, 1]}),
    "Unsqueeze": ({"s": np.array([0])}, {}),
}


def pair(letter: str, scale: Any, zero: Any) -> dict[str, Array]:
    return {f"{letter}s": np.asarray(scale), f"{letter}z": np.asarray(zero)}


def between(
    op: str,
    *,
    y: tuple[Any, Any] = (SCALE, ZERO),
    x: tuple[Any, Any] = (SCALE, ZERO),
    outputs: Sequence[str] = ("y",),
    axis: int | None = None,
    **changes: Any,
) -> onnx.ModelProto:
    """``x -> D -> op -> Q -> y``; the float tensors are xr and yr."""
    constants, attributes = MOVES[op]
    attributes = attributes | changes
    extra = {} if axis is None else {"axis": axis}
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "xs", "xz"], ["xr"], "dx", **extra),
        helper.make_node(op, ["xr", *constants], ["yr"], "m", **attributes),
        helper.make_node("QuantizeLinear", ["yr", "ys", "yz"], ["y"], "qy", **extra),
    ]
    return model(nodes, {**constants, **pair("x", *x), **pair("y", *y)}, outputs)


def model(
    nodes: list[onnx.NodeProto],
    constants: Mapping[str, Any],
    outputs: Sequence[str],
    x: Array = X,
) -> onnx.ModelProto:
    kinds = {name: np.float32 if name.endswith("r") else np.uint8 for name in outputs}
    inputs = {"x": (x.dtype, list(x.shape))}
    return graph_model(nodes, inputs, kinds, constants, opset=17)


def node(op: str, inputs: Sequence[str], output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, list(inputs), [output], output, **attributes)
