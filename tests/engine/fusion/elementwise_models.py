"""Graphs of one element-wise operator, or a chain of them, between Q and DQ."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper

from tests.engine.models import Array, graph_model

Affine = tuple[float, int]
Step = tuple[str, Sequence[str], Mapping[str, Any]]
"""(operator, its inputs, attributes); its output is called f0, f1, ... in order."""

SHAPE = (2, 3, 4, 5)


def qdq(
    steps: Sequence[Step],
    *,
    inputs: Mapping[str, Affine] | None = None,
    y: Affine = (0.05, 5),
    dtype: Any = np.uint8,
    dtypes: Mapping[str, Any] | None = None,
    shapes: Mapping[str, Sequence[int]] | None = None,
    constants: Mapping[str, Any] | None = None,
    outputs: Mapping[str, Any] | None = None,
    more: Mapping[str, Any] | None = None,
    opset: int = 18,
    domain: str = "",
) -> onnx.ModelProto:
    """Codes x (and others) -> D, called x_f -> the steps -> Q, called y.

    ``dtypes`` and ``shapes`` are exceptions from ``dtype`` and ``SHAPE``; y has its own entry there. ``more``
    are inputs of the shape ``SHAPE`` that are no codes, with their types.
    """
    inputs = inputs or {"x": (0.02, 3)}
    types = {name: (dtypes or {}).get(name, dtype) for name in (*inputs, "y")}
    given: dict[str, Any] = dict(constants or {})
    nodes = []
    for name, (scale, zero_point) in inputs.items():
        given |= {
            f"{name}_s": np.float32(scale),
            f"{name}_z": np.array(zero_point, types[name]),
        }
        read = [name, f"{name}_s", f"{name}_z"]
        nodes.append(
            helper.make_node("DequantizeLinear", read, [f"{name}_f"], name=f"d{name}")
        )
    for i, (op, names, attributes) in enumerate(steps):
        nodes.append(
            helper.make_node(
                op, list(names), [f"f{i}"], name=f"n{i}", domain=domain, **attributes
            )
        )
    given |= {"y_s": np.float32(y[0]), "y_z": np.array(y[1], types["y"])}
    last = f"f{len(steps) - 1}"
    nodes.append(helper.make_node("QuantizeLinear", [last, "y_s", "y_z"], ["y"], name="qy"))
    feeds = {name: (types[name], list((shapes or {}).get(name, SHAPE))) for name in inputs}
    feeds |= {name: (each, list(SHAPE)) for name, each in (more or {}).items()}
    wanted = {"y": types["y"], **(outputs or {})}
    return graph_model(
        nodes, feeds, wanted, {k: np.asarray(v) for k, v in given.items()}, opset
    )


def codes(seed: int, dtype: Any = np.uint8, shape: Sequence[int] = SHAPE) -> Array:
    """Random codes, all 256 of them where there is room."""
    low = np.iinfo(dtype).min
    r = np.random.default_rng(seed)
    return r.integers(low, low + 256, shape).astype(dtype)
