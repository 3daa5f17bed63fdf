"""What the fusion tests share: one convolution, and plans in short."""

from collections.abc import Collection
from typing import Any

import numpy as np
import onnx
from onnx import helper

from engine import Plan, Session
from tests.engine.cases import Array

R = np.random.default_rng(0)
W = R.integers(-128, 128, (4, 3, 3, 3)).astype(np.int8)
X = R.integers(0, 256, (1, 3, 8, 8)).astype(np.uint8)
BIAS = R.integers(-500, 500, 4)
# powers of two keep every float32 step of the unfused graph exact: both must agree bit for bit
EXACT: dict[str, Any] = {"x": (2.0**-5, 3), "w_scale": 2.0**-6, "y": (2.0**-1, 5)}


def plan(model: onnx.ModelProto, fusion: str | Collection[str] = "on") -> Plan:
    return Session(model, fusion=fusion).plan()


def rules(model: onnx.ModelProto, fusion: str | Collection[str] = "on") -> list[str]:
    return [each.rule for each in plan(model, fusion).steps]


def reasons(model: onnx.ModelProto, fusion: str | Collection[str] = "on") -> dict[str, str]:
    """Node -> "rule guard: reason" of whatever stayed float."""
    kept = plan(model, fusion).kept
    return {each.node: f"{each.rule} {each.guard}: {each.reason}" for each in kept}


def assert_keeps_values(model: onnx.ModelProto, x: Array = X) -> None:
    on, off = (Session(model, fusion=each).run({"x": x}) for each in ("on", "off"))
    assert list(on) == list(off)
    for name, expected in off.items():
        assert on[name].dtype == expected.dtype
        assert (on[name] == expected).all()


def edited(model: onnx.ModelProto, **constants: Any) -> onnx.ModelProto:
    for each in model.graph.initializer:
        if each.name in constants:
            each.CopyFrom(
                onnx.numpy_helper.from_array(np.asarray(constants[each.name]), each.name)
            )
    return model


def with_input(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """A constant turned into a graph input."""
    found = next(each for each in model.graph.initializer if each.name == name)
    model.graph.initializer.remove(found)
    info = helper.make_tensor_value_info(name, found.data_type, list(found.dims))
    model.graph.input.append(info)
    return model


def without(model: onnx.ModelProto, name: str, use: str) -> onnx.ModelProto:
    """A node removed, its consumers reading ``use`` instead."""
    node = next(each for each in model.graph.node if each.name == name)
    output = node.output[0]
    model.graph.node.remove(node)
    for each in model.graph.node:
        for i, source in enumerate(each.input):
            if source == output:
                each.input[i] = use
    return model
