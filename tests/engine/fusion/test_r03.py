from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from engine import Session
from tests.engine.fusion import checks
from tests.engine.models import Array, element_type, qdq_conv

R = np.random.default_rng(3)
X = {"x": R.integers(0, 256, (1, 8, 6, 6)).astype(np.uint8)}
BN = [np.linspace(0.5, 2, 8, dtype=np.float32) for _ in range(4)]


def conv_then(
    op: str,
    *,
    outputs: tuple[str, ...] = ("z",),
    types: tuple[Any, Any] = (np.uint8, np.uint8),
    parameters: list[Array] | None = None,
    groups: int = 1,
    **attributes: Any,
) -> onnx.ModelProto:
    """D, D -> Conv -> Q -> D -> op -> Q; the second pair has a scale of its own."""
    w = R.integers(-128, 128, (8, 8 // groups, 3, 3)).astype(np.int8)
    model = qdq_conv(w, y=(0.08, 130), y_dtype=types[0], image=(6, 6), groups=groups)
    names = [f"p{i}" for i in range(len(parameters or []))]
    more = {
        "us": np.array(0.02, np.float32),
        "uz": np.array(90, types[0]),
        "zs": np.array(0.01, np.float32),
        "zz": np.array(17, types[1]),
        **dict(zip(names, parameters or [], strict=True)),
    }
    model.graph.initializer.extend(numpy_helper.from_array(v, k) for k, v in more.items())
    model.graph.node.extend(
        [
            helper.make_node("DequantizeLinear", ["y", "us", "uz"], ["uf"], name="du"),
            helper.make_node(op, ["uf", *names], ["vf"], name="n0", **attributes),
            helper.make_node("QuantizeLinear", ["vf", "zs", "zz"], ["z"], name="qz"),
        ]
    )
    kinds = {"y": types[0], "z": types[1]}
    del model.graph.output[:]
    model.graph.output.extend(
        helper.make_tensor_value_info(name, element_type(kinds[name]), None)
        for name in outputs
    )
    return model


@pytest.mark.parametrize("op", ["Sigmoid", "Tanh", "LeakyRelu", "HardSigmoid", "Softplus"])
@pytest.mark.parametrize("groups", [1, 8])
def test_fires_and_keeps_the_codes_of_the_two_steps(op: str, groups: int) -> None:
    model = conv_then(op, groups=groups)
    assert checks.fired(model) == {"R01", "R12", "R03"}
    assert len(Session(model).plan().steps) == 1
    (together,), (apart,) = (
        checks.outputs(model, X, **how).values() for how in ({}, {"fusion": {"R03"}})
    )
    assert (together == apart).all()
    assert len(np.unique(together)) > 3


def test_the_profile_s_own_function_is_in_the_table() -> None:
    model = conv_then("Sigmoid")
    for profile in ("ort", "opencv"):
        together, apart = (
            Session(model, profile=profile, fusion=each).run(X)["z"]
            for each in ("on", {"R03"})
        )
        assert (together == apart).all()


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (
            conv_then("Tanh", outputs=("y", "z")),
            "G3: 'y' is a graph output, so these codes must exist",
        ),
        (
            conv_then("BatchNormalization", parameters=BN),
            "G2: n0 has parameters (8,), the kernel takes one table",
        ),
        (
            conv_then("Tanh", types=(np.uint8, np.int8)),
            "G4: n0 turns uint8 codes into int8 ones",
        ),
    ],
)
def test_guards(model: onnx.ModelProto, reason: str) -> None:
    assert "R03" not in checks.fired(model)
    assert checks.refusals(model, "R03") == {reason}


def test_torch_has_no_single_table() -> None:
    steps = Session(conv_then("Tanh"), profile="fbgemm").plan().steps
    assert [each.rule for each in steps] == ["R01", "R12"]
