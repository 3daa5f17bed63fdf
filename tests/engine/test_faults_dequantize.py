"""Faults of DequantizeLinear show under their trigger only, and give the values they name."""

from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest

from engine import Session
from engine.faults import find
from tests.engine.models import graph_model


def dequantize(scale: float, zero: int) -> onnx.ModelProto:
    constants: dict[str, Any] = {"s": np.float32(scale), "z": np.array(zero, np.uint8)}
    node = onnx.helper.make_node("DequantizeLinear", ["x", *constants], ["y"], name="d")
    return graph_model([node], {"x": (np.uint8, [2])}, {"y": np.float32}, constants, 13)


def test_a_zero_point_taken_off_behind_the_product_rounds_twice() -> None:
    """The values are those of OpenVINO 2026.4.1."""
    session = Session(dequantize(1243.0557, 23), faults=["F125"])
    x = np.array([1, 0], np.uint8)
    wrong = session.run({"x": x})["y"]
    right = Session(dequantize(1243.0557, 23)).run({"x": x})["y"]
    assert [float(each).hex() for each in wrong] == [
        "-0x1.ab4ce80000000p+14",
        "-0x1.beb9200000000p+14",
    ]
    assert [float(each).hex() for each in right] == [
        "-0x1.ab4ce60000000p+14",
        "-0x1.beb9200000000p+14",
    ]
    assert find("F125").places(session.plan()) == ("d",)


@pytest.mark.parametrize(("scale", "zero"), [(1243.0557, 0), (0.25, 23)])
def test_the_order_is_not_seen_without_a_rounding(scale: float, zero: int) -> None:
    assert not find("F125").places(Session(dequantize(scale, zero)).plan())


@pytest.mark.parametrize(
    ("fault", "scale", "zero", "code", "real"),
    [
        ("F125.fused", 0.92576057, 127, 127, -2.2053719e-06),
        ("F127", 7.8092904, 128, 128, 6.1035156e-05),
        ("F127.fused", 0.016378226, 128, 129, 0.01637846603989601),
        ("F127.share", 0.009961153, 128, 128, 1.1920929e-07),
        ("F127.share", 0.006250568, 128, 128, 5.9604645e-08),
    ],
)
def test_zero_is_not_quite_zero(
    fault: str, scale: float, zero: int, code: int, real: float
) -> None:
    """The values are those of OpenVINO 2026.4.1 for the zero point itself, once for the code above."""
    session = Session(dequantize(scale, zero), faults=[fault])
    x = np.full(2, code, np.uint8)
    assert session.run({"x": x})["y"].tolist() == [np.float32(real)] * 2


def test_the_zero_point_is_taken_off_behind_the_interpolation() -> None:
    """The values are those of OpenVINO 2026.4.1 for the zero points of blocks of 4-bit codes."""
    constants: dict[str, Any] = {
        "s": np.array([[0.75768882, 0.69749862]], np.float32),
        "z": np.array([[1, 0]], ml_dtypes.int4),
    }
    node = onnx.helper.make_node(
        "DequantizeLinear", ["x", *constants], ["y"], name="d", axis=1, block_size=2
    )
    shapes = {"x": (ml_dtypes.int4, [1, 4])}
    model = graph_model([node], shapes, {"y": np.float32}, constants, 21)
    x = np.array([[1, 1, 0, 0]], ml_dtypes.int4)
    wrong = Session(model, faults=["F127.apart"]).run({"x": x})["y"]
    expected = np.array([[-5.3644180e-07] * 2 + [-4.7683716e-07] * 2], np.float32)
    np.testing.assert_array_equal(wrong, expected)
    assert not find("F127.apart").places(Session(dequantize(0.7, 0)).plan())


def test_a_scale_is_inverted_twice() -> None:
    """The values are those of OpenVINO 2026.4.1 behind a product."""
    session = Session(dequantize(1.9600885, 0), faults=["F127.inverse"])
    x = np.array([2, 0], np.uint8)
    assert session.run({"x": x})["y"].tolist() == [3.9201767444610596, 0]
    assert Session(dequantize(1.9600885, 0)).run({"x": x})["y"].tolist() == [
        3.9201769828796387,
        0,
    ]
    assert find("F127.inverse").places(session.plan()) == ("d",)
    assert not find("F127.inverse").places(Session(dequantize(4.1223702, 0)).plan())
    lost = Session(dequantize(1e-39, 0), faults=["F127.inverse"])  # its inverse is no float32
    assert lost.run({"x": x})["y"].tolist() == [0, 0]


