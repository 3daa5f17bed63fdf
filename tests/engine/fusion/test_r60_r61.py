"""R60: weights in blocks. R61: products of freshly quantized reals."""

from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import helper

from engine.kernels.number_types import INTEGER_CODES
from tests.engine.fusion.checks import assert_same_bits, fired, outputs, refusals
from tests.engine.fusion.product_models import F32, kinds, with_inputs
from tests.engine.models import Array, graph_model

R = np.random.default_rng(11)
TYPES = [np.int8, np.uint8, ml_dtypes.int4, ml_dtypes.uint4]


def blocked(
    op: str = "MatMul",
    *,
    dtype: Any = ml_dtypes.int4,
    depth: int = 48,
    block: int = 16,
    axis: int = 0,
    bias: bool = False,
    outputs: dict[str, Any] | None = None,
    zeros: bool = True,
    **attributes: Any,
) -> onnx.ModelProto:
    """Nodes dw and m1: reals x times weights w in blocks along ``axis``."""
    low, high = INTEGER_CODES[np.dtype(dtype)]
    shape = [depth, 6]
    shape[axis % 2] = -(-shape[axis % 2] // block)
    constants: dict[str, Array] = {
        "w": R.integers(low, high + 1, (depth, 6)).astype(np.int16).astype(dtype),
        "ws": F32(2.0) ** -R.integers(0, 4, shape).astype(F32),
    }
    names = ["w", "ws"]
    if zeros:
        constants["wz"] = R.integers(low, high + 1, shape).astype(np.int16).astype(dtype)
        names.append("wz")
    nodes = [
        helper.make_node(
            "DequantizeLinear", names, ["wf"], name="dw", axis=axis, block_size=block
        ),
    ]
    operands = ["x", "wf"]
    if bias:
        constants["c"] = np.arange(6, dtype=F32)
        operands.append("c")
    nodes.append(helper.make_node(op, operands, ["y"], name="m1", **attributes))
    return graph_model(nodes, {"x": (F32, [3, depth])}, outputs or {"y": F32}, constants, 21)


def reals(depth: int = 48) -> dict[str, Array]:
    return {"x": R.integers(-4, 5, (3, depth)).astype(F32)}  # every sum is exact


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("depth", "block"), [(48, 16), (50, 16), (64, 64), (40, 32)])
@pytest.mark.parametrize("zeros", [True, False])
def test_r60_packs_every_type_and_a_partial_block(
    dtype: Any, depth: int, block: int, zeros: bool
) -> None:
    model = blocked(dtype=dtype, depth=depth, block=block, zeros=zeros)
    assert kinds(model) == [("MatMulNBits", "R60")]
    assert_same_bits(model, reals(depth))


def test_r60_gemm_with_a_bias() -> None:
    model = blocked("Gemm", bias=True)
    assert kinds(model) == [("MatMulNBits", "R60")]
    assert_same_bits(model, reals())


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (blocked(axis=1, block=2), "G9: the blocks of dw are on axis 1, a product needs 0"),
        (blocked(block=8), "G9: dw has blocks of 8, the kernel powers of 2 from 16"),
        (blocked(block=24), "G9: dw has blocks of 24, the kernel powers of 2 from 16"),
        (blocked("Gemm", alpha=0.5), "G11: alpha of m1 is 0.5, the kernel takes 1.0"),
        (blocked("Gemm", bias=True, beta=0.5), "G11: beta of m1 is 0.5, the kernel takes 1"),
        (
            blocked(outputs={"y": F32, "wf": F32}),
            "G3: 'wf' is a graph output, so it must exist in float",
        ),
        (
            with_inputs(blocked(), "ws")[0],
            "G1: the scale 'ws' of dw is computed, not constant",
        ),
        (
            with_inputs(blocked("Gemm", bias=True), "c")[0],
            "G10: bias 'c' of m1 is no constant row of 6",
        ),
        (
            blocked(dtype=np.int16),
            "G7: dw has int16 codes and float32 scales",
        ),
    ],
)
def test_r60_does_not_fire_and_says_why(model: onnx.ModelProto, reason: str) -> None:
    assert reason in refusals(model, "R60")
    assert "MatMulNBits" not in {kind for kind, _ in kinds(model)}


