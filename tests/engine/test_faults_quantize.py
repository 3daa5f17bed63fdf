"""Faults of QuantizeLinear show under their trigger only, and give the values they name."""

from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest

from engine import Session
from engine.faults import find
from tests.engine.models import graph_model


def quantize(zero: int | None, kind: int = 0) -> onnx.ModelProto:
    """A QuantizeLinear "q" of scale 1 with a zero point, or to the ``output_dtype`` kind."""
    constants: dict[str, Any] = {"s": np.float32(1)}
    if zero is not None:
        constants["z"] = np.array(zero, np.int8)
    node = onnx.helper.make_node(
        "QuantizeLinear", ["x", *constants], ["y"], name="q", output_dtype=kind
    )
    output = np.int8 if kind == onnx.TensorProto.INT8 or zero is not None else np.uint8
    return graph_model([node], {"x": (np.float32, [6])}, {"y": output}, constants, 21)


X = np.array([-300, -3, 0, 3, 140, 300], np.float32)
TO_INT8 = quantize(None, onnx.TensorProto.INT8)


@pytest.mark.parametrize(
    ("fault", "model", "expected"),
    [
        ("F32b", TO_INT8, [0, 0, 0, 3, -116, -1]),
        ("F38.quantize", TO_INT8, [-44, -3, 0, 3, -116, 44]),
        ("F38.quantize", quantize(5), [-39, 2, 5, 8, -111, 49]),
        ("F38.quantize", quantize(None), [212, 253, 0, 3, 140, 44]),
    ],
)
def test_values(fault: str, model: onnx.ModelProto, expected: list[int]) -> None:
    session = Session(model, faults=[fault])
    assert find(fault).places(session.plan()) == ("q",)
    assert session.run({"x": X})["y"].tolist() == expected


def negative(scales: list[float], kind: Any) -> onnx.ModelProto:
    """A QuantizeLinear "q" of rows with a scale each and zero points of 5."""
    constants: dict[str, Any] = {"s": np.array(scales, np.float32)}
    constants["z"] = np.full(len(scales), 5, kind)
    node = onnx.helper.make_node("QuantizeLinear", ["x", *constants], ["y"], name="q", axis=0)
    return graph_model([node], {"x": (np.float32, [2, 3])}, {"y": kind}, constants, 21)


@pytest.mark.parametrize(
    ("kind", "lowest", "highest"),
    [(np.int8, -128, 127), (np.uint8, 0, 255), (np.int16, -32768, 32767)],
)
def test_a_negative_scale_is_clipped_to_an_end(kind: Any, lowest: int, highest: int) -> None:
    """OpenVINO 2026.4.1 gives the lowest for a FakeQuantize, the highest behind a ReduceMin."""
    x = {"x": np.array([[-3, 0, 9], [1, -2, 90]], np.float32)}
    model = negative([1.0, -1.0], kind)
    first = Session(model).run(x)["y"].tolist()[0]
    for key, end in (("F143", lowest), ("F143.highest", highest)):
        session = Session(model, faults=[key])
        assert find(key).places(session.plan()) == ("q",)
        assert session.run(x)["y"].tolist() == [first, [end] * 3]
        assert not find(key).places(Session(negative([1.0, 2.0], kind)).plan())


@pytest.mark.parametrize(
    ("kind", "scale", "zero", "x", "codes"),
    [
        (np.uint8, 0.25, 1, [-46.25, -3, 4.95, 4.125, 300], [1, 1, 21, 17, 255]),
        (np.int8, 0.25, 5, [-20.1875, -2.625, 30, -300, 200], [-75, -7, 125, -128, 127]),
        (np.int8, 2, 1, [-19.125, 15, 3, 1, -0.125], [-8, 8, 2, 2, 1]),
    ],
)
def test_reals_that_are_stored_as_codes_lose_their_fractions(
    kind: Any, scale: float, zero: int, x: list[float], codes: list[int]
) -> None:
    """The codes of OpenVINO 2026.4.1 behind a ReduceMin; ties go to even codes there."""
    constants: dict[str, Any] = {"s": np.float32(scale), "z": np.array(zero, kind)}
    node = onnx.helper.make_node("QuantizeLinear", ["x", *constants], ["y"], name="q")
    model = graph_model([node], {"x": (np.float32, [5])}, {"y": kind}, constants, 13)
    session = Session(model, faults=["F145"])
    assert session.run({"x": np.array(x, np.float32)})["y"].tolist() == codes
    assert find("F145").places(session.plan()) == ("q",)


