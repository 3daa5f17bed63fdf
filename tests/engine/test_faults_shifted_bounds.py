"""A bias in the bounds of a QuantizeLinear, with the values of OpenVINO 2026.4.1."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from engine.faults import find
from engine.session import Session
from tests.engine.models import qdq_conv, qlinear_conv

X = {"x": np.array([10, -20], np.int8).reshape(1, 2, 1, 1)}


def two_channels(
    w_scale: Any, bias: tuple[int, int], zero: int, **given: Any
) -> onnx.ModelProto:
    return qdq_conv(
        np.array([3, 5], np.int8).reshape(2, 1, 1, 1),
        x_dtype=np.int8,
        y_dtype=np.int8,
        x=(0.3, 0),
        w_scale=w_scale,
        w_zero=zero,
        y=(0.01, 0),
        bias=np.array(bias),
        bias_scale=0.3,
        image=(1, 1),
        groups=2,
        **given,
    )


@pytest.mark.parametrize(
    ("w_scale", "bias", "codes"),
    [
        ([0.5, 0.25], (2_000_000, -3_000_000), [124, -122]),
        ([0.5, 0.25], (100_000_000, -100_000_000), [127, 63]),
        (0.5, (2_000_000, -3_000_000), [125, -127]),
        (0.5, (100_000_000, -100_000_000), [127, -128]),
    ],
)
def test_a_large_bias_moves_the_bounds(
    w_scale: Any, bias: tuple[int, int], codes: list[int]
) -> None:
    """Products are far below a step of such sums: right are the highest and the lowest code."""
    model = two_channels(w_scale, bias, 1)
    assert Session(model).run(X)["y"].reshape(-1).tolist() == [127, -128]
    faulty = Session(model, faults=["F152.real"])
    assert faulty.run(X)["y"].reshape(-1).tolist() == codes
    assert find("F152.real").places(faulty.plan())


@pytest.mark.parametrize(
    ("activation", "w_scale", "codes"),
    [
        ("", [0.5, 0.25], [126, -122]),
        ("", 0.5, [125, -125]),
        ("Clip", [0.5, 0.25], [28, -17]),
        ("Clip", 0.5, [31, -19]),
        ("Relu", [0.5, 0.25], [127, 0]),
    ],
)
def test_a_large_real_bias_moves_the_bounds_of_a_clip_too(
    activation: str, w_scale: Any, codes: list[int]
) -> None:
    """Right are 127 and -128, the Clip's 33 and -20; behind a Relu they are what they should be."""
    model = two_channels(w_scale, (0, 0), 1, activation=activation, bounds=(-0.2, 0.33))
    (of_bias,) = (each for each in model.graph.node if each.name == "db")
    model.graph.node.remove(of_bias)
    bias = numpy_helper.from_array(np.array([7e5, -9e5], np.float32), "bf")
    model.graph.initializer.append(bias)
    faulty = Session(model, faults=["F152.real"])
    assert faulty.run(X)["y"].reshape(-1).tolist() == codes
    assert bool(find("F152.real").places(faulty.plan())) == (activation != "Relu")


@pytest.mark.parametrize(("bias", "zero"), [((50, -30), 1), ((2_000_000, -3_000_000), 0)])
def test_it_does_not_where_the_bias_is_small_or_the_weights_have_no_zero_point(
    bias: tuple[int, int], zero: int
) -> None:
    """The steps of the bias are its own all the same."""
    model = two_channels([0.5, 0.25], bias, zero)
    faulty = Session(model, faults=["F152.real"])
    assert (faulty.run(X)["y"] == Session(model).run(X)["y"]).all()


def test_weights_of_uint8_do_without_int8_kernels_too() -> None:
    model = qlinear_conv(
        np.zeros((3, 1, 1, 1), np.uint8),
        x=(1.0, 0),
        w_scale=1.0,
        y=(1.4047757387161255, 0),
        bias=np.array([2147450854, 0, -2147450640]),
        image=(1, 1),
        groups=3,
    )
    x = {"x": np.zeros((1, 3, 1, 1), np.uint8)}
    faulty = Session(model, faults=["F152"])
    assert faulty.run(x)["y"].reshape(-1).tolist() == [255, 0, 44]


@pytest.mark.parametrize(
    ("dtype", "w", "w_zero", "bias", "y", "x", "code"),
    [
        (np.int8, 0, 1, 2147324092, (1.0, 0), 0, -128),
        (np.int8, 0, 1, 2**30, (1.0, 0), 0, -128),
        (np.int8, 0, 1, 2**24, (1.0, 0), 0, 127),
        (np.int8, 3, 0, -455147999, (0.5, 0), 5, -128),
        (np.int8, 3, 0, 40188361, (0.827119, 78), 5, 124),
        (np.uint8, 3, 0, 27627522, (0.5, 57), 5, 4),
        (np.int8, 3, 1, 1000, (0.05, 0), 5, 127),
    ],
)
def test_without_low_precision_codes_past_the_highest_wrap(
    dtype: Any, w: int, w_zero: int, bias: int, y: tuple[float, int], x: int, code: int
) -> None:
    """Right are the highest and the lowest code; where ranges come out longer than they are, others."""
    model = qlinear_conv(
        np.full((1, 1, 1, 1), w, np.int8),
        x_dtype=dtype,
        y_dtype=dtype,
        x=(1.0, 0),
        w_scale=1.0,
        w_zero=w_zero,
        y=y,
        bias=np.array([bias]),
        image=(1, 1),
    )
    given = {"x": np.full((1, 1, 1, 1), x, dtype)}
    right = (np.iinfo(dtype).min, np.iinfo(dtype).max)[bias > 0]
    assert Session(model).run(given)["y"] == right
    assert Session(model, faults=["F152.stored"]).run(given)["y"] == code


@pytest.mark.parametrize("key", ["F152", "F152.stored"])
def test_extreme_scales_pass_without_a_warning(key: str) -> None:
    model = qdq_conv(
        np.ones((1, 1, 1, 1), np.int8),
        x=(1.0, 0),
        w_zero=1,
        y=(3e38, 0),
        bias=np.array([5]),
        image=(1, 1),
    )
    faulty = Session(model, faults=[key])
    assert find(key).places(faulty.plan()) == ("dx", "dw", "db", "c1", "qy")
