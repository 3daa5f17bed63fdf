"""A user's model as tools export it: Q/DQ, a free batch, computed shapes, parts that nobody knows."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Net:
    """Nodes and constants while they are put together; each method returns the tensor it made."""

    def __init__(self, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, array: object) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def node(self, op: str, inputs: list[str], output: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(op, inputs, [output], f"n_{output}", **attributes))
        return output

    def quantize(self, x: str, name: str, scale: float, zero: int = 0) -> str:
        scale_name = self.constant(f"{name}_s", np.float32(scale))
        zero_name = self.constant(f"{name}_z", np.array(zero, np.int8))
        return self.node("QuantizeLinear", [x, scale_name, zero_name], name)

    def real(self, x: str, name: str) -> str:
        return self.node("DequantizeLinear", [x, f"{x}_s", f"{x}_z"], name)

    def conv(
        self, x: str, name: str, w: tuple[int, ...], groups: int = 1, stride: int = 1
    ) -> str:
        """Conv with scales per channel and a bias in steps of their products; its codes."""
        scales = self.rng.uniform(0.001, 0.01, w[0]).astype(np.float32)
        x_scale = next(numpy_helper.to_array(c) for c in self.constants if c.name == f"{x}_s")
        codes = self.rng.integers(-127, 128, w).astype(np.int8)
        w_parts = [self.constant(f"{name}_w", codes), self.constant(f"{name}_ws", scales)]
        bias = self.rng.integers(-999, 999, w[0]).astype(np.int32)
        b_parts = [
            self.constant(f"{name}_b", bias),
            self.constant(f"{name}_bs", x_scale * scales),
        ]
        inputs = [
            self.real(x, f"{name}_dx"),
            self.node("DequantizeLinear", w_parts, f"{name}_dw", axis=0),
            self.node("DequantizeLinear", b_parts, f"{name}_db", axis=0),
        ]
        made = self.node(
            "Conv",
            inputs,
            f"{name}_r",
            kernel_shape=list(w[2:]),
            pads=[w[2] // 2] * 4,
            group=groups,
            strides=[stride, stride],
        )
        return self.quantize(made, name, 0.03, -5)

    def model(self, outputs: list[str], opset: int = 21) -> onnx.ModelProto:
        x = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, 224, 224])
        ends = [onnx.ValueInfoProto(name=name) for name in outputs]
        graph = helper.make_graph(self.nodes, "net", [x], ends, self.constants)
        opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.acme", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def messy() -> onnx.ModelProto:
    """Strided, grouped, split, shuffled by Reshape and Transpose, blockwise; a custom operator, an If."""
    net = Net()
    x = net.quantize("image", "x", 0.02, 3)
    x = net.conv(x, "stem", (160, 3, 3, 3), stride=2)
    x = net.conv(x, "grouped", (160, 5, 3, 3), groups=32)
    x = net.conv(x, "wide", (200, 160, 1, 1))
    _shuffle(net, x)
    pooled = net.node("GlobalAveragePool", [net.real("shuffled", "ds")], "pooled")
    flat = net.node("Flatten", [net.real(net.quantize(pooled, "p", 0.01), "dp")], "flat")
    _blockwise(net, net.quantize(flat, "f", 0.01))
    net.nodes.append(
        helper.make_node("Weird", ["scores"], ["weird"], "n_weird", domain="com.acme")
    )
    net.quantize("weird", "odd", 0.1)
    net.real("scores", "dscores")
    branch = helper.make_graph(
        [helper.make_node("Identity", ["dscores"], ["same"])],
        "branch",
        [],
        [helper.make_tensor_value_info("same", TensorProto.FLOAT, [1, 1000])],
    )
    net.constant("yes", np.array(True))
    net.node("If", ["yes"], "chosen", then_branch=branch, else_branch=branch)
    net.quantize("chosen", "last", 0.1)
    return net.model(["scores", "odd", "last"])


def _shuffle(net: Net, x: str) -> None:
    """Channels shuffled in two groups; the batch in the shape is computed, as exporters write it."""
    real = net.real(x, "dw_shuffle")
    shape = net.node("Shape", [real], "shape")
    batch = net.node("Gather", [shape, net.constant("first", np.array([0]))], "batch", axis=0)
    rest = net.constant("rest", np.array([2, 100, -1]))
    target = net.node("Concat", [batch, rest], "target", axis=0)
    split = net.node("Reshape", [real, target], "split")
    turned = net.node("Transpose", [split], "turned", perm=[0, 2, 1, 3])
    back = net.constant("back", np.array([0, 200, 112, 112]))
    net.quantize(net.node("Reshape", [turned, back], "joined"), "shuffled", 0.03, -5)


def _blockwise(net: Net, x: str) -> None:
    """MatMul with 4-bit weights in blocks of 32; the last block is partial."""
    codes = net.rng.integers(-8, 8, 200 * 1000).tolist()
    net.constants.append(helper.make_tensor("w4", TensorProto.INT4, [200, 1000], codes))
    net.constant("w4_s", net.rng.uniform(0.01, 0.1, (7, 1000)).astype(np.float32))
    w = net.node("DequantizeLinear", ["w4", "w4_s"], "w4_d", axis=0, block_size=32)
    net.quantize(net.node("MatMul", [net.real(x, "df"), w], "product"), "scores", 0.3)


def residual(channels: int = 48, side: int = 56) -> onnx.ModelProto:
    """A strided convolution and what is added to it, from a strided projection."""
    net = Net(1)
    x = net.quantize("image", "x", 0.02, 3)
    x = net.conv(x, "stem", (channels, 3, 3, 3), stride=224 // side)
    main = net.conv(x, "main", (channels, channels, 3, 3), stride=2)
    side_path = net.conv(x, "side", (channels, channels, 1, 1), stride=2)
    total = net.node("Add", [net.real(main, "dm"), net.real(side_path, "dsp")], "total")
    net.quantize(total, "sum", 0.05, 1)
    return net.model(["sum"])