def dynamic(
    *,
    columns: bool = False,
    bias: bool = False,
    extra: dict[str, Any] | None = None,
    to: int = 1,
) -> onnx.ModelProto:
    """Nodes q, mi, cast, scales, mul[, add]."""
    make = helper.make_node
    constants: dict[str, Array] = {
        "b": R.integers(-128, 128, (8, 6)).astype(np.int8),
        "bs": (F32(2.0) ** -np.arange(6, dtype=F32)) if columns else np.array(0.25, F32),
        "bz": np.zeros(6 if columns else (), np.int8),
    }
    nodes = [
        make("DynamicQuantizeLinear", ["x"], ["q", "s", "z"], name="q"),
        make("MatMulInteger", ["q", "b", "z", "bz"], ["i"], name="mi"),
        make("Cast", ["i"], ["f"], name="cast", to=to),
        make("Mul", ["s", "bs"], ["sb"], name="scales"),
        make("Mul", ["f", "sb"], ["m"], name="mul"),
    ]
    last = "m"
    if bias:
        constants["c"] = np.arange(6, dtype=F32)
        nodes.append(make("Add", ["m", "c"], ["t"], name="add"))
        last = "t"
    return graph_model(nodes, {"x": (F32, [3, 8])}, {last: F32} | (extra or {}), constants)


POWERS = {"x": np.resize(np.array([-3, 0, 12.9375, 1, 5, -2, 0.0625], F32), (3, 8))}
"""Their scale is 2**-4: the range is 255/16, so that every product below is exact."""


@pytest.mark.parametrize("columns", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_r61_becomes_one_operation(columns: bool, bias: bool) -> None:
    model = dynamic(columns=columns, bias=bias)
    ((kind, rule),) = kinds(model)
    assert kind == "DynamicQuantizeMatMul"
    assert set(rule.split("+")) == ({"R61", "R08"} if bias else {"R61"})
    assert_same_bits(model, POWERS)


@pytest.mark.parametrize("name", ["q", "s", "z"])
def test_r61_leaves_the_quantization_where_others_read_it(name: str) -> None:
    model = dynamic(extra={name: {"q": np.uint8, "s": F32, "z": np.uint8}[name]})
    found = {kind for kind, _ in kinds(model)}
    assert {"DynamicQuantizeLinear", "MatMulIntegerToFloat"} <= found
    assert any(
        each.startswith(f"G3: {name!r} is a graph output") for each in refusals(model, "R61")
    )
    assert_same_bits(model, POWERS)


@pytest.mark.parametrize("name", ["i", "f", "sb"])
def test_r61_keeps_what_is_an_output(name: str) -> None:
    model = dynamic(extra={name: np.int32 if name == "i" else F32})
    assert f"G3: {name!r} is a graph output, so it must exist in float" in refusals(
        model, "R61"
    )
    assert "R61" not in fired(model)
    assert_same_bits(model, POWERS)


def test_r61_needs_a_constant_scale() -> None:
    model, fed = with_inputs(dynamic(), "bs")
    reason = "G1: the weight scale 'bs' of scales is computed, not constant"
    assert refusals(model, "R61") == {reason}
    assert outputs(model, POWERS | fed)["m"].shape == (3, 6)


def test_r61_needs_float32() -> None:
    assert refusals(dynamic(to=11), "R61") == {"G7: cast casts to type 11, not float32"}


def test_r61_needs_the_parameters_of_the_same_quantization() -> None:
    model = dynamic(extra={})
    product = next(each for each in model.graph.node if each.name == "mi")
    product.input[2] = "other"
    model.graph.initializer.append(
        onnx.numpy_helper.from_array(np.array(0, np.uint8), "other")
    )
    reason = "G5: mi reads other parameters than those of q"
    assert reason in refusals(model, "R61")
    assert "MatMulIntegerToFloat" in {kind for kind, _ in kinds(model)}
    assert_same_bits(model, POWERS)


def test_r61_needs_a_scale_for_each_column() -> None:
    model = dynamic()
    wide = onnx.numpy_helper.from_array(np.ones((3, 1), F32), "bs")
    next(each for each in model.graph.initializer if each.name == "bs").CopyFrom(wide)
    reason = "G9: 'bs' has (3, 1) scales, not one for each column"
    assert refusals(model, "R61") == {reason}
    assert_same_bits(model, POWERS)
