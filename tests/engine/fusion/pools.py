"""Models of the tests of R14 to R16, R26 and R36: one operator behind D "d", before Q "q"."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import helper

from tests.engine.models import Array, graph_model

SHAPE = (2, 3, 6, 5)


def codes(dtype: Any = np.uint8, seed: int = 0, shape: tuple[int, ...] = SHAPE) -> Array:
    info = np.iinfo(dtype)
    r = np.random.default_rng(seed)
    return r.integers(info.min, info.max, shape, endpoint=True).astype(dtype)


def behind(
    op: str,
    *,
    x: tuple[Any, Any] = (0.25, 5),
    y: tuple[Any, Any] | None = (0.25, 5),
    dtype: Any = np.uint8,
    y_dtype: Any = None,
    constants: Mapping[str, Array] | None = None,
    made: tuple[str, ...] = ("g",),
    outputs: tuple[str, ...] | None = None,
    inputs: Mapping[str, Any] | None = None,
    opset: int = 21,
    **attributes: Any,
) -> onnx.ModelProto:
    """x -> D "d" -> f -> operator "a" -> g[, i] -> Q "q" -> y; without ``y`` no Q.

    ``constants`` are further inputs of the operator; those named in ``inputs`` are graph inputs.
    """
    y_dtype = y_dtype or dtype
    values: dict[str, Any] = {
        "xs": np.asarray(x[0], np.float32),
        "xz": np.asarray(x[1], dtype),
    }
    extra = dict(constants or {})
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "xs", "xz"], ["f"], name="d"),
        helper.make_node(op, ["f", *extra], made, name="a", **attributes),
    ]
    if y is not None:
        values |= {"ys": np.asarray(y[0], np.float32), "yz": np.asarray(y[1], y_dtype)}
        nodes.append(helper.make_node("QuantizeLinear", ["g", "ys", "yz"], ["y"], name="q"))
    values |= extra
    given: dict[str, Any] = {"x": (dtype, None)}
    for name in inputs or ():
        given[name] = (values.pop(name).dtype, None)
    dtypes = {"y": y_dtype, "i": np.int64}
    outputs = outputs or (("y",) if y is not None else made)
    found = {name: dtypes.get(name, np.float32) for name in outputs}
    return graph_model(nodes, given, found, values, opset)


def axes(*values: int) -> dict[str, Array]:
    return {"ax": np.array(values, np.int64)}


def without_zero_points(model: onnx.ModelProto) -> onnx.ModelProto:
    for node in model.graph.node:
        if node.op_type in ("DequantizeLinear", "QuantizeLinear"):
            del node.input[2:]
    return model
