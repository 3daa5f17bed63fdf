"""Faults of weights against what OpenVINO 2026.4.1 gave for the same models, on a CPU without VNNI."""

from typing import Any

import numpy as np
import onnx
import pytest

from engine import Session
from tests.engine.models import Array, graph_model, qlinear_conv


def convolved(key: str, x: Array, w: Array, **given: Any) -> list[int]:
    model = qlinear_conv(
        w, x=(1.0, 0), x_dtype=x.dtype, y_dtype=x.dtype, image=x.shape[2:], **given
    )
    found: list[int] = Session(model, faults=[key]).run({"x": x})["y"].reshape(-1).tolist()
    return found


@pytest.mark.parametrize(
    ("weight", "even"), [(1, 0), (-1, 0), (3, 4), (5, 4), (127, 128), (-128, -128)]
)
def test_odd_weights_are_rounded_to_even_halves(weight: int, even: int) -> None:
    x = np.array([[[1, 2, 3, 100]]], np.int8)
    w = np.full((1, 1, 2), weight, np.int8)
    given: dict[str, Any] = {"w_scale": 1.0, "y": (128.0, 0), "pads": [0, 1]}
    expected = np.clip(np.rint(even * np.array([3, 5, 103, 100]) / 128), -128, 127)
    assert convolved("F140", x, w, **given) == expected.tolist()


def test_products_of_matrices_keep_their_weights() -> None:
    x, w = np.ones((1, 1, 3), np.int8), np.ones((1, 1, 1), np.int8)
    given: dict[str, Any] = {"w_scale": 1.0, "y": (1.0, 0)}
    assert convolved("F140", x, w, **given) == [1, 1, 1]
    assert convolved("F140", x, w, pads=[1, 0], **given) == [0, 0, 0, 0]


def test_beside_an_image_of_three_axes_code_zero_stays_until_a_tap_was_outside() -> None:
    """Two groups of OpenVINO's int8 Conv; the middle taps are never above or below the image."""
    w = np.array(
        [
            [1, 2, -3, 2, 0, 0],
            [1, -1, 3, -3, -2, -1],
            [0, -1, -3, -3, -3, -3],
            [-2, 3, -2, 1, 2, -2],
        ]
    )
    x = np.array([[2, 3, 2], [8, 1, 8]], np.uint8)
    model = qlinear_conv(
        w.astype(np.int8).reshape(4, 1, 3, 1, 2),
        x=(1.0, 3),
        w_scale=np.ones(4),
        w_zero=np.zeros(4),
        y=(1.0, 128),
        image=(3, 1, 1),
        groups=2,
        pads=[1, 0, 1, 1, 0, 0],
    )
    found = Session(model, faults=["F158"]).run({"x": x.reshape(1, 2, 3, 1, 1)})["y"]
    assert found.reshape(4, 3).tolist() == [
        [135, 135, 135],
        [128, 127, 122],
        [128, 123, 124],
        [143, 137, 133],
    ]


def test_scales_by_input_channel() -> None:
    scales = np.array([4, 4, 1, 4, 8, 2, 1, 1], np.float32) / 128
    x, w = np.zeros((1, 8, 1, 1), np.int8), np.zeros((8, 8, 1, 1), np.int8)
    x[0, 1], w[2, 1] = 1, 1
    given: dict[str, Any] = {"w_scale": scales, "y": (1 / 128, 0)}
    assert convolved("F141", x, w, **given) == [0, 0, 4, 0, 0, 0, 0, 0]
    biased = convolved("F141", x, w, bias=np.arange(8), **given)
    assert biased == [0, 4, 6, 12, 32, 10, 6, 7]


@pytest.mark.parametrize(
    ("kind", "weight", "zero", "code"),
    [(np.int8, -7, 127, 122), (np.uint8, 3, 5, 254), (np.int8, 3, 5, 0)],
)
def test_zero_points_of_transposed_weights_are_subtracted_in_8_bits(
    kind: Any, weight: int, zero: int, code: int
) -> None:
    """OpenVINO's ConvTranspose of one pixel: -134 becomes 122, and -2 of uint8 weights 254."""
    constants: dict[str, Any] = {"s": np.float32(1), "xz": np.uint8(0), "wz": kind(zero)}
    constants["w"] = np.full((1, 1, 1), weight, kind)
    node = onnx.helper.make_node
    nodes = [
        node("DequantizeLinear", ["x", "s", "xz"], ["xf"]),
        node("DequantizeLinear", ["w", "s", "wz"], ["wf"]),
        node("ConvTranspose", ["xf", "wf"], ["c"], name="n1"),
        node("QuantizeLinear", ["c", "s", "xz"], ["y"]),
    ]
    model = graph_model(nodes, {"x": (np.uint8, [1, 1, 1])}, {"y": np.uint8}, constants, 17)
    x = {"x": np.ones((1, 1, 1), np.uint8)}
    assert Session(model, faults=["F146"]).run(x)["y"].item() == code
    assert Session(model).run(x)["y"].item() == 0