def test_codes_of_16_bits_are_not_what_reals_are_stored_as() -> None:
    assert not find("F145").places(Session(negative([1.0, 2.0], np.int16)).plan())


@pytest.mark.parametrize(
    ("kind", "x", "right", "wrong"),
    [
        (ml_dtypes.float8_e4m3fn, 107.97676, 104, 112),
        (ml_dtypes.float8_e5m2, -21.9976, -20, -24),
        (ml_dtypes.float8_e4m3fn, 108, 112, 112),
        (ml_dtypes.float8_e4m3fn, 1e6, 448, 448),
    ],
)
def test_codes_that_are_8_bit_floats_are_rounded_twice(
    kind: Any, x: float, right: float, wrong: float
) -> None:
    """OpenVINO 2026.4.1: 107.977 becomes 108 in float16, a tie, which goes to 112."""
    constants: dict[str, Any] = {"s": np.float32(1), "z": np.array(0, kind)}
    node = onnx.helper.make_node("QuantizeLinear", ["x", *constants], ["y"], name="q")
    model = graph_model([node], {"x": (np.float32, [1])}, {"y": kind}, constants, 21)
    given = {"x": np.array([x], np.float32)}
    for faults, code in (((), right), (("F148",), wrong)):
        session = Session(model, faults=faults)
        assert session.run(given)["y"].astype(np.float32).item() == code
    assert find("F148").places(session.plan()) == ("q",)
    assert not find("F148").places(Session(TO_INT8).plan())


def test_codes_that_are_8_bit_floats_may_be_products_with_the_reciprocal() -> None:
    """OpenVINO 2026.4.1: 14.503907 is 14.503906 there, a tie on the way to float16, and then another."""
    kind = ml_dtypes.float8_e4m3fn
    constants: dict[str, Any] = {"s": np.float32(0.01), "z": np.array(0, kind)}
    node = onnx.helper.make_node("QuantizeLinear", ["x", *constants], ["y"], name="q")
    model = graph_model([node], {"x": (np.float32, [1])}, {"y": kind}, constants, 21)
    given = {"x": np.array([0.14503907], np.float32)}
    for faults, code in (((), 15), (("F148",), 15), (("F148.reciprocal",), 14)):
        session = Session(model, faults=faults)
        assert session.run(given)["y"].astype(np.float32).item() == code


@pytest.mark.parametrize("model", [quantize(0), quantize(None)], ids=["given", "uint8"])
def test_the_default_type_shows_only_where_the_zero_point_is_left_out(
    model: onnx.ModelProto,
) -> None:
    session = Session(model, faults=["F32b"])
    assert not find("F32b").places(session.plan())
    assert (session.run({"x": X})["y"] == Session(model).run({"x": X})["y"]).all()


def test_codes_that_are_floats_do_not_wrap() -> None:
    model = quantize(None, onnx.TensorProto.FLOAT8E4M3FN)
    assert not find("F38.quantize").places(Session(model).plan())


def scaled(shape: list[int], kind: Any = np.uint8) -> onnx.ModelProto:
    """A QuantizeLinear "q" of scale 1/4 and zero point 3."""
    constants: dict[str, Any] = {"s": np.float32(0.25), "z": np.array(3, kind)}
    node = onnx.helper.make_node("QuantizeLinear", ["x", *constants], ["y"], name="q")
    return graph_model([node], {"x": (np.float32, shape)}, {"y": kind}, constants, 13)


@pytest.mark.parametrize(
    ("shape", "codes"),
    [([], 4), ([1], 4), ([3, 1], 4), ([2, 1, 1], 4), ([2], 19), ([1, 2, 1], 19)],
)
def test_a_multiplied_scale_needs_one_element_behind_the_axis(
    shape: list[int], codes: int
) -> None:
    """OpenCV 5.0.0 gives these for the value 4: 4 * 0.25 + 3 in place of 4 / 0.25 + 3."""
    session = Session(scaled(shape), faults=["F124"])
    assert set(session.run({"x": np.full(shape, 4, np.float32)})["y"].ravel()) == {codes}
    assert find("F124").places(session.plan()) == (("q",) if codes == 4 else ())


