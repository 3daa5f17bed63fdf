"""F128: codes that an operator casts, against what OpenVINO 2026.4.1 gave for the same models."""

from typing import Any

import numpy as np
import onnx
import pytest

from engine import Session
from tests.engine.fusion.pools import behind
from tests.engine.models import Array, graph_model

Codes = tuple[float, int]


def cast_of(
    key: str, op: str, x: Array, read: Codes, written: Codes, tensors: int = 1, **given: Any
) -> Any:
    """What one operator of com.microsoft makes of codes, with a fault; a concatenation of as many tensors."""
    constants: dict[str, Any] = {
        "xs": np.float32(read[0]),
        "xz": np.array(read[1], x.dtype),
        "ys": np.float32(written[0]),
        "yz": np.array(written[1], x.dtype),
    }
    names = ["x", "xs", "xz", "ys", "yz"]
    shapes: dict[str, Any] = {"x": (x.dtype, list(x.shape))}
    inputs = {"x": x}
    if op == "QLinearAdd":
        names = [*names[:3], *names]
    if op == "QLinearConcat":
        names = [*names[3:], *names[:3] * tensors]
    if op == "QLinearWhere":
        names = ["k", *names[:3], "x", "xs", "xz", *names[3:]]
        shapes["k"], inputs["k"] = (np.dtype(bool), list(x.shape)), x > 0
    node = onnx.helper.make_node(op, names, ["y"], domain="com.microsoft", **given)
    model = graph_model([node], shapes, {"y": x.dtype}, constants, 13)
    model.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    return Session(model, faults=[key]).run(inputs)["y"].reshape(-1).tolist()


@pytest.mark.parametrize(
    ("codes", "read", "written", "expected"),
    [
        ([0, 190, 200, 210, 250], (1.0, 200), (1.0, 128), [255, 255, 128, 138, 178]),
        ([0, 20, 130, 140], (1.0, 10), (1.0, 128), [255, 138, 248, 255]),
    ],
)
def test_below_zero_a_table_of_uint8_codes_is_full(
    codes: list[int], read: Codes, written: Codes, expected: list[int]
) -> None:
    x = np.array([codes], np.uint8)
    found = cast_of("F128.table", "QLinearLeakyRelu", x, read, written, alpha=0.1)
    assert found == expected


def test_fractions_of_a_table_are_cut_off_before_the_zero_point_is_added() -> None:
    x = np.array([[-126, -116, -6, 0, 120]], np.int8)
    found = cast_of("F128.table", "QLinearLeakyRelu", x, (1.0, 100), (1.0, -100), alpha=0.1)
    assert found == [-122, -121, -110, -110, -80]


def test_steps_of_a_table_are_products_with_the_inverse_scale() -> None:
    """Quotients would be whole: of one scale all codes were as given."""
    x = np.array([[7, 8, 11, 14, 22, 25]], np.uint8)
    found = cast_of("F128.table", "QLinearLeakyRelu", x, (0.7540334, 0), (0.7540334, 0))
    assert found == [6, 8, 10, 13, 21, 24]


def test_a_choice_adds_the_zero_point_to_what_it_cast() -> None:
    x = np.zeros((1, 2), np.uint8)
    assert cast_of("F128.concat", "QLinearWhere", x, (1.0, 1), (1.0, 255)) == [255, 255]


JOINED = {
    "equal parameters": ([-116, -32, 1, 2, 127], (0.047727272, -7), (0.047727272, -7)),
    "others": ([-128, -127, -124, -101, 127], (0.06459722, 8), (0.06459722, 4)),
}


@pytest.mark.parametrize(
    ("name", "tensors", "expected"),
    [
        ("equal parameters", 2, [-115, -31, 0, 1, 127]),
        ("equal parameters", 1, [-116, -32, 0, 1, 127]),
        ("others", 2, [124, 125, -127, -104, 122]),
        ("others", 1, [124, 125, -128, -105, 123]),
    ],
)
def test_a_concatenation_in_generated_code_multiplies_by_a_reciprocal(
    name: str, tensors: int, expected: list[int]
) -> None:
    """Codes one off, also where they should only be copied; that of one tensor has one factor and one addend."""
    codes, read, written = JOINED[name]
    x, key = np.array([codes], np.int8), "F128.concat.fused"
    found = cast_of(key, "QLinearConcat", x, read, written, tensors, axis=1)
    assert found == expected * tensors


def test_a_choice_in_generated_code_multiplies_by_a_reciprocal_too() -> None:
    x = np.array([[1, 9, 16, 100, 127]], np.int8)
    found = cast_of("F128.concat", "QLinearWhere", x, (0.3, 7), (0.3, 7))
    assert found == [1, 8, 16, 100, 127]


def converted(op: str, codes: list[int], dtype: Any, read: Codes, written: Codes) -> Any:
    """What is made of them behind an open batch."""
    kind = {"QLinearSigmoid": "table", "QLinearSoftmax": "softmax"}.get(op, "concat")
    given: dict[str, Any] = {"QLinearSoftmax": {"axis": 1, "opset": 13}}.get(op, {})
    given |= {"axis": 1} if op == "QLinearConcat" else {}
    return cast_of(
        f"F128.{kind}.clipped", op, np.array([codes], dtype), read, written, **given
    )


