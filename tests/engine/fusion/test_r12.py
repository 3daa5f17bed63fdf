from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import Session
from tests.engine.fusion import checks
from tests.engine.fusion.elementwise_models import SHAPE, Step, codes, qdq
from tests.engine.models import Array

ALL = (4, 3, 8, 8)
PER_CHANNEL = np.array([0.5, -1.5, 2.0], np.float32)
BN: dict[str, Array] = {
    "scale": PER_CHANNEL,
    "bias": np.array([0.1, 0, -2], np.float32),
    "mean": np.array([1, -1, 0.3], np.float32),
    "var": np.array([0.4, 1, 3], np.float32),
}
NAMES = (
    "Abs Acos Asin Asinh Atan Atanh Ceil Celu Cos Cosh Elu Erf Exp Floor Gelu HardSigmoid HardSwish "
    "LeakyRelu Log Mish Neg Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softplus Softsign "
    "Sqrt Tan Tanh ThresholdedRelu"
)
UNARY = NAMES.split()


def all_codes(dtype: Any) -> Array:
    """Every code in every channel."""
    plane = np.arange(256, dtype=np.uint8).view(dtype)
    return np.ascontiguousarray(np.broadcast_to(plane.reshape(4, 1, 8, 8), ALL))


def table(steps: Sequence[Any], dtype: Any = np.uint8, **more: Any) -> Any:
    zero = 3 if dtype == np.uint8 else -90
    given: dict[str, Any] = {"inputs": {"x": (0.03, zero)}, "shapes": {"x": ALL}, "opset": 20}
    return qdq(steps, dtype=dtype, **(given | more))


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
@pytest.mark.parametrize("op", UNARY)
def test_every_code_of_a_function(op: str, dtype: Any) -> None:
    model = table([(op, ["x_f"], {})], dtype)
    assert checks.fired(model) == {"R12"}
    checks.assert_same_bits(model, {"x": all_codes(dtype)})


@pytest.mark.parametrize(("x_type", "y_type"), [(np.uint8, np.int8), (np.int8, np.uint8)])
def test_codes_may_change_their_type(x_type: Any, y_type: Any) -> None:
    model = table([("Tanh", ["x_f"], {})], x_type, dtypes={"y": y_type})
    assert checks.fired(model) == {"R12"}
    checks.assert_same_bits(model, {"x": all_codes(x_type)})


@pytest.mark.parametrize(
    "steps",
    [
        [("Sigmoid", ["x_f"], {}), ("Mul", ["x_f", "f0"], {})],
        [("Mul", ["x_f", "half"], {}), ("Relu", ["f0"], {}), ("Sqrt", ["f1"], {})],
        [("Add", ["x_f", "x_f"], {})],
        [("Max", ["half", "x_f"], {}), ("Pow", ["f0", "half"], {})],
        [("Clip", ["x_f", "", "half"], {})],
        [("Less", ["x_f", "half"], {}), ("Where", ["f0", "half", "x_f"], {})],
        [("Sum", ["x_f", "half", "x_f"], {})],
    ],
)
def test_chains_and_branches(steps: Sequence[Any]) -> None:
    model = table(steps, constants={"half": np.float32(0.5)})
    assert checks.fired(model) == {"R12"}
    checks.assert_same_bits(model, {"x": all_codes(np.uint8)})


@pytest.mark.parametrize(
    "steps",
    [
        [("BatchNormalization", ["x_f", *BN], {})],
        [("BatchNormalization", ["x_f", *BN], {}), ("Relu", ["f0"], {})],
        [("Mul", ["x_f", "row"], {}), ("Add", ["f0", "row"], {})],
        [("PRelu", ["x_f", "row"], {})],
        [("Sub", ["column", "x_f"], {}), ("Sigmoid", ["f0"], {})],
        [("Mul", ["row", "x_f"], {}), ("Div", ["f0", "column"], {})],
    ],
)
def test_a_table_for_each_channel(steps: Sequence[Any]) -> None:
    column = np.linspace(-1, 2, 8, dtype=np.float32)
    constants = BN | {"row": PER_CHANNEL.reshape(3, 1, 1), "column": column}
    for dtype in (np.uint8, np.int8):
        model = table(steps, dtype, constants=constants)
        assert checks.fired(model) == {"R12"}
        checks.assert_same_bits(model, {"x": all_codes(dtype)})


def test_parameters_may_have_more_dimensions_than_x() -> None:
    steps: list[Step] = [("Add", ["x_f", "c"], {})]
    for c in (np.ones((1, 1, 1), np.float32), PER_CHANNEL.reshape(3, 1, 1)):
        model = qdq(steps, constants={"c": c}, shapes={"x": (5,)})
        assert checks.fired(model) == {"R12"}
        checks.assert_same_bits(model, {"x": codes(0, shape=(5,))})


@pytest.mark.parametrize("profile", ["ort", "opencv"])
def test_other_profiles_fuse_what_they_run_unfused(profile: str) -> None:
    model = table([("Sigmoid", ["x_f"], {}), ("Exp", ["f0"], {})], y=(0.0078125, 7))
    feeds = {"x": all_codes(np.uint8)}
    on, off = (
        Session(model, profile=profile, fusion=each).run(feeds)["y"] for each in ("on", "off")
    )
    assert (on == off).all()


