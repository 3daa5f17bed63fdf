"""R36: a mean of codes, dequantized behind it; R14 goes on where a Q comes to stand behind."""

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from engine import Session
from tests.engine.fusion.checks import assert_same_bits, fired, outputs, refusals
from tests.engine.fusion.pools import axes, behind, codes

MEANS: list[tuple[str, dict[str, Any]]] = [
    ("AveragePool", {"kernel_shape": [3, 2], "pads": [1, 0, 1, 1]}),
    ("GlobalAveragePool", {}),
    ("ReduceMean", {"constants": axes(1, 2)}),
    ("ReduceSum", {"constants": axes(-1), "keepdims": 0}),
]


@pytest.mark.parametrize(("op", "how"), MEANS)
@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
def test_it_fires_and_gives_the_real_mean_rounded(
    op: str, how: dict[str, Any], dtype: Any
) -> None:
    model = behind(op, x=(0.1, 7), y=None, dtype=dtype, **how)
    (step,) = Session(model).plan().steps
    assert (step.kind, step.rule, step.nodes) == (f"{op}OfCodes", "R36", ("d", "a"))
    x = codes(dtype)
    on, off = (outputs(model, {"x": x}, fusion=each)["g"] for each in ("on", "off"))
    assert on.dtype == np.float32
    assert on.shape == off.shape
    # each of n additions, the products and the quotient rounds by u at most (Higham, gamma)
    n, u = x.size // on.size + 2, 2.0**-24
    reals = np.abs((x.astype(np.float64) - 7) * np.float64(np.float32(0.1))).max()
    bound = 2 * n * u * reals * (n if op == "ReduceSum" else 1)
    assert np.abs(on.astype(np.float64) - off.astype(np.float64)).max() <= bound


@given(st.integers(-6, 3), st.integers(0, 2**16))
def test_exact_sums_keep_every_bit(exponent: int, seed: int) -> None:
    scale = 2.0**exponent
    for op, how in (("AveragePool", {"kernel_shape": [2, 2]}), ("ReduceSum", {})):
        model = behind(op, x=(scale, 7), y=None, **how)  # type: ignore[arg-type]
        assert fired(model) == {"R36"}
        assert_same_bits(model, {"x": codes(seed=seed, shape=(1, 2, 4, 4))})


def test_a_mean_that_is_an_output_and_quantized() -> None:
    model = behind("AveragePool", outputs=("y", "g"), kernel_shape=[2, 2])
    assert fired(model) == {"R36"}
    assert_same_bits(model, {"x": codes()})


def test_r14_goes_on_from_here() -> None:
    """What moved a Q up behind the mean leaves the pattern of R14, D gone already."""
    model = behind("AveragePool", y=(0.5, 9), kernel_shape=[2, 2])
    pair = Session(model).plan().steps[0]
    assert pair.rule == "R14"
    nodes = model.graph.node
    shape = helper.make_node("Relu", ["g"], ["r"], name="r")
    nodes[2].input[0] = "r"
    nodes.insert(2, shape)
    model.graph.initializer[3].CopyFrom(
        onnx.numpy_helper.from_array(np.array(0, np.uint8), "yz")
    )
    steps = Session(model).plan().steps  # R44 removes the Relu: Q follows the mean
    assert [each.kind for each in steps] == ["QLinearAveragePool"]
    assert {"R36", "R14"} <= set(steps[0].rule.split("+"))
    assert_same_bits(model, {"x": codes()})


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (
            behind("AveragePool", x=(1e-35, 5), y=None, kernel_shape=[2, 2]),
            "G6: the scale 1.00000002e-35 of d leaves float32 in sums and means",
        ),
        (
            behind("GlobalAveragePool", x=([0.1] * 3, [1] * 3), y=None),
            "G2: d has 3 scales, the kernel takes 1",
        ),
        (
            behind("ReduceSum", y=None, constants=axes(1), inputs={"ax": 1}),
            "G1: the axes 'ax' of a are computed, not constant",
        ),
        (
            behind("ReduceMean", y=None, noop_with_empty_axes=1),
            "G11: a reduces no axis (noop_with_empty_axes)",
        ),
        (
            behind("GlobalAveragePool", y=None, dtype=np.uint16),
            "G7: d has uint16 codes, the kernels int8 and uint8",
        ),
    ],
)
def test_it_does_not_fire_and_says_why(model: onnx.ModelProto, reason: str) -> None:
    assert refusals(model, "R36") == {reason}
    assert fired(model) == set()


def test_a_shared_dequantize_and_r46_off() -> None:
    model = behind("GlobalAveragePool", y=None, outputs=("f", "g"))
    assert fired(model) == {"R36", "R46"}
    assert refusals(model, "R36", off=["R46"]) == {
        "G12: d is shared ('f' is a graph output) and R46 is off"
    }
