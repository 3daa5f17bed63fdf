"""A network of a hundred nodes whose tensors have a million elements."""

import numpy as np
import onnx
from onnx import helper, numpy_helper

CHANNELS, SIDE, LAYERS = 16, 256, 16


class _Net:
    """Nodes and constants while they are put together."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def node(self, op: str, inputs: list[str], output: str, **attributes: object) -> str:
        node = helper.make_node(op, inputs, [output], output, **attributes)
        self.nodes.append(node)
        return output

    def constant(self, name: str, array: object) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def pair(self, name: str, scale: float, zero: int, dtype: type) -> list[str]:
        zero_point = self.constant(f"{name}_zero", np.array(zero, dtype))
        return [self.constant(f"{name}_scale", np.float32(scale)), zero_point]

    def layer(self, x: str, pair: list[str], number: int) -> tuple[str, list[str]]:
        """DequantizeLinear -> Conv 3x3 -> Relu -> QuantizeLinear."""
        shape = (CHANNELS, CHANNELS, 3, 3)
        w = self.constant(f"w{number}", self.rng.integers(-127, 128, shape).astype(np.int8))
        scale = self.pair(w, 0.01, 0, np.int8)
        y = self.pair(f"y{number}", 0.12, 128, np.uint8)
        reals = [
            self.node("DequantizeLinear", [x, *pair], f"d{number}"),
            self.node("DequantizeLinear", [w, *scale], f"dw{number}"),
        ]
        real = self.node("Conv", reals, f"c{number}", pads=[1] * 4)
        real = self.node("Relu", [real], f"r{number}")
        return self.node("QuantizeLinear", [real, *y], f"t{number}"), y

    def skip(
        self, x: str, pair: list[str], source: str, other: list[str], number: int
    ) -> tuple[str, list[str]]:
        """The sum of two tensors of codes."""
        reals = [
            self.node("DequantizeLinear", [x, *pair], f"a{number}"),
            self.node("DequantizeLinear", [source, *other], f"b{number}"),
        ]
        y = self.pair(f"z{number}", 0.16, 128, np.uint8)
        real = self.node("Add", reals, f"s{number}")
        return self.node("QuantizeLinear", [real, *y], f"u{number}"), y


def conv_net() -> onnx.ModelProto:
    """Convolutions between Q and DQ with a skip connection every four: 98 nodes."""
    net = _Net()
    pair = net.pair("x", 0.02, 128, np.uint8)
    codes = net.node("QuantizeLinear", ["in", *pair], "x")
    for number in range(LAYERS):
        source, other = codes, pair
        codes, pair = net.layer(codes, pair, number)
        if number % 4 == 3:
            codes, pair = net.skip(codes, pair, source, other, number)
    out = net.node("DequantizeLinear", [codes, *pair], "out")
    shape = [1, CHANNELS, SIDE, SIDE]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        net.nodes, "net", [value("in", 1, shape)], [value(out, 1, shape)], net.constants
    )
    opset = helper.make_opsetid("", 13)
    return helper.make_model(graph, opset_imports=[opset], ir_version=8)
