"""R41, R42, R50: pairs that only simulate, pairs that repeat, constants that are quantized."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from engine import EngineError, Session
from tests.engine.fusion.checks import assert_same_bits, fired, outputs, refusals
from tests.engine.models import Array, graph_model

X = np.linspace(-40, 40, 64, dtype=np.float32)


def chain(
    *parameters: tuple[float, int], outputs: tuple[str, ...] = (), dtype: Any = np.uint8
) -> onnx.ModelProto:
    """x -> Qi -> qi -> Di -> di for each (scale, zero point); also the tensors ``outputs``."""
    nodes: list[onnx.NodeProto] = []
    constants: dict[str, Array] = {}
    last = "x"
    for i, (scale, zero) in enumerate(parameters):
        constants |= {f"s{i}": np.array(scale, np.float32), f"z{i}": np.array(zero, dtype)}
        tail = [f"s{i}", f"z{i}"]
        nodes += [
            helper.make_node("QuantizeLinear", [last, *tail], [f"q{i}"], name=f"Q{i}"),
            helper.make_node("DequantizeLinear", [f"q{i}", *tail], [f"d{i}"], name=f"D{i}"),
        ]
        last = f"d{i}"
    kinds = {name: dtype if name.startswith("q") else np.float32 for name in (last, *outputs)}
    return graph_model(nodes, {"x": (np.float32, [64])}, kinds, constants)


def test_r41_strips_a_pair_only_where_asked() -> None:
    model = chain((0.3, 7))
    assert fired(model) == set()
    assert fired(model, opt_in=["R41"]) == {"R41"}
    stripped = outputs(model, {"x": X}, opt_in=["R41"])["d0"]
    assert (stripped == X).all()
    assert (outputs(model, {"x": X})["d0"] != X).any()
    with pytest.raises(EngineError, match="R40"):
        Session(model, opt_in=["R40"])


def test_r41_waits_until_nothing_else_fits() -> None:
    model = chain((0.3, 7), (0.3, 7))
    assert fired(model, opt_in=["R41"]) == {"R42"}


def test_r41_leaves_codes_that_others_read() -> None:
    model = chain((0.3, 7), outputs=("q0",))
    reason = "G3: 'q0' is a graph output, so it must exist in float"
    assert refusals(model, "R41") == {reason}
    assert fired(model, opt_in=["R41"]) == set()


def test_r41_needs_one_type_and_equal_parameters() -> None:
    other = chain((0.3, 7))
    other.graph.node[1].input[1] = "s1"
    other.graph.initializer.append(numpy_helper.from_array(np.array(0.5, np.float32), "s1"))
    assert refusals(other, "R41") == {
        "G5: Q0 and D0 differ: scale 0.30000001192092896 and 0.5"
    }
    half = chain((0.5, 7))
    half.opset_import[0].version = 25
    half.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    assert refusals(half, "R41") == {"G7: Q0 reads float16, D0 gives another type"}


def test_r42_leaves_one_of_two_equal_pairs() -> None:
    model = chain((0.3, 7), (0.3, 7))
    assert fired(model) == {"R42"}
    assert_same_bits(model, {"x": X})


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        ((0.25, 7), "G5: D0 and Q1 differ: scale 0.30000001192092896 and 0.25"),
        ((0.3, 8), "G5: D0 and Q1 differ: zero point 7 and 8"),
    ],
)
def test_r42_leaves_pairs_that_differ(second: tuple[float, int], reason: str) -> None:
    model = chain((0.3, 7), second)
    assert refusals(model, "R42", ["R25"]) == {reason}
    assert fired(model, off=["R25"]) == set()


def test_r42_needs_the_codes_to_survive() -> None:
    reasons = refusals(chain((3e38, 7), (3e38, 7)), "R42")
    assert reasons == {
        "G6: the scale 3.0000000054977558e+38 of D0 overflows float32 times 255"
    }


def folded(**more: Array) -> onnx.ModelProto:
    """x (a constant) -> Q -> q -> D -> f; y = a + f."""
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], name="Q"),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["f"], name="D"),
        helper.make_node("Add", ["a", "f"], ["y"], name="A"),
    ]
    parts: dict[str, Array] = {
        "x": X,
        "s": np.array(0.5, np.float32),
        "z": np.array(1, np.uint8),
    }
    parts |= more
    inputs = {"a": (np.float32, [64])}
    return graph_model(nodes, inputs, {"y": np.float32, "q": np.uint8}, parts)


def test_r50_quantizes_constants_at_load() -> None:
    model = folded()
    assert [each.kind for each in Session(model).plan().steps] == ["DequantizeLinear", "Add"]
    assert fired(model) == {"R50"}
    assert_same_bits(model, {"a": X})
    assert "QuantizeLinear" in [
        each.kind for each in Session(model, fusion=["R50"]).plan().steps
    ]


@pytest.mark.parametrize("profile", ["spec", "opencv", "torch"])
def test_r50_rounds_as_the_profile_does(profile: str) -> None:
    ties = (np.arange(64, dtype=np.float32) + np.float32(0.5)) * np.float32(0.5)
    model = folded(x=ties)
    on = outputs(model, {"a": X}, profile=profile)["q"]
    assert (on == outputs(model, {"a": X}, profile=profile, fusion="off")["q"]).all()
    rounded = np.rint(ties / np.float32(0.5)) + 1 if profile == "spec" else None
    assert rounded is None or (on == rounded).all()


def test_r50_needs_constant_parameters() -> None:
    model = folded()
    del model.graph.initializer[1]
    model.graph.input.append(helper.make_tensor_value_info("s", TensorProto.FLOAT, []))
    assert refusals(model, "R50") == {"G1: 's' of Q is computed, not constant"}


def test_a_graph_of_constants_alone() -> None:
    model = graph_model(
        [helper.make_node("QuantizeLinear", ["x", "s"], ["y"])],
        {},
        {"y": np.uint8},
        {"x": np.array([1, 2.5], np.float32), "s": np.array(1, np.float32)},
    )
    assert outputs(model, {})["y"].tolist() == [1, 2]


def test_r41_strips_a_pair_around_what_moves_codes() -> None:
    constants: dict[str, Any] = {"s": np.float32(0.3), "z": np.array(7, np.uint8)}
    constants["n"] = np.array([8, 8])
    tail = ["s", "z"]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", *tail], ["q"], name="Q"),
        helper.make_node("Reshape", ["q", "n"], ["r"], name="R"),
        helper.make_node("DequantizeLinear", ["r", *tail], ["d"], name="D"),
    ]
    model = graph_model(nodes, {"x": (np.float32, [64])}, {"d": np.float32}, constants)
    assert "R41" in fired(model, opt_in=["R41"])
    stripped = outputs(model, {"x": X}, opt_in=["R41"])["d"]
    assert (stripped == X.reshape(8, 8)).all()
