"""Pairs that are dropped (R40, R42) and a DequantizeLinear with several readers (R46)."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from tests.engine.fusion.checks import refusals
from tests.engine.models import graph_model, qdq_conv
from tests.engine.plans import EXACT, W, assert_keeps_values, edited, plan, reasons, rules


def pairs(*parameters: tuple[float, int], dtype: Any = np.uint8) -> onnx.ModelProto:
    """x -> Q D for each (scale, zero point) -> y, all in one chain."""
    nodes: list[onnx.NodeProto] = []
    constants: dict[str, Any] = {}
    last = "x"
    for i, (scale, zero) in enumerate(parameters):
        constants |= {f"s{i}": np.float32(scale), f"z{i}": np.array(zero, dtype)}
        q, d = f"q{i}", f"d{i}"
        nodes += [
            helper.make_node("QuantizeLinear", [last, f"s{i}", f"z{i}"], [q], name=f"Q{i}"),
            helper.make_node("DequantizeLinear", [q, f"s{i}", f"z{i}"], [d], name=f"D{i}"),
        ]
        last = d
    return graph_model(nodes, {"x": (np.float32, [64])}, {last: np.float32}, constants)


REALS = np.linspace(-40, 40, 64, dtype=np.float32)


def test_r42_drops_the_second_of_two_identical_pairs() -> None:
    model = pairs((0.3, 7), (0.3, 7))
    assert [(each.kind, each.rule, each.nodes) for each in plan(model).steps] == [
        ("QuantizeLinear", "", ("Q0",)),
        ("Identity", "R42", ("D0", "Q1")),
        ("DequantizeLinear", "", ("D1",)),
    ]
    assert_keeps_values(model, REALS)


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        ((0.25, 7), "differ: scale 0.30000001192092896 and 0.25"),
        ((0.3, 8), "differ: zero point 7 and 8"),
        ((float(np.nextafter(np.float32(0.3), np.float32(1))), 7), "differ: scale"),
    ],
)
def test_pairs_that_differ_are_left_alone(second: tuple[float, int], reason: str) -> None:
    model = pairs((0.3, 7), second)
    assert any(f"G5: D0 and Q1 {reason}" in each for each in refusals(model, "R40", ["R25"]))
    assert rules(model, ["R25"]) == ["", "", "", ""]


def test_pairs_of_other_types_are_left_alone() -> None:
    model = edited(pairs((0.3, 7), (0.3, 7)), z1=np.array(7, np.int8))
    assert refusals(model, "R40", ["R25"]) == {"G5: D0 and Q1 have uint8 and int8 codes"}


def test_r40_drops_a_pair_that_undoes_itself() -> None:
    d = helper.make_node("DequantizeLinear", ["x", "s", "z"], ["f"], name="D")
    q = helper.make_node("QuantizeLinear", ["f", "s", "z"], ["y"], name="Q")
    constants: dict[str, Any] = {"s": np.float32(0.3), "z": np.array(7, np.uint8)}
    model = graph_model([d, q], {"x": (np.uint8, [256])}, {"y": np.uint8}, constants)
    assert [(each.kind, each.rule) for each in plan(model).steps] == [("Identity", "R40")]
    assert_keeps_values(model, np.arange(256, dtype=np.uint8))
    assert rules(model, ["R40"]) == ["", ""]
    assert reasons(edited(model, s=np.float32(3e38)))["Q"].startswith("R40 G6: the scale")


@pytest.mark.parametrize("off", [[], ["R42"]])
def test_r40_takes_over_where_r42_is_off(off: list[str]) -> None:
    model = pairs((0.3, 7), (0.3, 7))
    assert rules(model, off)[1] == ("R40" if off else "R42")


def shared(tail: str) -> onnx.ModelProto:
    """One DequantizeLinear of x read by the Conv and by someone else."""
    model = qdq_conv(W, **EXACT, outputs=("y", "xf") if tail == "output" else ("y", "other"))
    if tail == "relu":
        model.graph.node.append(helper.make_node("Relu", ["xf"], ["other"], name="r"))
    elif tail == "conv":
        for node in list(model.graph.node):
            if node.name in ("dw", "c1", "qy"):
                copy = onnx.NodeProto()
                copy.CopyFrom(node)
                copy.name += "2"
                copy.output[0] = {"wf": "wf2", "cf": "cf2", "y": "other"}[copy.output[0]]
                inputs = [{"wf": "wf2", "cf": "cf2"}.get(name, name) for name in copy.input]
                del copy.input[:]
                copy.input.extend(inputs)
                model.graph.node.append(copy)
        model.graph.output[1].type.tensor_type.elem_type = onnx.TensorProto.UINT8
    return model


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        ("output", [("DequantizeLinear", "R46"), ("QConv", "R01")]),
        ("relu", [("DequantizeLinear", "R46"), ("QConv", "R01"), ("Relu", "")]),
        ("conv", [("QConv", "R01"), ("QConv", "R01")]),
    ],
)
def test_r46_gives_each_reader_its_own_dequantize(
    tail: str, expected: list[tuple[str, str]]
) -> None:
    model = shared(tail)
    assert [(each.kind, each.rule) for each in plan(model).steps] == expected
    assert_keeps_values(model)


def test_r46_off_keeps_the_conv_in_float() -> None:
    assert reasons(shared("relu"), ["R46"])["c1"] == (
        "R01 G12: dx is shared ('xf' has 2 consumers: c1, r) and R46 is off"
    )
    assert (
        "G12: dx is shared ('xf' is a graph output)"
        in reasons(shared("output"), ["R46"])["c1"]
    )


def test_a_conv_with_two_consumers_stays_float() -> None:
    model = qdq_conv(W, **EXACT, outputs=("y", "other"))
    model.graph.node.append(helper.make_node("Relu", ["cf"], ["other"], name="r"))
    assert reasons(model)["c1"] == (
        "R01 G3: 'cf' has 2 consumers: qy, r, so it must exist in float"
    )
    assert_keeps_values(model)


def test_an_activation_with_two_consumers_stays_float() -> None:
    model = qdq_conv(W, **EXACT, activation="Relu", outputs=("y", "af"))
    assert reasons(model)["c1"].startswith("R04 G3: 'af' is a graph output")
    assert_keeps_values(model)


def test_codes_keep_their_type_through_a_long_chain_of_moves() -> None:
    """A DequantizeLinear without zero point has the type of its codes, however far away."""
    nodes = [helper.make_node("QuantizeLinear", ["x", "s", "z"], ["t0"], name="Q")]
    nodes += [helper.make_node("Identity", [f"t{i}"], [f"t{i + 1}"]) for i in range(1500)]
    nodes.append(helper.make_node("DequantizeLinear", ["t1500", "s"], ["f"], name="D"))
    nodes.append(helper.make_node("QuantizeLinear", ["f", "s", "z"], ["y"], name="Q2"))
    constants: dict[str, Any] = {"s": np.float32(0.3), "z": np.array(0, np.int8)}
    model = graph_model(nodes, {"x": (np.float32, [64])}, {"y": np.int8}, constants)
    assert plan(model).steps[-1].rule == "R40"
    assert_keeps_values(model, REALS)
