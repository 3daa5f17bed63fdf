"""Faults of QuantizeLinear show under their trigger only, and give the values they name."""

from typing import Any

import numpy as np
import onnx
import pytest

from engine import Session
from engine.faults import find
from tests.engine.models import graph_model


def quantize(zero: int | None, kind: int = 0) -> onnx.ModelProto:
    """A QuantizeLinear "q" of scale 1 with a zero point, or to the ``output_dtype`` kind."""
    constants: dict[str, Any] = {"s": np.float32(1)}
    if zero is not None:
        constants["z"] = np.array(zero, np.int8)
    node = onnx.helper.make_node(
        "QuantizeLinear", ["x", *constants], ["y"], name="q", output_dtype=kind
    )
    output = np.int8 if kind == onnx.TensorProto.INT8 or zero is not None else np.uint8
    return graph_model([node], {"x": (np.float32, [6])}, {"y": output}, constants, 21)


X = np.array([-300, -3, 0, 3, 140, 300], np.float32)
TO_INT8 = quantize(None, onnx.TensorProto.INT8)


@pytest.mark.parametrize(
    ("fault", "model", "expected"),
    [
        ("F32b", TO_INT8, [0, 0, 0, 3, -116, -1]),
        ("F38.quantize", TO_INT8, [-44, -3, 0, 3, -116, 44]),
        ("F38.quantize", quantize(5), [-39, 2, 5, 8, -111, 49]),
        ("F38.quantize", quantize(None), [212, 253, 0, 3, 140, 44]),
    ],
)
def test_values(fault: str, model: onnx.ModelProto, expected: list[int]) -> None:
    session = Session(model, faults=[fault])
    assert find(fault).places(session.plan()) == ("q",)
    assert session.run({"x": X})["y"].tolist() == expected


@pytest.mark.parametrize("model", [quantize(0), quantize(None)], ids=["given", "uint8"])
def test_the_default_type_shows_only_where_the_zero_point_is_left_out(
    model: onnx.ModelProto,
) -> None:
    session = Session(model, faults=["F32b"])
    assert not find("F32b").places(session.plan())
    assert (session.run({"x": X})["y"] == Session(model).run({"x": X})["y"]).all()


def test_codes_that_are_floats_do_not_wrap() -> None:
    model = quantize(None, onnx.TensorProto.FLOAT8E4M3FN)
    assert not find("F38.quantize").places(Session(model).plan())
