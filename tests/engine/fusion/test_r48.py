"""R48, asked for: int8 codes between Q and D, and of weights, become uint8 without any change."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from engine import Session
from tests.engine.fusion.checks import assert_same_bits, fired, refusals
from tests.engine.models import graph_model, qdq_conv
from tests.engine.plans import edited

make = helper.make_node
REALS = np.linspace(-60, 60, 2001, dtype=np.float32)


def pair(zero: Any = -7, second: float = 0.3, **shown: Any) -> onnx.ModelProto:
    """x -> Q -> codes -> D, D -> Add: so that no other rule takes the pair."""
    constants: Any = {
        "s": np.float32(0.3),
        "t": np.float32(second),
        "z": np.array(zero, np.int8),
        "two": np.array([2], np.float32),
    }
    nodes = [
        make("QuantizeLinear", ["x", "s", "z"], ["codes"], name="q"),
        make("DequantizeLinear", ["codes", "s", "z"], ["f"], name="d"),
        make("DequantizeLinear", ["codes", "t", "z"], ["g"], name="e"),
        make("Sin", ["f"], ["h"]),
        make("Sin", ["g"], ["i"]),
    ]
    outputs = {"h": np.float32, "i": np.float32, **shown}
    return graph_model(nodes, {"x": (np.float32, None)}, outputs, constants)


@pytest.mark.parametrize("zero", [-128, -7, 0, 127])
def test_a_pair_turns_unsigned(zero: int) -> None:
    model = pair(zero)
    assert fired(model) == set()
    assert fired(model, opt_in=["R48"]) == {"R48"}
    assert_same_bits(model, {"x": REALS}, opt_in=["R48"])
    taps = Session(model, opt_in=["R48"]).run_tapped({"x": REALS})
    assert set(taps) == {"x", "f", "g", "h", "i"}  # the codes are others


def test_without_zero_point_and_with_output_dtype() -> None:
    model = pair(0)
    for node in model.graph.node[:3]:
        del node.input[2]
    model.graph.node[0].attribute.append(helper.make_attribute("output_dtype", 3))
    model.opset_import[0].version = 21
    assert fired(model, opt_in=["R48"]) == {"R48"}
    assert_same_bits(model, {"x": REALS}, opt_in=["R48"])


def test_weights_turn_unsigned_and_the_convolution_is_the_same() -> None:
    r = np.random.default_rng(0)
    w = r.integers(-128, 128, (4, 3, 3, 3)).astype(np.int8)
    x = r.integers(0, 256, (1, 3, 8, 8)).astype(np.uint8)
    for scale in (0.01, [0.01, 0.02, 0.03, 0.04]):
        model = qdq_conv(w, w_scale=scale)
        assert fired(model, opt_in=["R48"]) == {"R48", "R01"}
        session = Session(model, opt_in=["R48"])
        (step,) = session.plan().steps
        assert step.parameters.w.dtype == np.uint8
        assert (session.run({"x": x})["y"] == Session(model).run({"x": x})["y"]).all()


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (pair(codes=np.int8), "G3: the codes 'codes' are a graph output"),
        (pair(second=0.25), "G5: q and e differ: scale 0.30000001192092896 and 0.25"),
        (
            edited(pair(), s=np.float32(-1)),
            "G6: the scale of q is -1.0; a scale must be positive and finite",
        ),
    ],
)
def test_codes_stay_and_say_why(model: onnx.ModelProto, reason: str) -> None:
    assert reason in refusals(model, "R48")
    assert fired(model, opt_in=["R48"]) == set()


def test_codes_that_others_read_stay() -> None:
    model = pair()
    model.graph.node.append(make("Identity", ["codes"], ["same"], name="id"))
    model.graph.output.append(helper.make_tensor_value_info("same", 3, None))
    assert "G3: the codes 'codes' are read by id" in refusals(model, "R48")
