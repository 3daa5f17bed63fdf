"""Faults of pools, reductions, softmax and resize against numbers worked out by hand."""

from fractions import Fraction
from typing import Any

import numpy as np
import onnx
import pytest

from engine import Session
from engine.faults.average_roundings import can_tie
from engine.kernels.average_parameters import AverageParameters
from tests.engine.fusion.pools import behind
from tests.engine.models import Array

SAME: dict[str, Any] = {"x": (0.25, 5), "y": (0.25, 5)}
WITH_INDEX: dict[str, Any] = {"made": ("g", "i"), "outputs": ("y", "i")}


def outputs(model: onnx.ModelProto, x: Array, *faults: str) -> dict[str, Array]:
    return Session(model, faults=faults).run({"x": x})


ROW = np.array([[[9, 200, 31, 4, 250, 77, 3]]], np.uint8)
"""One plane of one row."""


def row_of(key: str, op: str, data: Array = ROW, **changed: Any) -> list[int]:
    """What a row becomes with a fault."""
    model = behind(op, dtype=data.dtype, **changed)
    found: list[int] = outputs(model, data, key)["y"].reshape(-1).tolist()
    return found


def codes_of(steps: list[float], zero_point: int) -> list[int]:
    return [int(np.clip(np.rint(each) + zero_point, 0, 255)) for each in steps]


def test_what_the_windows_of_a_row_are_divided_by() -> None:
    """Kernel 3, stride 2, one pad at the end, ceil mode: the last window overhangs by one."""
    given: dict[str, Any] = {
        "kernel_shape": [3],
        "strides": [3],
        "pads": [0, 1],
        "ceil_mode": 1,
    }
    given |= {"x": (1.0, 0), "y": (1.0, 0)}
    first = [(9 + 200 + 31) / 3, (4 + 250 + 77) / 3]
    assert row_of("F90d", "AveragePool", **given) == codes_of([*first, 3], 0)
    assert row_of("F23", "AveragePool", **given) == codes_of([*first, 3 / 2], 0)
    assert row_of("F89", "AveragePool", **given) == codes_of([*first, 3 / 2], 0)
    given["count_include_pad"] = 1
    assert row_of("F90d", "AveragePool", **given) == codes_of([*first, 3 / 2], 0)
    assert row_of("F23", "AveragePool", **given) == codes_of([*first, 3 / 3], 0)
    assert row_of("F89.inside", "AveragePool", **given) == codes_of([*first, 3], 0)


def test_what_the_border_adds() -> None:
    """Pads of one on both sides, zero point 5, step 0.25 to step 0.5."""
    given: dict[str, Any] = {"kernel_shape": [3], "strides": [3], "pads": [1, 1]}
    given |= {"x": (0.25, 5), "y": (0.5, 7)}
    sums = [9 + 200, 31 + 4 + 250, 77 + 3]
    assert row_of("F90", "AveragePool", **given) == codes_of(
        [
            (sums[0] - 15) / 2 * 0.5,
            (sums[1] - 15) / 3 * 0.5,
            (sums[2] - 15) / 2 * 0.5,
        ],
        7,
    )
    tops = [200, 250, 77]
    assert row_of("F88", "AveragePool", **given) == codes_of(
        [(each - 5) * 0.5 for each in tops], 7
    )


def test_where_a_mean_is_rounded() -> None:
    """The mean of the row is 551 / 7 steps of 0.25, between 78 and 79."""
    x = np.array([[[9, 200, 31, 4, 250, 78, 0]]], np.uint8)
    given: dict[str, Any] = {"x": (0.25, 3), "y": (0.3, 1)}
    for key, mean in (("F90b", 78), ("F77.average", 79), ("F90d", 551 / 8)):
        assert row_of(key, "GlobalAveragePool", x, **given) == codes_of([mean / 1.2], 1), key
    assert row_of("F90c.average", "GlobalAveragePool", x, **given) == codes_of([551 / 7], 3)
    halves: dict[str, Any] = {"x": (0.25, 3), "y": (0.5, 1)}
    pushed = sum(np.rint((int(each) - 3) / 2) for each in x.reshape(-1)) / 7
    assert row_of("F105.average", "GlobalAveragePool", x, **halves) == codes_of([pushed], 1)


