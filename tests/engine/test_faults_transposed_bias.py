"""The bias of a ConvTranspose, with the values of OpenVINO 2026.4.1 and of onnx.reference."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator

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


def grouped(groups: int, *, bias: bool = True) -> onnx.ModelProto:
    """Four channels, one for each filter where there are four groups."""
    constants = {
        "w": np.full((4, 4 // groups, 1), 1, np.float32),
        "b": np.array([1, 2, 4, 8], np.float32),
    }
    inputs = ["x", "w", "b"] if bias else ["x", "w"]
    node = helper.make_node("ConvTranspose", inputs, ["y"], name="t", group=groups)
    return graph_model([node], {"x": (np.float32, [1, 4, 1])}, {"y": np.float32}, constants)


def test_each_group_takes_the_bias_from_its_first_on_as_the_reference_does() -> None:
    model, x = grouped(4), {"x": np.array([[[3], [5], [7], [9]]], np.float32)}
    reference = ReferenceEvaluator(model).run(None, x)[0]
    (y,) = Session(model, faults=["F65.transpose"]).run(x).values()
    assert y.tolist() == np.asarray(reference).tolist() == [[[4], [6], [8], [10]]]
    (y,) = Session(model).run(x).values()
    assert y.tolist() == [[[4], [7], [11], [17]]]
    (y,) = Session(grouped(2), faults=["F65.transpose"]).run(x).values()
    assert y.tolist() == [[[9], [10], [17], [18]]]


@pytest.mark.parametrize(("groups", "bias"), [(1, True), (4, False)])
def test_of_one_group_or_without_a_bias_no_index_is_wrong(groups: int, bias: bool) -> None:
    model, x = grouped(groups, bias=bias), {"x": np.ones((1, 4, 1), np.float32)}
    faulty = Session(model, faults=["F65.transpose"])
    assert not find("F65.transpose").places(faulty.plan())
    assert all(map(np.array_equal, faulty.run(x).values(), Session(model).run(x).values()))


def unsigned(
    zero: int = 0,
    groups: int = 1,
    behind: str = "y = QuantizeLinear (k, s)",
    kind: str = "uint8",
) -> onnx.ModelProto:
    """Weights of zero points and bias 3, 8, 13; four outputs a channel."""
    filters = 3 // groups
    codes = ", ".join([str(zero)] * (3 * filters * 4))
    return onnx.parser.parse_model(f"""<ir_version: 8, opset_import: ["" : 13]>
g (uint8[1, 3, 1, 1] x) => ({"float" if "Identity" in behind else "uint8"}[1, 3, 2, 2] y)
<float s = {{1}}, {kind}[3, {filters}, 2, 2] w = {{{codes}}}, {kind} z = {{{zero}}}, float[3] b = {{3, 8, 13}}> {{
  h = DequantizeLinear (x, s) i = DequantizeLinear (w, s, z) k = ConvTranspose <group: int = {groups}> (h, i, b)
  {behind}
}}""")


SHOWN = {
    "codes": unsigned(),
    "a Relu": unsigned(behind="r = Relu (k) y = QuantizeLinear (r, s)"),
}
HIDDEN = {
    "groups": unsigned(groups=3),
    "a zero point": unsigned(zero=1),
    "int8": unsigned(kind="int8"),
    "reals": unsigned(behind="y = Identity (k)"),
    "an Abs": unsigned(behind="r = Abs (k) y = QuantizeLinear (r, s)"),
}


@pytest.mark.parametrize("name", [*SHOWN, *HIDDEN])
def test_unsigned_weights_of_what_is_quantized_leave_the_first_bias_alone(name: str) -> None:
    model = {**SHOWN, **HIDDEN}[name]
    session = Session(model, fusion="off", faults=["F161.unsigned"])
    x = {"x": np.ones((1, 3, 1, 1), np.uint8)}
    assert session.run(x)["y"][0, :, 1, 1].tolist() == (
        [3] * 3 if name in SHOWN else [3, 8, 13]
    )
    assert bool(find("F161.unsigned").places(session.plan())) == (name in SHOWN)
