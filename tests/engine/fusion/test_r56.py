"""R56, asked for: an operator that shares its input's parameters rounds to its input's codes."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from engine import Session
from tests.engine.fusion.checks import fired, refusals
from tests.engine.models import graph_model

make = helper.make_node


def behind(node: onnx.NodeProto, scale: Any = 0.3) -> onnx.ModelProto:
    """x -> D "d" -> operator "a" -> Sin -> y."""
    constants: Any = {
        "s": np.asarray(scale, np.float32),
        "z": np.zeros(np.shape(scale), np.uint8) + 9,
        "lo": np.array(1, np.float32),
    }
    nodes = [
        make("DequantizeLinear", ["x", "s", "z"], ["f"], name="d"),
        node,
        make("Sin", ["g"], ["y"]),
    ]
    inputs: Any = {"x": (np.uint8, [1, 2, 4, 4])}
    return graph_model(nodes, inputs, {"y": np.float32}, constants)


OPERATORS = [
    make("AveragePool", ["f"], ["g"], name="a", kernel_shape=[2, 2]),
    make("GlobalAveragePool", ["f"], ["g"], name="a"),
    make("ReduceMean", ["f"], ["g"], name="a", axes=[2, 3]),
    make("Clip", ["f", "lo"], ["g"], name="a"),
    make("Relu", ["f"], ["g"], name="a"),
]


@pytest.mark.parametrize("node", OPERATORS, ids=lambda each: each.op_type)
def test_what_shares_parameters_rounds_to_codes(node: onnx.NodeProto) -> None:
    model = behind(node)
    assert "R56" not in fired(model)
    assert "R56" in fired(model, opt_in=["R56"])
    x = np.arange(32, dtype=np.uint8).reshape(1, 2, 4, 4) * 8  # no ties
    off = Session(model, fusion="off").run_tapped({"x": x})["g"]
    s, z = np.float32(0.3), np.float32(9)
    codes = np.clip(np.rint(off / s) + z, 0, 255)
    actual = Session(model, opt_in=["R56"]).run_tapped({"x": x})["g"]
    assert (actual == (codes - z) * s).all()


def test_an_output_that_is_quantized_already_is_left_alone() -> None:
    model = behind(OPERATORS[0])
    node = model.graph.node[2]
    node.CopyFrom(make("QuantizeLinear", ["g", "s", "z"], ["y"], name="q"))
    model.graph.output[0].type.tensor_type.elem_type = 2
    assert "R56" not in fired(model, opt_in=["R56"])


def test_scales_for_channels_are_not_shared() -> None:
    model = behind(OPERATORS[0], [0.3, 0.4])
    assert refusals(model, "R56") == {"G2: d has 2 scales, the kernel takes 1"}
    model.graph.input.append(helper.make_tensor_value_info("s", 1, [2]))
    assert refusals(model, "R56") == {"G1: the scale 's' of d is computed, not constant"}


@pytest.mark.parametrize("node", OPERATORS, ids=lambda each: each.op_type)
def test_it_comes_to_an_end_beside_a_rule_that_undoes_it(node: onnx.NodeProto) -> None:
    """R41 strips the pair where no other rule takes it."""
    off = ["R12", "R14", "R36", "R55"]
    plan = Session(behind(node), fusion=off, opt_in=["R41", "R56"]).plan()
    assert {"R41", "R56"} <= plan.rules.keys()
    assert "QuantizeLinear" not in {each.kind for each in plan.steps}
