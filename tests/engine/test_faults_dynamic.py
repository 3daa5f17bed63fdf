"""F144 against what OpenVINO 2026.4.1 gave: the product of the reals themselves."""

from typing import Any

import numpy as np
import onnx
import pytest

from engine import Session
from engine.faults import find
from tests.engine.models import Array, graph_model

A = np.array([[0.25, -3.0, 1.0]], np.float32)
B = np.array([[1, 2], [3, 4], [5, 7]], np.int8)


def multiplied(op: str, *, zero: bool, bias: bool) -> onnx.ModelProto:
    constants: dict[str, Any] = {"b": B, "s": np.array([0.5, 2], np.float32)}
    names = ["a", "b", "s"]
    if zero:
        constants["z"], names = np.array([1, 2], np.int8), [*names, "z"]
    if bias:
        constants["c"] = np.array([8, 16], np.float32)
        names = [*names, *([] if zero else [""]), "c"]
    node = onnx.helper.make_node(op, names, ["y"], name="n1", domain="com.microsoft")
    model = graph_model([node], {"a": (np.float32, [1, 3])}, {"y": np.float32}, constants)
    model.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    return model


def run(model: onnx.ModelProto, *faults: str) -> Array:
    return Session(model, faults=faults).run({"a": A})["y"]


@pytest.mark.parametrize(
    ("zero", "bias", "expected"),
    [
        (False, False, [-1.875, -9]),
        (True, False, [-1, -2]),
        (True, True, [7, 14]),
        (False, True, [6.125, 7]),
    ],
)
def test_reals_are_multiplied_as_they_are(
    zero: bool, bias: bool, expected: list[float]
) -> None:
    model = multiplied("DynamicQuantizeMatMul", zero=zero, bias=bias)
    assert run(model, "F144").tolist() == [expected]
    assert (run(model) != run(model, "F144")).all()
    assert find("F144").places(Session(model).plan()) == ("n1",)


def test_a_product_of_codes_has_nothing_to_quantize() -> None:
    node = onnx.helper.make_node("MatMulInteger", ["a", "b"], ["y"], name="n1")
    model = graph_model([node], {"a": (np.int8, [1, 3])}, {"y": np.int32}, {"b": B})
    assert not find("F144").places(Session(model).plan())
