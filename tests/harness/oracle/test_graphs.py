"""Chains of operators: sets are carried through, and known values stay known."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from corpus.case import Array
from harness.oracle import Oracle
from tests.harness.oracle.agreement import Tally, asked, compare
from tests.harness.oracle.models import SCALES, constant, scale

F = np.float32


def graph_of(
    nodes: list[onnx.NodeProto],
    constants: list[onnx.TensorProto],
    inputs: dict[str, Array],
    outputs: list[str],
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "g",
        [
            helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
            for n, a in inputs.items()
        ],
        [onnx.ValueInfoProto(name=n) for n in outputs],
        constants,
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


@pytest.mark.backend("ort")
def test_a_dynamically_quantized_product() -> None:
    """DynamicQuantizeLinear -> MatMulInteger -> Cast -> Mul -> Add, which engines fuse into one."""
    seen = Tally()
    for index in range(40):
        rng = np.random.default_rng([90, index])
        nodes = [
            helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
            helper.make_node("MatMulInteger", ["q", "w", "z", "wz"], ["acc"]),
            helper.make_node("Cast", ["acc"], ["real"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["s", "ws"], ["both"]),
            helper.make_node("Mul", ["real", "both"], ["y"]),
            helper.make_node("Add", ["y", "b"], ["out"]),
        ]
        constants = [
            constant("w", rng.integers(-63, 64, (40, 30)).astype(np.int8)),
            constant("wz", np.int8(0)),
            constant("ws", scale(rng, SCALES[index % 5], -7, -4)),
            constant("b", rng.normal(size=30).astype(F)),
        ]
        x = rng.normal(size=(20, 40)).astype(F)
        compare(seen, graph_of(nodes, constants, {"x": x}, ["out"]), {"x": x}, str(index))
    assert seen.elements > 20 * 30 * 60
    assert seen.outside == 0, seen.first


@pytest.mark.backend("ort")
@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("zeros", ["none", "packed", "float"])
def test_weights_in_packed_blocks(bits: int, zeros: str) -> None:
    seen = Tally()
    for index in range(10):
        rng = np.random.default_rng([91, index])
        columns, depth, size = 24, 100, 32
        blocks = -(-depth // size)
        packed = rng.integers(0, 256, (columns, blocks, size * bits // 8)).astype(np.uint8)
        scales = [scale(rng, SCALES[index % 5], -6, -3) for _ in range(columns * blocks)]
        order: list[tuple[str, Any]] = [("a", None), ("w", packed), ("s", np.array(scales))]
        if zeros == "packed":
            count = columns * -(-blocks * bits // 8)
            order.append(("z", rng.integers(0, 256, count).astype(np.uint8)))
        if zeros == "float" and bits == 4:
            order.append(("z", rng.uniform(0, 2**bits, columns * blocks).astype(F)))
        feeds = {"a": rng.normal(size=(50, depth)).astype(F)}
        sizes: dict[str, Any] = {"N": columns, "K": depth, "bits": bits, "block_size": size}
        compare(seen, asked("MatMulNBits", feeds, order, **sizes), feeds, str(index))
    assert seen.outside == 0, seen.first


def test_shapes_and_conditions_are_known() -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["n"]),
        helper.make_node("Gather", ["n", "one"], ["last"], axis=0),
        helper.make_node("Equal", ["n", "n"], ["same"]),
        helper.make_node("Concat", ["last", "one"], ["target"], axis=0),
        helper.make_node("Reshape", ["x", "target"], ["r"]),
        helper.make_node("ConstantOfShape", ["target"], ["c"]),
        helper.make_node("Where", ["same", "n", "zero"], ["w"]),
    ]
    constants = [constant("one", np.array([1], np.int64)), constant("zero", np.int64(0))]
    x = np.arange(4, dtype=np.int8).reshape(1, 4)
    found = Oracle(graph_of(nodes, constants, {"x": x}, ["r", "c", "w"])).allowed({"x": x})
    assert found["r"].centre.tolist() == [[0], [1], [2], [3]]
    assert found["c"].centre.tolist() == [[0.0]] * 4
    assert found["w"].centre.tolist() == [1, 4]
    assert found["w"].dtype == np.int64


class TestCast:
    def cast(self, x: Array, to: int) -> Any:
        node = helper.make_node("Cast", ["x"], ["y"], to=to)
        return Oracle(graph_of([node], [], {"x": x}, ["y"])).allowed({"x": x})["y"]

    def test_floats_are_cut_toward_zero(self) -> None:
        y = self.cast(np.array([-1.75, -0.5, 0.5, 2.0], F), TensorProto.INT8)
        assert y.low.tolist() == y.high.tolist() == [-1, 0, 0, 2]
        assert y.dtype == np.int8

    def test_what_is_out_of_range_is_undefined(self) -> None:
        y = self.cast(np.array([300, 7], F), TensorProto.INT8)
        assert (y.low.tolist(), y.high.tolist()) == ([-128, 7], [127, 7])

    def test_large_integers_are_rounded_to_float32(self) -> None:
        y = self.cast(np.array([2**24 + 1, 5], np.int32), TensorProto.FLOAT)
        assert y.low[0] < 2**24 + 1 < y.high[0]
        assert y.low[1] == y.high[1] == 5

    def test_bool(self) -> None:
        y = self.cast(np.array([0, 3], np.int32), TensorProto.BOOL)
        assert y.centre.tolist() == [0, 1]
        assert y.dtype == np.bool_
