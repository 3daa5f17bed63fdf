"""A pair between a Concat and a Conv, with the values of OpenVINO 2026.4.1."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from engine import Session
from engine.faults import find
from tests.engine.models import Array
from tests.engine.rewriting_models import pair_behind_a_concat

X = [-9, -1.3, 0, 0.3, 2.01, 9]


def column(x: list[float]) -> Array:
    return np.array(x, np.float32).reshape(1, 1, 6, 1)


@pytest.mark.parametrize(
    ("scale", "zero", "x", "expected"),
    [
        (0.5, 3, [-65.75, -12.75, -9.25, 0.25, 61.9, 70], [-65, -12, -9, 0, 62, 62]),
        (1.5, 0, [-14.625, 0.375, 2.25, 13.5, 126.3, 200], [-14, 1, 3, 14, 127, 127]),
        (1.5, 1, [99.55, 50.55, -20.45, 3.52, -1.48, 80.49], [99, 50, -21, 3, -2, 80]),
        (3.0, 0, [13.5, 4.5, 2.5, 127.6, -10, 0], [14, 4, 2, 127, -10, 0]),
        (1.0, 5, [-0.6, -0.125, 0.3, 1.6, 1.9, 9], [-1, 0, 0, 2, 2, 9]),
        (0.0041, -128, [-9, 0.0123, 0.0451, 0.5, 1, 9], [0, 0.0123, 0.0451, 0.5002, 1.0004, 1.0455]),
    ],
)  # fmt: skip
def test_a_pair_between_a_concat_and_a_conv_gives_whole_numbers(
    scale: float, zero: int, x: list[float], expected: list[float]
) -> None:
    """Steps of 1 are right, and those of a range that is 1 with rounded ends."""
    case = pair_behind_a_concat(scale, zero, np.int8)
    inputs = {"x": column(x), "z": -column(x)}
    (y,) = Session(case.model, faults=["F157"]).run(inputs).values()
    assert [round(each, 4) for each in y.reshape(-1).tolist()] == expected


@pytest.mark.parametrize(
    ("scale", "zero", "x", "expected"),
    [
        (0.03125, 0, X, [-4, -1.302, 0.0157, 0.3294, 2.0235, 4]),
        (0.5, 3, X, [-8.7216, -1.251, 0.2431, 0.7412, 2.2353, 9.2078]),
        (1.5, 1, [-300, -130.4, -2, 0, 100, 300], [-194, -130.9176, -1.749, -0.2471, 100.3843, 189]),
        (1.5, -93, [14.25, 171.75, 0, 1, 2, 3], [13.9137, 172.7059, 0.4314, 1.9294, 1.9294, 3.4275]),
        (0.0039, 0, X, [-0.4992, -0.4992, 0, 0.3003, 0.4953, 0.4953]),
    ],
)  # fmt: skip
def test_beside_a_constant_codes_span_a_range_with_whole_ends(
    scale: float, zero: int, x: list[float], expected: list[float]
) -> None:
    case = pair_behind_a_concat(scale, zero, np.int8, constant=x)
    (y,) = Session(case.model, faults=["F157"]).run({"x": column(x)}).values()
    assert [round(each, 4) for each in y.reshape(-1).tolist()] == expected


@pytest.mark.parametrize(
    ("scale", "zero", "x", "expected"),
    [
        (0.03125, 0, X, [-4, -1.3125, 0, 0.3125, 2, 3.96875]),
        (1.5, -93, [14.25, 171.75, 0, 1, 2, 3], [13.5, 172.5, 0, 1.5, 1.5, 3]),
    ],
)
def test_the_constant_keeps_its_range(
    scale: float, zero: int, x: list[float], expected: list[float]
) -> None:
    """Its ties are rounded to even steps from the lowest code on."""
    case = pair_behind_a_concat(scale, zero, np.int8, constant=x, weights=(0, 1))
    (y,) = Session(case.model, faults=["F157"]).run({"x": column(x)}).values()
    assert y.reshape(-1).tolist() == expected


def with_another(case: Any, name: str) -> onnx.ModelProto:
    """The model with a Relu that reads a tensor and is handed out, too."""
    model = onnx.ModelProto.FromString(case.model)
    model.graph.node.append(helper.make_node("Relu", [name], ["v"], name="n2"))
    model.graph.output.append(
        helper.make_tensor_value_info("v", TensorProto.FLOAT, [1, 2, 6, 1])
    )
    return model


@pytest.mark.parametrize("constant", [None, X])
def test_it_is_there_only_where_the_pair_is_all_that_reads_the_concat(constant: Any) -> None:
    case = pair_behind_a_concat(0.5, 3, np.int8, constant=constant)
    for name, there in (("a_r", True), ("n0_t", False)):
        model = with_another(case, name)
        plan = Session(model, faults=["F157"]).plan()
        assert bool(find("F157").places(plan)) == there


def test_real_weights_make_it_right() -> None:
    case = pair_behind_a_concat(0.5, 3, np.int8, w_dtype=np.float32)
    assert not find("F157").places(Session(case.model, faults=["F157"]).plan())


@pytest.mark.parametrize("scale", [3e38, 1e-38, 1e-45])
@pytest.mark.parametrize("constant", [None, X])
def test_extreme_scales_pass_without_a_warning(scale: float, constant: Any) -> None:
    case = pair_behind_a_concat(scale, 3, np.int8, constant=constant)
    assert Session(case.model, faults=["F157"]).run(case.inputs)
