"""R15: a maximum between an equal pair is the maximum of the codes."""

from typing import Any

import numpy as np
import onnx
import pytest

from engine import Session
from engine.fusion.rewrite import rewrite
from engine.session import load
from tests.engine.fusion.checks import assert_same_bits, fired, refusals
from tests.engine.fusion.pools import behind, codes, without_zero_points

WINDOW: dict[str, Any] = {"kernel_shape": [3, 2], "pads": [1, 0, 1, 1], "strides": [2, 1]}


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16])
@pytest.mark.parametrize("scale", [0.1, 2.0**-3, 1e-44, 3e33])
@pytest.mark.parametrize(
    ("op", "how"),
    [
        ("MaxPool", WINDOW),
        (
            "MaxPool",
            {"kernel_shape": [2, 2], "ceil_mode": 1, "strides": [2, 2], "dilations": [2, 1]},
        ),
        ("GlobalMaxPool", {}),
    ],
)
def test_it_fires_and_keeps_every_bit(
    op: str, how: dict[str, Any], scale: float, dtype: Any
) -> None:
    zero = 5 if np.iinfo(dtype).min == 0 else -5
    model = behind(op, x=(scale, zero), y=(scale, zero), dtype=dtype, **how)
    (step,) = Session(model).plan().steps
    assert (step.kind, step.rule, step.nodes) == (op, "R15", ("d", "a", "q"))
    assert_same_bits(model, {"x": codes(dtype)})


def test_indices_are_the_same_and_stay() -> None:
    x = codes() // 32  # many equal values
    for outputs in (("y", "i"), ("i", "y")):
        model = behind("MaxPool", made=("g", "i"), outputs=outputs, **WINDOW)
        (step,) = Session(model).plan().steps
        assert step.rule == "R15"
        assert_same_bits(model, {"x": x})


def test_zero_points_left_out_and_shared_dequantize() -> None:
    model = without_zero_points(behind("MaxPool", x=(0.5, 0), y=(0.5, 0), **WINDOW))
    assert fired(model) == {"R15"}
    assert_same_bits(model, {"x": codes()})
    shared = behind("MaxPool", outputs=("y", "f"), **WINDOW)
    assert fired(shared) == {"R15", "R46"}
    assert_same_bits(shared, {"x": codes()})
    assert refusals(shared, "R15", off=["R46"]) == {
        "G12: d is shared ('f' is a graph output) and R46 is off"
    }


def test_the_kernel_knows_which_code_is_real_zero() -> None:
    (step,) = Session(behind("MaxPool", **WINDOW)).plan().steps
    assert step.parameters.zero_point == 5
    assert step.parameters.pool.window.pads == (1, 0, 1, 1)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (
            behind("MaxPool", y=(0.5, 5), **WINDOW),
            "G5: d and q differ: scale 0.25 and 0.5",
        ),
        (
            behind("MaxPool", y=(0.25, 6), **WINDOW),
            "G5: d and q differ: zero point 5 and 6",
        ),
        (
            behind("MaxPool", y_dtype=np.int8, **WINDOW),
            "G5: d and q have uint8 and int8 codes",
        ),
        (
            behind("MaxPool", x=(-0.25, 5), y=(-0.25, 5), **WINDOW),
            "G6: the scale -0.25 of d does not keep the order of the codes",
        ),
        (
            behind("MaxPool", x=(3e36, 5), y=(3e36, 5), **WINDOW),
            "G6: the scale 3.00000004e+36 of d overflows float32 times 250",
        ),
        (
            behind("MaxPool", outputs=("y", "g"), **WINDOW),
            "G3: 'g' is a graph output, so it must exist in float",
        ),
        (
            behind("MaxPool", inputs={"xs": 1}, **WINDOW),
            "G1: the scale 'xs' of d is computed, not constant",
        ),
        (
            behind("MaxPool", x=([0.1] * 3, [1, 2, 3]), y=([0.1] * 3, [1, 2, 3]), **WINDOW),
            "G2: d has 3 scales, the kernel takes 1",
        ),
    ],
)
def test_it_does_not_fire_and_says_why(model: onnx.ModelProto, reason: str) -> None:
    assert refusals(model, "R15", off=["R26"]) == {reason}
    assert "R15" not in fired(model)
    if not any(each.name != "x" for each in model.graph.input):
        assert_same_bits(model, {"x": codes()})


def test_what_the_guards_keep_away() -> None:
    """Without G5 parameters are dropped, without G6 the smallest wins: both would be wrong."""
    for guard, how in (
        ("G5", {"y": (0.5, 5)}),
        ("G6", {"x": (-0.25, 5), "y": (-0.25, 5)}),
    ):
        model = behind("MaxPool", **how, **WINDOW)  # type: ignore[arg-type]
        found = rewrite(load(model), guards_off=[guard])
        assert [(each.op, each.rules) for each in found.graph.nodes] == [("MaxPool", ("R15",))]