@pytest.mark.parametrize(
    ("op", "codes", "dtype", "read", "written", "expected"),
    [
        ("QLinearSigmoid", [0, 10, 14, 30], "u1", (0.5, 10), (1 / 300, 7), [9, 157, 255, 255]),
        (
            "QLinearSigmoid",
            [0, 10, -10, 30],
            "i1",
            (0.5, 10),
            (1 / 150, -7),
            [-6, 68, -7, 120],
        ),
        ("QLinearWhere", [1, 9, 16, 100], "u1", (0.3, 7), (0.1, 20), [20, 25, 47, 255]),
        ("QLinearWhere", [1, 9, 16, 127], "i1", (0.3, 7), (0.3, 7), [1, 8, 16, 127]),
        ("QLinearConcat", [0, 3, 9, 16, 200], "u1", (0.3, 7), (0.1, 20), [0, 7, 25, 47, 255]),
        (
            "QLinearSoftmax",
            [0, 0, 3, 9, 16],
            "u1",
            (0.3, 0),
            (1 / 300, 7),
            [9, 9, 12, 38, 255],
        ),
        ("QLinearSoftmax", [0, 0, 9, 126], "i1", (0.3, 0), (1 / 300, 7), [7, 7, 7, 127]),
    ],
)
def test_behind_an_open_batch_codes_are_clipped(
    op: str, codes: list[int], dtype: Any, read: Codes, written: Codes, expected: list[int]
) -> None:
    assert converted(op, codes, dtype, read, written) == expected


def test_two_tensors_behind_an_open_batch_are_two_products_each() -> None:
    x, key = np.array([[0, 3, 9, 16, 200]], np.uint8), "F128.concat.clipped"
    found = cast_of(key, "QLinearConcat", x, (0.3, 7), (0.1, 20), 2, axis=1)
    assert found == [0, 8, 26, 47, 255] * 2


@pytest.mark.parametrize(
    ("dtype", "codes", "written", "expected"),
    [
        (np.uint8, [0, 7, 8, 200, 203], (1.0, 9), [9, 9, 106, 203]),
        (np.int8, [0, 7, 8, 100, -103], (0.25, -9), [-23, -7, 118, -43]),
    ],
)
def test_so_is_the_mean_of_a_pool(
    dtype: Any, codes: list[int], written: Codes, expected: list[int]
) -> None:
    given: dict[str, Any] = {"kernel_shape": [2], "strides": [1]}
    x, key = np.array([[codes]], dtype), "F128.average.clipped"
    assert cast_of(key, "QLinearAveragePool", x, (1.0, 7), written, **given) == expected


@pytest.mark.parametrize(
    ("codes", "step", "expected"),
    [
        (np.zeros((1, 5), np.int8), 1 / 128, [25] * 5),
        (np.zeros((1, 1), np.uint8), 1 / 256, [0]),
        (np.array([[0, -20, -100]], np.int8), 1 / 128, [-128, 0, 0]),
    ],
)
def test_the_codes_of_a_softmax(codes: Array, step: float, expected: list[int]) -> None:
    given = {"axis": 0, "opset": 12}
    found = cast_of("F128.softmax", "QLinearSoftmax", codes, (1.0, 0), (step, 0), **given)
    assert found == expected


def test_the_mean_of_a_pool() -> None:
    x = np.array([[[0, 7, 8, 200, 203]]], np.uint8)
    given: dict[str, Any] = {"kernel_shape": [2], "strides": [1]}
    found = cast_of("F128.average", "QLinearAveragePool", x, (1.0, 7), (1.0, 9), **given)
    assert found == [255, 9, 106, 203]


@pytest.mark.parametrize(
    ("dtype", "codes", "read", "written", "expected"),
    [
        (np.int8, [0, -24, -95, -117], (0.5, 0), (1.0, 5), [8, 2, -16, -21]),
        (np.int8, [0, -24, -95, -117], (1.0, 3), (1.0, 5), [4, -20, -91, -113]),
        (np.uint8, [0, 10, 101, 250], (0.5, 4), (1.0, 7), [8, 10, 33, 70]),
    ],
)
def test_what_follows_a_pool_is_done_twice(
    dtype: Any, codes: list[int], read: Codes, written: Codes, expected: list[int]
) -> None:
    """Two channels in a row of four: OpenVINO's AveragePool between DequantizeLinear and QuantizeLinear."""
    x = np.array([[codes, codes]], dtype)
    model = behind("AveragePool", x=read, y=written, dtype=dtype, kernel_shape=[1])
    found = Session(model, faults=["F142"]).run({"x": x})["y"]
    assert found.tolist() == [[expected, expected]]


@pytest.mark.parametrize(
    ("key", "op", "expected"),
    [
        ("F128.average", "QLinearAveragePool", [-125, -125, 127, 3, -121, 123]),
        ("F128", "QLinearAdd", [0, 0, 0, 0, 8, -16]),
    ],
)
def test_what_no_int32_holds_becomes_code_zero(key: str, op: str, expected: list[int]) -> None:
    """Steps of 12246143 and their multiples, twice these of a sum, where the zero point is lost."""
    x = np.array([[[[100, -100, 1, 127, -3, 7]]]], np.int8)
    given: dict[str, Any] = {"kernel_shape": [1, 1]} if op == "QLinearAveragePool" else {}
    assert cast_of(key, op, x, (1.0, 0), (2.0**-24 * 1.37, 3), **given) == expected
