from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from tests.engine.fusion import checks
from tests.engine.fusion.elementwise_models import codes, qdq
from tests.engine.models import Array, graph_model

TWO = {"x": (2.0**-5, 3), "b": (2.0**-6, 7)}
CONDITION = codes(5) > 100
COMPARISONS = ("Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual")


def where(*values: str, **more: Any) -> onnx.ModelProto:
    constants = {"v": np.float32(more.pop("value", 1.5))}
    given = {
        "inputs": TWO,
        "y": (2.0**-5, 11),
        "constants": constants,
        "more": {"c": np.bool_},
    }
    return qdq([("Where", ["c", *values], {})], **(given | more))


def compared(
    op: str, scales: tuple[float, float], dtypes: tuple[Any, Any] = (np.int8, np.int8)
) -> onnx.ModelProto:
    constants: dict[str, Array] = {}
    nodes = []
    for name, scale, dtype in zip("ab", scales, dtypes, strict=True):
        constants |= {f"{name}s": np.array(scale, np.float32), f"{name}z": np.array(4, dtype)}
        names = [name, f"{name}s", f"{name}z"]
        nodes.append(
            helper.make_node("DequantizeLinear", names, [f"{name}f"], name=f"d{name}")
        )
    nodes.append(helper.make_node(op, ["af", "bf"], ["y"], name="n0"))
    inputs = {name: (dtype, [256]) for name, dtype in zip("ab", dtypes, strict=True)}
    return graph_model(nodes, inputs, {"y": np.bool_}, constants, 16)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
def test_where_on_codes(dtype: Any) -> None:
    model = where("x_f", "b_f", dtype=dtype)
    assert checks.fired(model) == {"R21"}
    checks.assert_same_bits(
        model, {"c": CONDITION, "x": codes(0, dtype), "b": codes(1, dtype)}
    )


@pytest.mark.parametrize("value", [1.5, -0.3, 0.0, 1e9, -1e9])
@pytest.mark.parametrize("first", [True, False])
def test_a_scalar_becomes_a_code(value: float, first: bool) -> None:
    names = ("v", "x_f") if first else ("x_f", "v")
    model = where(*names, value=value, inputs={"x": TWO["x"]})
    assert checks.fired(model) == {"R21"}
    checks.assert_same_bits(model, {"c": CONDITION, "x": codes(0)})


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (where("x_f", "b_f", outputs={"f0": np.float32}), "G3: 'f0' is a graph output"),
        (where("x_f", "b_f", dtypes={"b": np.int8}), "G4: dx has uint8 codes, db int8"),
        (
            where("x_f", "b_f", inputs=TWO | {"b": (-0.5, 0)}),
            "G6: the scale of db is -0.5",
        ),
        (
            where("x_f", "v", value=np.nan, inputs={"x": TWO["x"]}),
            "G6: the constant nan (float32) of n0",
        ),
        (compared("Less", (0.5, 0.25)), "G5: da and db differ: scale 0.5 and 0.25"),
        (compared("Less", (-0.5, -0.5)), "G6: the scale of da is -0.5"),
        (
            compared("Equal", (0.5, 0.5), (np.int8, np.uint8)),
            "G5: da and db have int8 and uint8 codes",
        ),
    ],
)
def test_guards(model: onnx.ModelProto, reason: str) -> None:
    assert "R21" not in checks.fired(model)
    (found,) = checks.refusals(model, "R21")
    assert found.startswith(reason)


def test_a_choice_between_codes_and_a_constant_by_a_constant_is_a_table() -> None:
    model = qdq(
        [("Where", ["c", "x_f", "v"], {})], constants={"c": CONDITION, "v": np.float32(1)}
    )
    assert checks.fired(model) == {"R12"}
    checks.assert_same_bits(model, {"x": codes(0)})


@pytest.mark.parametrize("op", COMPARISONS)
def test_comparisons_take_the_codes(op: str) -> None:
    model = compared(op, (0.1, 0.1))
    a = np.arange(-128, 128).astype(np.int8)
    assert checks.fired(model) == {"R21"}
    checks.assert_same_bits(model, {"a": a, "b": a[::-1].copy()})
    checks.assert_same_bits(model, {"a": a, "b": a})


def test_negative_scales_keep_their_order() -> None:
    a = np.arange(-128, 128).astype(np.int8)
    for op in COMPARISONS:
        checks.assert_same_bits(compared(op, (-0.1, -0.1)), {"a": a, "b": a[::-1].copy()})