def times(other: Any, scale: float, zero: int) -> onnx.ModelProto:
    """Dequantized codes by a constant."""
    constants: dict[str, Any] = {
        "s": np.float32(scale),
        "z": np.array(zero, np.uint8),
        "c": np.array(other, np.float32),
    }
    nodes = [
        onnx.helper.make_node("DequantizeLinear", ["x", "s", "z"], ["d"], name="d"),
        onnx.helper.make_node("Mul", ["c", "d"], ["y"], name="m"),
    ]
    return graph_model(nodes, {"x": (np.uint8, [2])}, {"y": np.float32}, constants, 13)


@pytest.mark.parametrize(
    ("scale", "zero", "factor", "reals", "right"),
    [
        (1.7732314, 208, 0.012228879, [1.0191774, -2.3841858e-07], 1.0191777),
        (0.0312, 7, 1.37, [10.600512, -1.8626451e-08], 10.600512),
    ],
)
def test_a_constant_factor_is_multiplied_with_the_scale(
    scale: float, zero: int, factor: float, reals: list[float], right: float
) -> None:
    """The values are those of OpenVINO 2026.4.1, which multiplies all constants first."""
    model, x = times([factor] * 2, scale, zero), np.array([255, zero], np.uint8)
    session = Session(model, faults=["F125.product"])
    found = session.run({"x": x})["y"].tolist()
    assert found == [np.float32(each) for each in reals]
    assert Session(model).run({"x": x})["y"].tolist() == [np.float32(right), 0]
    assert find("F125.product").places(session.plan()) == ("m",)


def test_a_constant_factor_without_a_zero_point_is_the_same_product() -> None:
    session = Session(times([0.012228879] * 2, 1.7732314, 0), faults=["F125.product"])
    assert not find("F125.product").places(session.plan())


@pytest.mark.parametrize(
    ("kind", "codes", "zero", "reals", "places"),
    [
        (np.int8, [-7, -1], 127, [122, -128], ("d",)),
        (np.uint8, [3, 5], 5, [254, 0], ("d",)),
        (np.int8, [-7, -1], 100, [-107, -101], ()),
    ],
)
def test_zero_points_of_constants_are_subtracted_in_8_bits(
    kind: Any, codes: list[int], zero: int, reals: list[int], places: tuple[str, ...]
) -> None:
    """The first is what OpenVINO 2026.4.1 makes of the weights of a ConvTranspose."""
    constants: dict[str, Any] = {
        "w": np.array(codes, kind),
        "s": np.float32(1),
        "z": np.array(zero, kind),
    }
    make = onnx.helper.make_node
    nodes = [
        make("DequantizeLinear", [*constants], ["r"], name="d"),
        make("Add", ["x", "r"], ["y"], name="a"),
    ]
    model = graph_model(nodes, {"x": (np.float32, [2])}, {"y": np.float32}, constants, 13)
    session = Session(model, faults=["F146.dequantize"])
    assert session.run({"x": np.zeros(2, np.float32)})["y"].tolist() == reals
    assert find("F146.dequantize").places(session.plan()) == places


def beside(own: Any, other: Any) -> onnx.ModelProto:
    """The sum of x, of one type and zero point 3, and of w, of another and zero point 100."""
    codes: dict[str, Any] = {"w": np.array([200, 5, 100], np.uint8).view(other)}
    scales: dict[str, Any] = {"s": np.float32(1), "a": own(3), "b": other(100)}
    nodes = [
        onnx.helper.make_node("DequantizeLinear", ["x", "s", "a"], ["d"], name="d"),
        onnx.helper.make_node("DequantizeLinear", ["w", "s", "b"], ["e"], name="e"),
        onnx.helper.make_node("Add", ["d", "e"], ["y"], name="n"),
    ]
    constants = {**codes, **scales}
    return graph_model(nodes, {"x": (own, [3])}, {"y": np.float32}, constants, 13)


@pytest.mark.parametrize(
    ("fault", "own", "other", "expected", "place"),
    [
        ("", np.int8, np.uint8, [97, -93, -8], ()),
        ("F155", np.int8, np.uint8, [-159, -93, -8], ("e",)),
        ("F155.unsigned", np.int8, np.uint8, [97, -93, 248], ("d",)),
        ("F155.unsigned", np.uint8, np.uint8, [97, -93, 248], ()),
        ("F155", np.int8, np.int8, [-159, -93, -8], ()),
    ],
)
def test_codes_of_two_types_are_read_as_one(
    fault: str, own: Any, other: Any, expected: list[int], place: tuple[str, ...]
) -> None:
    """OpenCV 5.0.0 reads what an element-wise layer adds as the type of its first operand."""
    session = Session(beside(own, other), faults=[fault] if fault else [])
    x = np.array([0, 5, 251], np.uint8).view(own)
    assert session.run({"x": x})["y"].tolist() == expected
    assert (find(fault).places(session.plan()) if fault else ()) == place
