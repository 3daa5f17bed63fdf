"""R26: a DequantizeLinear goes behind a maximum."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from engine import Session
from tests.engine.fusion.checks import assert_same_bits, fired, refusals
from tests.engine.fusion.pools import behind, codes
from tests.engine.models import Array, graph_model

K = {"k": np.array([2], np.int64)}
CHOICES: list[tuple[str, dict[str, Any]]] = [
    ("MaxPool", {"kernel_shape": [2, 3], "pads": [1, 1, 0, 1]}),
    ("MaxPool", {"kernel_shape": [2, 3], "made": ("g", "i")}),
    ("GlobalMaxPool", {}),
    ("TopK", {"constants": K, "axis": 1, "made": ("g", "i")}),
]


@pytest.mark.parametrize(("op", "how"), CHOICES)
@pytest.mark.parametrize("scale", [0.1, 1e-44, 4e33])
@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16])
def test_it_fires_and_keeps_every_bit(
    op: str, how: dict[str, Any], scale: float, dtype: Any
) -> None:
    model = behind(op, x=(scale, 7), y=None, dtype=dtype, **how)
    steps = Session(model).plan().steps
    assert [each.kind for each in steps] == [op, "DequantizeLinear"]
    assert {each.rule for each in steps} == {"R26"}
    assert_same_bits(model, {"x": codes(dtype)})


def test_another_pair_behind_it_rescales_codes() -> None:
    model = behind("MaxPool", y=(0.5, 9), kernel_shape=[2, 2])
    assert "R26" in fired(model)
    assert_same_bits(model, {"x": codes()})


def test_it_lets_a_convolution_read_codes() -> None:
    """D -> MaxPool -> Conv -> Q: nothing but codes between the inputs and the output."""
    constants: dict[str, Array] = {
        "s": np.array(0.5, np.float32),
        "z": np.array(4, np.uint8),
        "w": np.arange(-9, 9, dtype=np.int8).reshape(2, 1, 3, 3),
        "ws": np.array(0.25, np.float32),
        "wz": np.array(0, np.int8),
        "ys": np.array(8, np.float32),
    }
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "s", "z"], ["f"], name="d"),
        helper.make_node("MaxPool", ["f"], ["g"], name="p", kernel_shape=[2, 2]),
        helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["wf"], name="dw"),
        helper.make_node("Conv", ["g", "wf"], ["c"], name="c"),
        helper.make_node("QuantizeLinear", ["c", "ys", "z"], ["y"], name="q"),
    ]
    model = graph_model(nodes, {"x": (np.uint8, [1, 1, 6, 6])}, {"y": np.uint8}, constants)
    assert {"R26", "R01"} <= fired(model)
    kinds = [each.kind for each in Session(model).plan().steps]
    assert kinds[0] == "MaxPool"
    assert "DequantizeLinear" not in kinds
    assert_same_bits(model, {"x": codes(shape=(1, 1, 6, 6))})


def test_a_shared_dequantize_stays_for_the_others() -> None:
    model = behind("MaxPool", y=None, outputs=("f", "g"), kernel_shape=[2, 2])
    assert fired(model) == {"R26", "R46"}
    assert_same_bits(model, {"x": codes()})
    assert refusals(model, "R26", off=["R46"]) == {
        "G12: d is shared ('f' is a graph output) and R46 is off"
    }


def test_parameters_are_never_looked_for_further_up() -> None:
    """F113: Q -> D -> Sin -> MaxPool; the pool must not take the parameters of that Q."""
    model = behind("MaxPool", y=None, kernel_shape=[2, 2])
    model.graph.node[1].input[0] = "t"
    model.graph.node.insert(1, helper.make_node("Sin", ["f"], ["t"], name="t"))
    assert fired(model) == set()
    assert refusals(model, "R26") == set()


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (
            behind("MaxPool", x=(-0.5, 5), y=None, kernel_shape=[2, 2]),
            "G6: the scale -0.5 of d does not keep the order of the codes",
        ),
        (
            behind("MaxPool", x=([0.1] * 3, [1] * 3), y=None, kernel_shape=[2, 2]),
            "G2: d has 3 scales, the kernel takes 1",
        ),
        (
            behind("MaxPool", x=(3e38, 5), y=None, kernel_shape=[2, 2]),
            "G6: the scale 3.00000001e+38 of d overflows float32 times 250",
        ),
        (
            behind("MaxPool", y=None, inputs={"xs": 1}, kernel_shape=[2, 2]),
            "G1: the scale 'xs' of d is computed, not constant",
        ),
    ],
)
def test_it_does_not_fire_and_says_why(model: onnx.ModelProto, reason: str) -> None:
    assert refusals(model, "R26") == {reason}
    assert fired(model) == set()
    if len(model.graph.input) == 1:
        assert_same_bits(model, {"x": codes()})
