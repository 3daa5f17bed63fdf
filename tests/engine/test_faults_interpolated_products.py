"""Faults of constants behind a DequantizeLinear show under their trigger only, and give the values they name."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import pytest

from engine import Session
from engine.faults import find
from tests.engine.models import graph_model

make = onnx.helper.make_node
ROW = [0.37, -1.7]
X = {
    np.int16: np.array([[1234, 1235], [-20000, 7]], np.float32),
    np.uint16: np.array([[1234, 1235], [60000, 7]], np.float32),
}
BATCH: Mapping[str, Any] = {
    "g": [0.7, -1.3],
    "b": [0.2, 1.1],
    "m": [-0.4, 2.5],
    "v": [0.9, 3.1],
}


def behind_codes(
    nodes: Sequence[onnx.NodeProto],
    constants: Mapping[str, Any],
    kind: Any,
    scale: Any = 0.0123,
    zero: int | None = 1234,
) -> onnx.ModelProto:
    """What reads the reals r of codes that a QuantizeLinear of scale 1 and zero point 0 makes."""
    given: dict[str, Any] = {"one": np.float32(1), "none": np.array(0, kind)}
    given |= {"s": np.array(scale, np.float32)}
    given |= {} if zero is None else {"z": np.full(given["s"].shape, zero, kind)}
    given |= {name: np.array(each, np.float32) for name, each in constants.items()}
    pair = [
        make("QuantizeLinear", ["x", "one", "none"], ["q"], name="q"),
        make("DequantizeLinear", ["q", "s"] + ["z"] * (zero is not None), ["r"], name="d"),
    ]
    return graph_model(
        [*pair, *nodes], {"x": (np.float32, [2, 2])}, {"y": np.float32}, given, 21
    )


def run_with(
    fault: str, model: onnx.ModelProto, kind: Any, places: tuple[str, ...] = ("n",)
) -> list[float]:
    """The values with a fault, which are others than without it."""
    session = Session(model, faults=[fault])
    assert find(fault).places(session.plan()) == places
    wrong = session.run({"x": X[kind]})["y"]
    assert (wrong != Session(model).run({"x": X[kind]})["y"]).any()
    return singles(wrong.ravel())


def singles(values: Any) -> list[float]:
    row: list[float] = np.asarray(values, np.float32).tolist()
    return row


def normalized(x: str, **attributes: float) -> onnx.NodeProto:
    return make("BatchNormalization", [x, *BATCH], ["y"], name="n", **attributes)


def times(*operands: str, op: str = "Mul") -> onnx.NodeProto:
    return make(op, operands, ["y"], name="n")


@pytest.mark.parametrize(
    ("kind", "zero", "node", "k", "expected"),
    [
        (
            np.int16,
            1234,
            times("r", "k"),
            -1.7,
            [-2.3048371e-05, -0.020933049, 444.00293, 25.656548],
        ),
        (
            np.uint16,
            1234,
            times("k", "r"),
            ROW,
            [5.7742e-08, -0.020910161, 267.44406, 25.65657],
        ),
        (np.int16, 0, times("r", "k"), ROW, [5.615934, -25.82385, -91.019997, -0.14637001]),
        (np.int16, None, times("r", "k"), ROW, [5.615934, -25.82385, -91.019997, -0.14637001]),
        (
            np.uint16,
            1234,
            times("r", "k", op="Div"),
            ROW,
            [-1.9595027e-06, -0.0072348407, 1953.5724, 8.877706],
        ),
    ],
)
def test_a_constant_factor_is_in_both_ends(
    kind: Any, zero: int | None, node: onnx.NodeProto, k: Any, expected: list[float]
) -> None:
    """The values are those of OpenVINO 2026.4.1."""
    model = behind_codes([node], {"k": k}, kind, zero=zero)
    assert run_with("F127.product", model, kind) == singles(expected)


def test_numbers_on_the_way_belong_to_the_factor() -> None:
    """The values are those of OpenVINO 2026.4.1, which multiplies two factors first."""
    first = make("Mul", ["r", "c"], ["p"], name="m")
    model = behind_codes([first, times("p", "k")], {"c": 0.77, "k": ROW}, np.int16)
    assert run_with("F127.product", model, np.int16, ("m", "n")) == singles(
        [4.6403147e-06, -0.016140569, -74.40967, 19.75552]
    )


@pytest.mark.parametrize(
    ("kind", "zero", "attributes", "expected"),
    [
        (np.int16, 1234, {}, [0.4951699, 2.9367981, -192.21796, 14.089119]),
        (np.uint16, 1234, {"epsilon": 1e-3}, [0.4949827, 2.9364972, 533.5437, 14.087038]),
        (np.int16, 0, {}, [11.694541, -8.2700205, -181.01859, 2.882301]),
    ],
)
def test_a_batch_normalization_is_a_factor_and_a_sum(
    kind: Any, zero: int, attributes: dict[str, float], expected: list[float]
) -> None:
    """The values are those of OpenVINO 2026.4.1."""
    model = behind_codes([normalized("r", **attributes)], BATCH, kind, zero=zero)
    assert run_with("F127.batch", model, kind) == singles(expected)


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (times("r", "k"), [-2.3264438e-06, -0.038986765, -96.63593, 47.97581]),
        (normalized("r"), [0.4951699, 2.928874, -192.21796, 23.78281]),
    ],
)
def test_each_channel_has_its_ends(node: onnx.NodeProto, expected: list[float]) -> None:
    """The values are those of OpenVINO 2026.4.1."""
    fault = "F127.product" if node.op_type == "Mul" else "F127.batch"
    model = behind_codes([node], {"k": ROW, **BATCH}, np.int16, [0.0123, 0.023])
    assert run_with(fault, model, np.int16) == singles(expected)


@pytest.mark.parametrize(
    "node",
    [
        times("k", "r", op="Div"),
        times("r", "k", op="Add"),
        times("r", "x"),
        normalized("x"),
        make("BatchNormalization", ["r", "g", "b", "m", "t"], ["y"], name="n"),
    ],
)
def test_what_is_no_product_of_codes_and_a_constant_stays(node: onnx.NodeProto) -> None:
    root = make("Sqrt", ["v"], ["t"], name="t")
    model = behind_codes([root, node], {"k": ROW, **BATCH}, np.int16)
    right = Session(model).run({"x": X[np.int16]})["y"]
    for fault in ("F127.product", "F127.batch"):
        session = Session(model, faults=[fault])
        assert not find(fault).places(session.plan())
        assert (session.run({"x": X[np.int16]})["y"] == right).all()


def test_codes_whose_type_is_not_told_stay() -> None:
    given: dict[str, Any] = {"s": np.float32(0.1), "k": np.float32(0.7)}
    nodes = [make("DequantizeLinear", ["q", "s"], ["r"], name="d"), times("r", "k")]
    model = graph_model(nodes, {"q": (np.int16, [2])}, {"y": np.float32}, given, 21)
    assert not find("F127.product").places(Session(model).plan())