def test_torch_computes_what_is_behind_the_last_block_otherwise() -> None:
    model = qdq(
        [("LeakyRelu", ["x_f"], {"alpha": 0.5})],
        inputs={"x": (2.0**-4, 1)},
        y=(2.0**-4, 3),
        shapes={"x": (70,)},
    )
    x = np.zeros(70, np.uint8)  # -1/16 * 1/2 is half a step: a tie
    y = Session(model, profile="fbgemm").run({"x": x})["y"]
    assert y.tolist() == [3] * 64 + [2] * 6  # rne(-0.5) + 3, and rne(-0.5 + 3)


functions = st.sampled_from(
    ["Relu", "Tanh", "Abs", "Neg", "Sigmoid", "Exp", "Sqrt", "HardSwish"]
)
pairs = st.sampled_from(["Add", "Sub", "Mul", "Div", "Max", "Min", "PRelu"])


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_any_function_of_one_tensor_keeps_every_bit(data: st.DataObject) -> None:
    """Random steps, each on what is there: the tensor, constants, channels, earlier steps."""
    steps: list[Step] = []
    known = ["x_f", "half", "row"]
    for i in range(data.draw(st.integers(1, 5))):
        first = data.draw(st.sampled_from(["x_f", *known[3:]]))
        if data.draw(st.booleans()):
            steps.append((data.draw(functions), [first], {}))
        else:
            steps.append((data.draw(pairs), [first, data.draw(st.sampled_from(known))], {}))
        known.append(f"f{i}")
    dtype = data.draw(st.sampled_from([np.uint8, np.int8]))
    scale = st.floats(2.0**-10, 4, width=32)
    code = st.integers(np.iinfo(dtype).min, np.iinfo(dtype).max)
    model = qdq(
        steps,
        inputs={"x": (data.draw(scale), data.draw(code))},
        y=(data.draw(scale), data.draw(code)),
        dtype=dtype,
        shapes={"x": ALL},
        constants={"half": np.float32(-0.5), "row": PER_CHANNEL.reshape(3, 1, 1)},
    )
    checks.assert_same_bits(model, {"x": all_codes(dtype)})


@pytest.mark.parametrize("shape", [(), (1,), (0, 3), (2, 0)])
def test_scalars_and_nothing(shape: tuple[int, ...]) -> None:
    model = qdq([("Tanh", ["x_f"], {})], shapes={"x": shape})
    checks.assert_same_bits(model, {"x": codes(0, shape=shape)})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"outputs": {"f0": np.float32}},
            "G3: 'f0' is a graph output, so it must exist in float",
        ),
        ({"dtype": np.uint16}, "G7: dx has uint16 codes, the kernels int8 and uint8"),
        (
            {"inputs": {"x": (-0.5, 7)}},
            "G6: the scale of dx is -0.5; a scale must be positive and finite",
        ),
    ],
)
def test_guards(changes: dict[str, Any], reason: str) -> None:
    model = qdq([("Tanh", ["x_f"], {})], **changes)
    assert "R12" not in checks.fired(model)
    assert checks.refusals(model, "R12") == {reason}


def test_tables_have_one_kind_of_parameters_and_few() -> None:
    steps: list[Step] = [("BatchNormalization", ["x_f", *BN], {}), ("Mul", ["f0", "row"], {})]
    model = qdq(steps, constants=BN | {"row": np.ones((3, 1, 1), np.float32)})
    assert checks.refusals(model, "R12") == {
        "G2: n0 has parameters for channels, others have (3, 1, 1); a table takes one kind"
    }
    many = np.ones((1, 2049), np.float32)
    model = qdq([("Mul", ["x_f", "c"], {})], constants={"c": many}, shapes={"x": (2, 2049)})
    assert checks.refusals(model, "R12") == {
        "G2: the parameters before n0 have shape (1, 2049); a table takes 1 to 2048"
    }


def test_parameters_without_elements_stay_with_their_operator() -> None:
    model = qdq(
        [("Mul", ["x_f", "c"], {})],
        constants={"c": np.zeros((0,), np.float32)},
        shapes={"x": (3, 1)},
    )
    assert checks.fired(model) == set()
    assert checks.outputs(model, {"x": codes(0, shape=(3, 1))})["y"].shape == (3, 0)


def test_what_is_no_function_of_elements_stays() -> None:
    chains: tuple[list[Step], ...] = (
        [("Softmax", ["x_f"], {}), ("Relu", ["f0"], {})],
        [("Identity", ["low"], {}), ("Clip", ["x_f", "f0"], {})],
    )
    for steps in chains:
        model = qdq(steps, constants={"low": np.float32(0.2)}, y=(1 / 256, 5))
        if steps[0][0] == "Softmax":
            assert "R12" not in checks.fired(model)
        checks.assert_same_bits(model, {"x": codes(0, shape=SHAPE)})