def test_a_scale_is_multiplied_on_every_path_of_a_profile() -> None:
    """OpenCV's has another rule for whole vectors of 8."""
    session = Session(scaled([9, 1]), profile="opencv", faults=["F124"])
    x = {"x": np.full((9, 1), 4, np.float32)}
    assert session.run(x)["y"].tolist() == [[4]] * 9


def test_a_scale_is_multiplied_with_the_zero_point_inside() -> None:
    """OpenCV 5.0.0, scale 0.5 and zero point 7: -1.5 + 7 is 6, not 5, and -0.5 + 7 is 6, not 7."""
    node = onnx.helper.make_node("QuantizeLinear", ["x", "s", "z"], ["y"], name="q")
    constants: dict[str, Any] = {"s": np.float32(0.5), "z": np.uint8(7)}
    model = graph_model([node], {"x": (np.float32, [5, 1])}, {"y": np.uint8}, constants, 13)
    x = {"x": np.array([[-3], [-1], [1], [3], [-40]], np.float32)}
    y = Session(model, faults=["F124"]).run(x)["y"]
    assert y.reshape(-1).tolist() == [6, 6, 8, 8, 0]


def test_a_scale_is_multiplied_for_uint8_only() -> None:
    assert not find("F124").places(Session(scaled([1], np.int8)).plan())


def wide(zero: int, kind: Any) -> onnx.ModelProto:
    """A QuantizeLinear "q" of scale 0.5 to 16-bit codes."""
    constants: dict[str, Any] = {"s": np.float32(0.5), "z": np.array(zero, kind)}
    node = onnx.helper.make_node("QuantizeLinear", ["x", *constants], ["y"], name="q")
    return graph_model([node], {"x": (np.float32, [6])}, {"y": kind}, constants, 21)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (np.uint16, [0, 65533, 5, 4464, 48576, 0]),
        (np.int16, [0, -3, 5, 4464, -16960, 0]),
    ],
)
def test_codes_of_16_bits_are_cast_without_a_zero_point(
    kind: Any, expected: list[int]
) -> None:
    x = np.array([0.3, -1.6, 2.9, 35000.1, -500000, 2.5e9], np.float32)
    session = Session(wide(0, kind), faults=["F147"])
    assert find("F147").places(session.plan()) == ("q",)
    assert session.run({"x": x})["y"].tolist() == expected
    moved = Session(wide(3, kind), faults=["F147"])
    assert not find("F147").places(moved.plan())
    right = Session(wide(3, kind)).run({"x": x})["y"]
    assert (moved.run({"x": x})["y"] == right).all()


@pytest.mark.parametrize("fault", ["F70", "F71", "F72", "F73a", "F75", "F76"])
@pytest.mark.parametrize("kind", [np.int8, np.uint8])
def test_a_pair_that_is_fused_rounds_as_the_two_do(fault: str, kind: Any) -> None:
    """Requantize stands for DequantizeLinear and QuantizeLinear, whatever its own arithmetic."""
    bits = np.arange(256, dtype=np.uint8).view(kind)
    for read, written in ((1.0, 2.0), (0.75, 0.5), (2.0**30, 1.0), (0.02, 0.017)):
        constants: dict[str, Any] = {"a": np.float32(read), "b": kind(3)}
        constants |= {"c": np.float32(written), "d": kind(5)}
        nodes = [
            onnx.helper.make_node("DequantizeLinear", ["x", "a", "b"], ["e"], name="d"),
            onnx.helper.make_node("QuantizeLinear", ["e", "c", "d"], ["y"], name="q"),
        ]
        model = graph_model(nodes, {"x": (kind, [256])}, {"y": kind}, constants, 13)
        fused = Session(model, faults=[fault])
        assert fused.plan().steps[0].kind == "Requantize"
        acts = fault != "F76" or read > written * 2.0**20
        assert find(fault).places(fused.plan()) == (("d", "q") if acts else ())
        apart = Session(model, fusion="off", faults=[fault])
        assert (fused.run({"x": bits})["y"] == apart.run({"x": bits})["y"]).all()


