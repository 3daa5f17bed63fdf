"""R14: a mean between D and Q is an integer sum and one rounding."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from engine import Session
from tests.engine.fusion.checks import assert_same_bits, fired, outputs, refusals
from tests.engine.fusion.pools import axes, behind, codes, without_zero_points
from tests.engine.models import Array

WINDOW: dict[str, Any] = {"kernel_shape": [3, 2], "pads": [1, 0, 1, 1], "strides": [2, 1]}
MEANS: list[tuple[str, dict[str, Any], str]] = [
    ("AveragePool", WINDOW, "QLinearAveragePool"),
    ("AveragePool", WINDOW | {"count_include_pad": 1}, "QLinearAveragePool"),
    (
        "AveragePool",
        {"kernel_shape": [4, 4], "ceil_mode": 1, "strides": [3, 3]},
        "QLinearAveragePool",
    ),
    ("AveragePool", {"kernel_shape": [2, 2], "dilations": [2, 3]}, "QLinearAveragePool"),
    ("GlobalAveragePool", {}, "QLinearGlobalAveragePool"),
    ("ReduceMean", {"constants": axes(2, 3)}, "QLinearReduceMean"),
    ("ReduceMean", {"constants": axes(-1), "keepdims": 0}, "QLinearReduceMean"),
    ("ReduceMean", {}, "QLinearReduceMean"),
    ("ReduceMean", {"axes": [0, 2], "opset": 13}, "QLinearReduceMean"),
    ("ReduceSum", {"constants": axes(1)}, "QLinearReduceSum"),
]


@pytest.mark.parametrize(("op", "how", "kind"), MEANS)
@pytest.mark.parametrize(
    "dtypes", [(np.uint8, np.uint8), (np.int8, np.uint8), (np.int8, np.int8)]
)
def test_it_fires_and_keeps_values(
    op: str, how: dict[str, Any], kind: str, dtypes: Any
) -> None:
    """One step at most, and only where the real mean is next to a tie (X1)."""
    for seed in range(4):
        model = behind(op, x=(0.1, 5), y=(0.13, 9), dtype=dtypes[0], y_dtype=dtypes[1], **how)
        (step,) = Session(model).plan().steps
        assert (step.kind, step.rule, step.nodes) == (kind, "R14", ("d", "a", "q"))
        x = codes(dtypes[0], seed)
        on, off = (outputs(model, {"x": x}, fusion=each)["y"] for each in ("on", "off"))
        assert on.dtype == off.dtype == dtypes[1]
        assert on.shape == off.shape
        differ = on != off
        assert np.abs(on.astype(int) - off.astype(int)).max() <= 1
        tensors = Session(model, fusion="off").run_tapped({"x": x})
        steps = tensors["g"].astype(np.float64) / np.float64(np.float32(0.13))
        distance = np.abs(steps - np.floor(steps) - 0.5)[differ]
        assert (distance <= float_error(tensors["f"], on.size, op)).all()


def float_error(reals: Array, outputs: int, op: str) -> float:
    """``gamma(n + 6) * T``: the float32 error of a sum of n products before Q, in steps of 0.13."""
    n, u = (
        reals.size // outputs + 36,
        2.0**-24,
    )  # windows overlap; none here has more than 16 taps
    largest = float(np.abs(reals).max()) * (n if op == "ReduceSum" else 1)
    return n * u / (1 - n * u) * largest / 0.13


@pytest.mark.parametrize(("op", "how", "kind"), MEANS)
def test_powers_of_two_keep_every_bit(op: str, how: dict[str, Any], kind: str) -> None:
    """Divisors that are no powers of two leave no exact ties; others are exact in float32."""
    for y in ((0.25, 5), (0.5, 6), (4.0, 250)):
        model = behind(op, y=y, **how)
        x = codes() // 16 * 16
        assert fired(model) == {"R14"}
        exact = op == "AveragePool" and how["kernel_shape"] in ([2, 2], [4, 4])
        if exact or op == "ReduceSum":
            assert_same_bits(model, {"x": x})


def test_zero_points_left_out() -> None:
    model = without_zero_points(behind("GlobalAveragePool", x=(0.25, 0), y=(0.25, 0)))
    assert fired(model) == {"R14"}
    assert_same_bits(model, {"x": codes(shape=(1, 2, 4, 4))})


def test_the_mean_of_nothing_is_the_lowest_code_too() -> None:
    model = behind("ReduceMean", constants=axes(3))
    assert fired(model) == {"R14"}
    assert_same_bits(model, {"x": np.zeros((2, 3, 4, 0), np.uint8)})
    assert_same_bits(
        behind("ReduceSum", constants=axes(3)), {"x": np.zeros((2, 0), np.uint8)[None, None]}
    )


def test_a_shared_dequantize_stays() -> None:
    model = behind("GlobalAveragePool", outputs=("y", "f"))
    assert fired(model) == {"R14", "R46"}
    assert_same_bits(model, {"x": codes(shape=(1, 2, 4, 4))})
    assert refusals(model, "R14", off=["R46"]) == {
        "G12: d is shared ('f' is a graph output) and R46 is off"
    }


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (
            behind("GlobalAveragePool", outputs=("y", "g")),
            "G3: 'g' is a graph output, so it must exist in float",
        ),
        (
            behind("GlobalAveragePool", inputs={"xs": 1}),
            "G1: the scale 'xs' of d is computed, not constant",
        ),
        (
            behind("GlobalAveragePool", inputs={"yz": 1}),
            "G1: the zero point 'yz' of q is computed, not constant",
        ),
        (
            behind("ReduceMean", constants=axes(1), inputs={"ax": 1}),
            "G1: the axes 'ax' of a are computed, not constant",
        ),
        (
            behind("GlobalAveragePool", x=([0.1, 0.2, 0.3], [1, 2, 3])),
            "G2: d has 3 scales, the kernel takes 1",
        ),
        (
            behind("GlobalAveragePool", y=([0.1, 0.2, 0.3], [1, 2, 3])),
            "G2: q has 3 scales, the kernel takes 1",
        ),
        (
            behind("GlobalAveragePool", x=(1e30, 5)),
            "G6: the scale 1.00000002e+30 of d leaves float32 in sums and means",
        ),
        (
            behind("GlobalAveragePool", x=(1e-35, 5)),
            "G6: the scale 1.00000002e-35 of d leaves float32 in sums and means",
        ),
        (
            behind("GlobalAveragePool", y=(-1, 5)),
            "G6: the scale of q is -1.0; a scale must be positive and finite",
        ),
        (
            behind("GlobalAveragePool", dtype=np.int16, y_dtype=np.int8),
            "G7: d has int16 codes, the kernels int8 and uint8",
        ),
        (
            behind("ReduceMean", noop_with_empty_axes=1),
            "G11: a reduces no axis (noop_with_empty_axes)",
        ),
    ],
)
def test_it_does_not_fire_and_says_why(model: onnx.ModelProto, reason: str) -> None:
    assert reason in refusals(model, "R14", off=["R36"])
    assert "R14" not in fired(model)


def test_what_is_not_dequantized_is_not_the_pattern() -> None:
    model = behind("GlobalAveragePool")
    model.graph.node[0].op_type = "QuantizeLinear"
    model.graph.node[0].CopyFrom(helper.make_node("Sin", ["x"], ["f"], name="d"))
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    assert refusals(model, "R14") == {"pattern: input 'f' of a is not dequantized codes"}


def test_switched_off() -> None:
    model = behind("GlobalAveragePool")
    assert fired(model, off=["R14", "R36"]) == set()
    assert "R36" in fired(model, off=["R14"])