def test_what_a_maximum_begins_with() -> None:
    x = np.array([[[-9, -20, -31, -4, -25, 77, -3]]], np.int8)
    given: dict[str, Any] = {"kernel_shape": [2], "strides": [2], "pads": [1, 0]}
    given |= {"x": (0.25, -6), "y": (0.25, -6)}
    assert row_of("F89", "MaxPool", x, **given) == [-9, -20, -4, 77]
    assert row_of("F87", "MaxPool", x, **given) == [0, 0, 0, 77]
    assert row_of("F87b", "MaxPool", x, **given) == [-6, -20, -4, 77]
    given |= {"pads": [0, 0], "ceil_mode": 1, "x": (0.25, 1), "y": (0.25, 1)}
    assert row_of("F23.max", "MaxPool", x, **given) == [-9, -4, 77, 1]


def test_pads_on_the_other_side() -> None:
    x = np.array([[[9, 20, 31, 4]]], np.uint8)
    given: dict[str, Any] = {"kernel_shape": [2], "auto_pad": "SAME_UPPER"}
    given |= {"x": (1.0, 0), "y": (1.0, 0)}
    assert row_of("F89.inside", "MaxPool", x, **given) == [20, 31, 31, 4]
    assert row_of("F16.pool.side", "MaxPool", x, **given) == [9, 20, 31, 31]
    means = [9, (9 + 20) / 2, (20 + 31) / 2, (31 + 4) / 2]
    assert row_of("F16.average.side", "AveragePool", x, **given) == codes_of(means, 0)


def test_a_negative_scale_turns_the_order_around() -> None:
    given: dict[str, Any] = {"x": (-0.25, 5), "y": (-0.25, 5)}
    assert row_of("F89", "GlobalMaxPool", **given) == [3]
    assert row_of("F43", "GlobalMaxPool", **given) == [250]


def test_the_axes_of_a_softmax() -> None:
    """Four equal codes in two rows: a quarter each over both axes, a half along one."""
    x = np.zeros((1, 2, 2), np.uint8)
    given: dict[str, Any] = {"x": (0.25, 3), "y": (1 / 256, 0), "axis": 1}
    assert row_of("F89", "Softmax", x, opset=12, **given) == [64] * 4
    assert row_of("F86h", "Softmax", x, opset=12, **given) == [128] * 4
    assert row_of("F86h.coerced", "Softmax", x, opset=13, **given) == [64] * 4
    one = np.zeros((1, 1, 1), np.uint8)
    assert row_of("F38.softmax", "Softmax", one, opset=13, **given) == [0]
    signed: dict[str, Any] = given | {"y": (1 / 256, -128)}
    assert row_of("F37", "Softmax", one.view(np.int8), opset=13, **signed) == [-128]
    thirds: dict[str, Any] = given | {
        "y": (0.016681386, 0)
    }  # onnxruntime 1.31.1: 59 of 59.9 steps
    nine = np.array([[0] * 5 + [1] + [0] * 3], np.uint8)
    eighth: dict[str, Any] = thirds | {"x": (0.125, 0)}
    assert row_of("F126", "Softmax", nine, opset=13, **eighth) == [6] * 5 + [7] + [6] * 3
    half: dict[str, Any] = given | {"y": (0.013668404, 0)}  # 36 of 36.6 steps: 36.5 is a tie
    assert (
        row_of("F126.single", "Softmax", np.zeros((1, 2), np.uint8), opset=13, **half)
        == [36] * 2
    )
    signed = given | {"y": (1 / 256, 127)}
    assert row_of("F37", "Softmax", one.view(np.int8), opset=13, **signed) == [-1]


@pytest.mark.parametrize("zero", [-128, -85, 0, 5, 100])
@pytest.mark.parametrize("step", [1 / 150, 1 / 256, 1 / 1024])
def test_a_softmax_between_pairs_of_int8_codes_overflows_to_real_0(
    step: float, zero: int
) -> None:
    """As onnxruntime 1.31.1 has it; of its QLinearSoftmax of int8 codes F131 gives the ends of the range."""
    x, given = np.array([[[33], [-8], [0]]], np.int8), {"x": (1.0, 33), "y": (step, zero)}
    found = row_of("F131.unsigned", "Softmax", x, opset=12, axis=2, **given)
    assert found == [zero] * 3
    ends = [127 if zero < 0 else -128] * 3
    assert row_of("F131", "Softmax", x, opset=12, axis=2, **given) == ends