@pytest.mark.parametrize(
    ("kind", "zero", "right", "wrong"),
    [
        (np.int16, 0, 891, 890),
        (np.int16, 1, 892, 891),
        (np.int16, 3, 894, 894),
        (np.int8, 0, 127, 127),
    ],
)
def test_fractions_of_16_bit_codes_lose_their_bits(
    kind: Any, zero: int, right: int, wrong: int
) -> None:
    """OpenVINO 2026.4.1: 890.50073 steps are 33658.5 from the lowest code on, a tie."""
    constants: dict[str, Any] = {"s": np.float32(0.004491855), "z": np.array(zero, kind)}
    node = onnx.helper.make_node("QuantizeLinear", ["x", *constants], ["y"], name="q")
    model = graph_model([node], {"x": (np.float32, [1])}, {"y": kind}, constants, 21)
    for faults, code in (((), right), (("F150",), wrong)):
        session = Session(model, faults=faults)
        assert session.run({"x": np.array([4], np.float32)})["y"].tolist() == [code]


@pytest.mark.parametrize(
    ("kind", "codes"),
    [
        ("INT4", [0, 0, 0, 3, 140, 255]),
        ("FLOAT8E5M2", [0, 0, 0, 3, 140, 255]),
        ("INT8", [-128, -3, 0, 3, 127, 127]),
    ],
)
def test_a_type_that_is_not_known_is_uint8(kind: str, codes: list[int]) -> None:
    """OpenCV 5.0.0 gives these reals behind a DequantizeLinear of scale 1."""
    model = quantize(None, getattr(onnx.TensorProto, kind))
    session = Session(model, faults=["F156"])
    assert session.run({"x": X})["y"].tolist() == codes
    assert find("F156").places(session.plan()) == (() if kind == "INT8" else ("q",))


def test_a_type_that_is_not_known_is_multiplied_as_uint8_is() -> None:
    """OpenCV 5.0.0: code 4 of 1.0 with a scale of 4, where the code is 0."""
    text = """<ir_version: 11, opset_import: ["" : 23]>
    one (float[1,1] x) => (float[1,1] y) <float a = {4}, float b = {1}>
    {
       c = QuantizeLinear <output_dtype: int = 22> (x, a)
       y = DequantizeLinear (c, b)
    }"""
    model = onnx.parser.parse_model(text)
    x = {"x": np.ones((1, 1), np.float32)}
    assert Session(model, faults=["F156"]).run(x)["y"].item() == 0
    session = Session(model, faults=["F156.multiplied"])
    assert session.run(x)["y"].item() == 4
    assert find("F156.multiplied").places(session.plan()) == ("c",)


@pytest.mark.parametrize(("zero", "codes"), [(-1, [127, -1, 127]), (0, [-128, 0, -128])])
def test_a_zero_point_wraps_around_behind_a_conversion(zero: int, codes: list[int]) -> None:
    """onnx's reference evaluator gives these for 2**40, 0 and -2**40."""
    session = Session(quantize(zero), faults=["F76.wrap"])
    x = np.array([2.0**40, 0, -(2.0**40)] * 2, np.float32)
    assert session.run({"x": x})["y"].tolist() == codes * 2
    assert find("F76.wrap").places(session.plan()) == ("q",)


def test_the_last_elements_are_converted_by_themselves() -> None:
    """OpenCV 5.0.0 clips whole vectors of 8 as floats, and what is left over as int32."""
    session = Session(scaled([19]), faults=["F76.rest"])
    x = {"x": np.full(19, 2.0**31, np.float32)}
    assert session.run(x)["y"].tolist() == [255] * 16 + [0] * 3
    assert find("F76.rest").places(session.plan()) == ("q",)
    assert not find("F76.rest").places(Session(scaled([16])).plan())


def test_a_product_beyond_int32_saturates_but_in_the_last_elements() -> None:
    """OpenCV 5.0.0: of 9 elements the first 8 fill a vector, the last becomes INT32_MIN."""
    model = scaled([9, 1])
    x = np.full((9, 1), 3e38, np.float32)
    y = Session(model, faults=["F124"]).run({"x": x})["y"]
    assert y.ravel().tolist() == [255] * 8 + [0]
