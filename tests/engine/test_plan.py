"""The plan says what each rule did, and for whatever stayed float the guard that stopped it."""

from typing import Any

import numpy as np
import onnx
from onnx import helper

from engine import Session
from tests.engine.models import graph_model, qdq_conv
from tests.engine.plans import W, reasons, with_input, without

make = helper.make_node
PARAMETERS: Any = {
    "s": np.array(0.3, np.float32),
    "t": np.array(0.2, np.float32),
    "z": np.array(7, np.uint8),
}
X: Any = {"x": (np.float32, [1, 2, 4, 4])}


def small(*nodes: onnx.NodeProto, outputs: Any = None, inputs: Any = None) -> onnx.ModelProto:
    return graph_model(list(nodes), inputs or X, outputs or {"y": np.float32}, PARAMETERS)


def quantize(source: str, target: str, name: str, scale: str = "s") -> onnx.NodeProto:
    return make("QuantizeLinear", [source, scale, "z"], [target], name=name)


def dequantize(source: str, target: str, name: str, scale: str = "s") -> onnx.NodeProto:
    return make("DequantizeLinear", [source, scale, "z"], [target], name=name)


def test_the_steps_of_each_rule() -> None:
    plan = Session(qdq_conv(W, activation="Relu")).plan()
    assert {rule: [each.nodes for each in steps] for rule, steps in plan.rules.items()} == {
        "R04": [("dx", "dw", "c1", "a1", "qy")]
    }
    assert Session(qdq_conv(W), fusion="off").plan().rules == {}


def test_every_node_of_a_refused_unit_says_what_stopped_it() -> None:
    found = reasons(qdq_conv(W, activation="Relu", outputs=("y", "cf")))
    why = "R04 G3: 'cf' is a graph output, so it must exist in float"
    assert {name: found[name] for name in ("dx", "dw", "c1", "qy")} == {
        "dx": why,
        "dw": why,
        "c1": why,
        "qy": why,
    }


def test_what_leads_into_and_out_of_the_codes() -> None:
    model = qdq_conv(W)
    model.graph.node.insert(0, make("QuantizeLinear", ["r", "xs", "xz"], ["x"], name="qx"))
    model.graph.input[0].name = "r"
    model.graph.input[0].type.tensor_type.elem_type = 1
    model.graph.node.append(make("DequantizeLinear", ["y", "ys", "yz"], ["f"], name="dy"))
    model.graph.output[0].name = "f"
    model.graph.output[0].type.tensor_type.elem_type = 1
    assert reasons(model) == {
        "qx": "R01 pattern: its input 'r' comes from a graph input or constant, which no rule fuses",
        "dy": "R01 pattern: its output 'f' is a graph output; no rule takes DequantizeLinear -> "
        "a graph output here",
    }


def test_an_operator_that_no_rule_is_for_is_named() -> None:
    model = small(
        quantize("x", "q", "Q"), dequantize("q", "f", "D"), make("Det", ["f"], ["y"])
    )
    model.graph.node[2].op_type, model.graph.node[2].name = "Sin", "n"
    found = reasons(model)
    assert "'f' goes to Sin n; no rule takes DequantizeLinear -> Sin here" in found["D"]
    after = small(
        make("Sin", ["x"], ["w"], name="n"), quantize("w", "y", "Q"), outputs={"y": np.uint8}
    )
    assert "its input 'w' comes from Sin n, which no rule fuses" in reasons(after)["Q"]


def test_a_pair_that_differs_gives_both_values_at_both_ends() -> None:
    model = small(
        dequantize("x", "f", "D"),
        quantize("f", "y", "Q", "t"),
        outputs={"y": np.uint8},
        inputs={"x": (np.uint8, [4])},
    )
    found = {each.node: each.reason for each in Session(model, fusion=["R25"]).plan().kept}
    assert set(found) == {"D", "Q"}
    assert found["D"] == found["Q"]


def test_an_operator_alone_in_float() -> None:
    found = reasons(without(qdq_conv(W, outputs=("cf",)), "qy", ""))
    assert found["c1"] == (
        "R01 pattern: its output 'cf' is a graph output; no QuantizeLinear follows"
    )
    assert "no rule takes DequantizeLinear -> Conv here" in found["dw"]


def test_operators_on_codes_are_where_they_should_be() -> None:
    pool = make("MaxPool", ["x"], ["y"], kernel_shape=[2, 2], name="m")
    codes = small(pool, inputs={"x": (np.uint8, [1, 1, 4, 4])}, outputs={"y": np.uint8})
    assert Session(codes).plan().kept == ()
    (kept,) = Session(small(pool)).plan().kept
    assert (kept.node, kept.op, kept.guard) == ("m", "MaxPool", "pattern")


def test_what_lies_in_a_branch_says_so() -> None:
    inside = helper.make_graph(
        [quantize("x", "q", "Q"), dequantize("q", "f", "D")],
        "g",
        [],
        [helper.make_tensor_value_info("f", 1, None)],
    )
    node = make("If", ["c"], ["y"], name="i", then_branch=inside, else_branch=inside)
    found = Session(small(node, inputs={**X, "c": (np.bool_, [])})).plan().kept
    assert [(each.node, each.guard) for each in found] == [("Q", "G13"), ("D", "G13")] * 2
    assert found[0].reason == "it lies in else_branch of If i, where no rule acts"


def test_a_computed_scale_names_itself_at_every_node() -> None:
    found = reasons(with_input(qdq_conv(W), "ys"))
    why = "R01 G1: the scale 'ys' of qy is computed, not constant"
    assert {found[name] for name in ("dx", "dw", "c1", "qy")} == {why}


def test_the_plan_prints_what_stayed() -> None:
    text = str(Session(qdq_conv(W, outputs=("y", "cf"))).plan())
    assert (
        "DequantizeLinear dx stays float: 'cf' is a graph output, so it must exist in float "
        "[R01 G3]" in text
    )
