"""F128 of sums and products, against what OpenVINO 2026.4.1 gave for the same models: codes of uint8, then int8."""

from typing import Any

import numpy as np
import onnx
import pytest

from engine import Session
from tests.engine.models import graph_model

Codes = tuple[float, int]

SUM: tuple[Codes, Codes, Codes] = ((0.1, 7), (0.3, 250), (0.1, 30))
PRODUCT: tuple[Codes, Codes, Codes] = ((0.1, 7), (0.3, 250), (3.0, 100))


def combined(
    key: str,
    op: str,
    pair: tuple[list[int], list[int]],
    given: tuple[Codes, Codes, Codes],
    constant: str = "",
    dtype: Any = np.uint8,
) -> Any:
    """What a sum or product of codes becomes with a fault; one operand may be a constant."""
    constants: dict[str, Any] = {}
    for name, (scale, zero) in zip("aby", given, strict=True):
        constants |= {f"{name}s": np.float32(scale), f"{name}z": np.array(zero, dtype)}
    codes = {name: np.array([each], dtype) for name, each in zip("ab", pair, strict=True)}
    constants |= {name: codes.pop(name) for name in constant}
    names = ["a", "as", "az", "b", "bs", "bz", "ys", "yz"]
    node = onnx.helper.make_node(op, names, ["y"], domain="com.microsoft")
    shapes: dict[str, Any] = {name: (dtype, [1, len(pair[0])]) for name in codes}
    model = graph_model([node], shapes, {"y": dtype}, constants, 13)
    model.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    return Session(model, faults=[key]).run(codes)["y"].reshape(-1).tolist()


SUMMED = ([241, 160, 174, 227, 148, 189, 229], [229, 6, 201, 33, 101, 133, 215])
MULTIPLIED = ([127, 210, 57, 222, 57, 165, 182], [242, 60, 92, 98, 156, 129, 47])


@pytest.mark.parametrize(
    ("key", "op", "expected"),
    [
        ("F128", "QLinearAdd", [201, 219, 49, 111, 236, 117, 147]),
        ("F128.fused", "QLinearAdd", [201, 219, 50, 111, 237, 118, 147]),
        ("F128.clipped", "QLinearAdd", [201, 0, 50, 0, 0, 0, 146]),
        ("F128", "QLinearMul", [90, 227, 20, 30, 52, 165, 1]),
        ("F128.fused", "QLinearMul", [90, 227, 21, 30, 53, 165, 1]),
        ("F128.clipped", "QLinearMul", [90, 0, 20, 0, 53, 0, 0]),
    ],
)
def test_where_reals_meet_a_whole_number_float32_decides(
    key: str, op: str, expected: list[int]
) -> None:
    """Clipped behind an open batch, else in generated code; the exact reals of F128 are neither."""
    pair, given = (SUMMED, SUM) if op == "QLinearAdd" else (MULTIPLIED, PRODUCT)
    assert combined(key, op, pair, given) == expected


ADDED = ([57, 14, 114, 65, 211, 229, 0], [167, 55, 212, 48, 185, 112, 72])
SCALED = ([77, 87, 39, 209, 39, 254, 192], [147, 115, 100, 98, 125, 97, 58])


@pytest.mark.parametrize(
    ("key", "op", "expected"),
    [
        ("F128.fused", "QLinearAdd", [87, 220, 23, 250, 39, 94, 1]),
        ("F128.clipped", "QLinearAdd", [0, 0, 23, 0, 39, 0, 0]),
        ("F128.fused", "QLinearMul", [27, 248, 52, 49, 60, 235, 1]),
        ("F128.clipped", "QLinearMul", [27, 0, 52, 0, 60, 0, 0]),
    ],
)
def test_a_constant_is_folded_into_one_factor_and_one_addend(
    key: str, op: str, expected: list[int]
) -> None:
    pair, given = (ADDED, SUM) if op == "QLinearAdd" else (SCALED, PRODUCT)
    assert combined(key, op, pair, given, "b") == expected
    turned = (given[1], given[0], given[2])
    assert combined(key, op, (pair[1], pair[0]), turned, "a") == expected


@pytest.mark.parametrize(
    ("key", "step", "expected"),
    [
        ("F128.fused", 1e-10, [9, 9, 0, 0]),
        ("F128.clipped", 1e-10, [9, 9, -128, 127]),
        ("F128.fused", 1e-40, [0, 0, 0, 0]),
        ("F128.clipped", 1e-40, [0, 0, -128, 127]),
    ],
)
def test_what_no_int32_holds_and_what_is_no_number(
    key: str, step: float, expected: list[int]
) -> None:
    """Sums of 0, -10 and 190; the inverse of the smaller step is infinite."""
    pair, one = ([3, 5, 0, 100], [7, 5, 0, 100]), (1.0, 5)
    assert combined(key, "QLinearAdd", pair, (one, one, (step, 9)), "", np.int8) == expected


def test_other_operators_are_computed_as_before() -> None:
    """A maximum has no QLinear operator of its own: reals are exact, then cast."""
    node, constants = onnx.helper.make_node, {"s": np.array(0.5, "f4"), "t": np.array(1, "f4")}
    nodes = [
        node("DequantizeLinear", ["x", "s"], ["r"]),
        node("DequantizeLinear", ["x", "t"], ["u"]),
        node("Max", ["r", "u"], ["v"]),
        node("QuantizeLinear", ["v", "s"], ["y"]),
    ]
    model = graph_model(nodes, {"x": (np.uint8, [1, 3])}, {"y": np.uint8}, constants, 17)
    x = {"x": np.array([[0, 100, 200]], np.uint8)}
    for key, last in (("F128", 400 - 256), ("F128.fused", 400 - 256), ("F128.clipped", 255)):
        assert Session(model, faults=[key]).run(x)["y"].tolist() == [[0, 200, last]]
