"""The bias of a ConvTranspose, with the values of OpenVINO 2026.4.1."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from engine.faults import find
from engine.session import Session
from tests.engine.models import graph_model

BIAS = np.arange(10, 19, dtype=np.float32)


def transposed(scales: list[float]) -> onnx.ModelProto:
    """Weights (7, 9, 1), strides of 2."""
    constants: dict[str, Any] = {
        "w": np.zeros((7, 9, 1), np.int8),
        "ws": np.array(scales, np.float32),
        "b": BIAS,
        "ys": np.float32(1),
        "yz": np.uint8(0),
    }
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "ws"], ["wr"], name="dw", axis=1),
        helper.make_node("ConvTranspose", ["x", "wr", "b"], ["l"], name="t", strides=[2]),
        helper.make_node("QuantizeLinear", ["l", "ys", "yz"], ["y"], name="q"),
    ]
    return graph_model(nodes, {"x": (np.float32, [1, 7, 1])}, {"y": np.uint8}, constants)


@pytest.mark.parametrize(
    ("scales", "codes"),
    [([0.5] * 8 + [0.25], [10] * 9), ([0.5] * 9, BIAS.tolist())],
)
def test_weights_of_several_scales_leave_the_first_bias_alone(
    scales: list[float], codes: list[int]
) -> None:
    model = transposed(scales)
    x = {"x": np.ones((1, 7, 1), np.float32)}
    faulty = Session(model, faults=["F161"])
    assert faulty.run(x)["y"].reshape(-1).tolist() == codes
    assert Session(model).run(x)["y"].reshape(-1).tolist() == BIAS.tolist()
    assert bool(find("F161").places(faulty.plan())) == (codes[1] == codes[0])