def test_a_resize_of_codes_truncates_them() -> None:
    """Twice as long, half_pixel: quarters and three quarters of neighbours."""
    x = np.array([[[-9, 20, -31, 6]]], np.int8)
    extra = {"roi": np.empty(0, np.float32), "by": np.array([1, 1, 2], np.float32)}
    model = behind("Resize", constants=extra, mode="linear", **SAME, dtype=np.int8)
    between = [-9, -1.75, 12.75, 7.25, -18.25, -21.75, -3.25, 6]
    assert outputs(model, x, "F105.resize")["y"].reshape(-1).tolist() == [
        int(v) for v in between
    ]
    right = [-9, -2, 13, 7, -18, -22, -3, 6]
    assert outputs(model, x)["y"].reshape(-1).tolist() == right


def test_indices() -> None:
    x = np.array([[[1, 9, 3, 4], [5, 6, 7, 8]]], np.uint8)
    model = behind("MaxPool", kernel_shape=[2], strides=[2], **SAME, **WITH_INDEX)
    assert outputs(model, x)["i"].reshape(-1).tolist() == [1, 3, 5, 7]
    assert outputs(model, x, "F121.pool")["i"].reshape(-1).tolist() == [1, 3, 1, 3]
    two = np.concatenate([x, x])
    assert outputs(model, two)["i"].reshape(-1).tolist() == [1, 3, 5, 7, 9, 11, 13, 15]
    assert outputs(model, two, "F121.image")["i"].reshape(-1).tolist() == [1, 3, 5, 7] * 2
    k = {"k": np.array([2], np.int64)}
    model = behind("TopK", constants=k, **SAME, **WITH_INDEX)
    assert outputs(model, x)["i"].reshape(-1).tolist() == [1, 3, 3, 2]
    assert not outputs(model, x, "F121")["i"].any()


def test_indices_of_opencv_in_the_order_of_memory() -> None:
    """OpenCV 5.0.0, 2x2 of a plane of 5 rows of 4: [5, 2, 7] for [6, 10, 16], and so on."""
    plane = [43, 44, 34, 33, 46, 37, 38, 31, 50, 39, 49, 42, 40, 41, 36, 48, 32, 45, 35, 47]
    x = 255 - np.array(plane, np.uint8).reshape(1, 1, 5, 4)
    model = behind("MaxPool", kernel_shape=[2, 2], storage_order=1, **SAME, **WITH_INDEX)
    by_columns = [6, 10, 16, 6, 6, 16, 7, 13, 13, 4, 14, 14]
    assert outputs(model, x)["i"].reshape(-1).tolist() == by_columns
    by_rows = [5, 2, 7, 5, 5, 7, 9, 14, 14, 16, 18, 18]
    assert outputs(model, x, "F165")["i"].reshape(-1).tolist() == by_rows


def test_indices_of_openvino_are_turned_round() -> None:
    """OpenVINO 2026.4.1 gives these where the indices have another shape than the values."""
    order = [5, 2, 8, 3, 11, 1, 9, 0, 4, 7, 6, 10]
    x = np.array(order, np.uint8).reshape(1, 1, 3, 4)
    model = behind("MaxPool", kernel_shape=[2, 2], storage_order=1, **SAME, **WITH_INDEX)
    assert outputs(model, x)["i"].tolist() == [[[[1, 7, 7], [1, 7, 11]]]]
    assert outputs(model, x, "F165.turned")["i"].tolist() == [[[[4, 4], [6, 6], [6, 11]]]]


def brute_force_tie(p: AverageParameters) -> bool:
    """Whether the sum of a window, any that codes can have, gives a half-integer near the codes."""
    assert p.pool is not None
    ratio = Fraction(float(p.x.x_scale)) / Fraction(float(p.x.y_scale)) / p.pool.taps
    farthest = max(p.x.x_zero_point, 255 - p.x.x_zero_point) * p.pool.taps
    halves = (2 * acc * ratio for acc in range(1, farthest + 1))
    return any(each.denominator == 1 and each % 2 and each < 512 for each in halves)


@pytest.mark.parametrize("taps", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("y_scale", [0.25, 0.5, 0.75, 0.1, 2.0, 40.0, 96.0, 200.0])
@pytest.mark.parametrize("x_scale", [0.25, 0.1, 3.0])
def test_the_trigger_of_ties_is_exact(taps: int, x_scale: float, y_scale: float) -> None:
    model = behind("AveragePool", x=(x_scale, 7), y=(y_scale, 9), kernel_shape=[taps])
    (step,) = Session(model).plan().steps
    assert isinstance(step.parameters, AverageParameters)
    assert can_tie(step.parameters) == brute_force_tie(step.parameters)
