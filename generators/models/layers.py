"""Quantized layers: each takes codes, dequantizes them, computes in float and quantizes again."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log2, prod, sqrt

import numpy as np
import onnx
from onnx import helper, numpy_helper

from corpus.case import Array
from generators import qparams
from generators.arrays import LOWEST, noise
from generators.choices import Choices

_DEVIATION = 73.9  # of uniform codes, in steps
_WIDTH = 4.0  # standard deviations on one side of the middle code
_ELEMENT_TYPES = {"uint8": onnx.TensorProto.UINT8, "int8": onnx.TensorProto.INT8}


@dataclass(frozen=True, slots=True)
class Codes:
    """A quantized activation: its tensor, its scale and zero point by name and value, its shape.

    ``deviation`` is the standard deviation it is expected to have, real.
    """

    name: str
    scale: float
    zero_point: int
    shape: tuple[int, ...]
    deviation: float


class Layers:
    """A graph while it grows; weights are scaled so that activations keep a deviation near 1.

    ``style`` is that of ``generators.qparams``; ``dtype`` the type of all activations.
    """

    def __init__(self, choices: Choices, style: str, dtype: str, opset: int) -> None:
        self.choices, self.style, self.dtype, self.opset = choices, style, dtype, opset
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, shape: tuple[int, ...]) -> Codes:
        """A graph input of codes."""
        self._inputs.append(
            helper.make_tensor_value_info(name, _ELEMENT_TYPES[self.dtype], list(shape))
        )
        return self._codes(name, shape, 1.0)

    def output(self, x: Codes) -> None:
        """Makes codes an output of the graph."""
        self._outputs.append(
            helper.make_tensor_value_info(x.name, _ELEMENT_TYPES[self.dtype], list(x.shape))
        )

    def conv(
        self,
        x: Codes,
        filters: int,
        kernel: int = 1,
        *,
        stride: int = 1,
        groups: int = 1,
        activation: str = "",
    ) -> Codes:
        """Conv with int8 weights per channel and an int32 bias, padded to keep the size."""
        name = self._new("conv")
        w_shape = (filters, x.shape[1] // groups, kernel, kernel)
        scales = self._weights(name, w_shape, axis=0, fan_in=prod(w_shape[1:]))
        bias = self._bias(name, x, scales)
        pad = kernel // 2
        attributes = {
            "kernel_shape": [kernel, kernel],
            "strides": [stride, stride],
            "group": groups,
        }
        attributes["pads"] = [pad] * 4
        real = self._node("Conv", name, [self.real(x), f"{name}_w", bias], **attributes)
        size = tuple((each + 2 * pad - kernel) // stride + 1 for each in x.shape[2:])
        real = self._activate(real, name, activation)
        return self.quantized(real, name, (x.shape[0], filters, *size), x.deviation)

    def gemm(self, x: Codes, features: int) -> Codes:
        """Gemm of rows with int8 weights (features, K) transposed, and an int32 bias."""
        name = self._new("gemm")
        w_shape = (features, x.shape[1])
        bias = self._bias(name, x, self._weights(name, w_shape, axis=0, fan_in=x.shape[1]))
        real = self._node("Gemm", name, [self.real(x), f"{name}_w", bias], transB=1)
        return self.quantized(real, name, (x.shape[0], features), x.deviation)

    def linear(self, x: Codes, features: int, activation: str = "") -> Codes:
        """MatMul of the last axis with int8 weights (K, features)."""
        name = self._new("linear")
        self._weights(name, (x.shape[-1], features), axis=1, fan_in=x.shape[-1])
        real = self._node("MatMul", name, [self.real(x), f"{name}_w"])
        real = self._activate(real, name, activation)
        return self.quantized(real, name, (*x.shape[:-1], features), x.deviation)

    def matmul(self, a: Codes, b: Codes) -> Codes:
        """MatMul of two activations."""
        name = self._new("matmul")
        real = self._node("MatMul", name, [self.real(a), self.real(b)])
        deviation = a.deviation * b.deviation * sqrt(a.shape[-1])
        return self.quantized(real, name, (*a.shape[:-1], b.shape[-1]), deviation)

    def add(self, a: Codes, b: Codes, activation: str = "") -> Codes:
        """The sum of two activations of one shape."""
        name = self._new("add")
        real = self._node("Add", name, [self.real(a), self.real(b)])
        real = self._activate(real, name, activation)
        return self.quantized(real, name, a.shape, sqrt(a.deviation**2 + b.deviation**2))

    def unary(
        self, op: str, x: Codes, shape: tuple[int, ...], deviation: float, **attributes: object
    ) -> Codes:
        """An operator of one input, quantized anew for values of that deviation."""
        name = self._new(op.lower())
        real = self._node(op, name, [self.real(x)], **attributes)
        return self.quantized(real, name, shape, deviation)

    def move(
        self,
        op: str,
        x: Codes,
        shape: tuple[int, ...],
        *constants: Array,
        **attributes: object,
    ) -> Codes:
        """An operator that only moves or selects values: the same scale and zero point again."""
        name = self._new(op.lower())
        names = [self._constant(f"{name}_{i}", each) for i, each in enumerate(constants)]
        if op == "Resize":
            names = ["", *names]
        real = self._node(op, name, [self.real(x), *names], **attributes)
        y = f"{name}_y"
        self._nodes.append(
            helper.make_node(
                "QuantizeLinear", [real, f"{x.name}_s", f"{x.name}_z"], [y], name=f"q_{name}"
            )
        )
        self._constant(f"{y}_s", np.float32(x.scale))
        self._constant(f"{y}_z", np.array(x.zero_point, self.dtype))
        return Codes(y, x.scale, x.zero_point, shape, x.deviation)

    def concat(self, parts: Sequence[Codes], axis: int) -> Codes:
        """Concat of activations with scales of their own."""
        name = self._new("concat")
        real = self._node("Concat", name, [self.real(each) for each in parts], axis=axis)
        shape = list(parts[0].shape)
        shape[axis] = sum(each.shape[axis] for each in parts)
        deviation = max(each.deviation for each in parts)
        return self.quantized(real, name, tuple(shape), deviation)

    def real(self, x: Codes) -> str:
        """The dequantized tensor, from a DequantizeLinear of its own."""
        name = self._new("dq")
        return self._node("DequantizeLinear", name, [x.name, f"{x.name}_s", f"{x.name}_z"])

    def quantized(
        self, real: str, name: str, shape: tuple[int, ...], deviation: float
    ) -> Codes:
        """The codes of a float tensor."""
        codes = self._codes(f"{name}_y", shape, deviation)
        inputs = [real, f"{codes.name}_s", f"{codes.name}_z"]
        self._nodes.append(
            helper.make_node("QuantizeLinear", inputs, [codes.name], name=f"q_{name}")
        )
        return codes

    def model(self, name: str) -> onnx.ModelProto:
        """The finished graph."""
        graph = helper.make_graph(
            self._nodes, name, self._inputs, self._outputs, self._initializers
        )
        opsets = [helper.make_opsetid("", self.opset)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)

    def _new(self, word: str) -> str:
        return f"{word}{len(self._nodes)}"

    def _node(self, op: str, name: str, inputs: Sequence[str], **attributes: object) -> str:
        output = f"{name}_r"
        self._nodes.append(helper.make_node(op, inputs, [output], name=name, **attributes))
        return output

    def _constant(self, name: str, array: Array | np.float32) -> str:
        self._initializers.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def _codes(self, name: str, shape: tuple[int, ...], deviation: float) -> Codes:
        scale = deviation * _WIDTH / 128
        if self.style == "saturating":
            scale /= 4
        scale *= 1 + self.choices.integer(0, 999) / 1000
        if self.style in qparams.TIE_STYLES:
            scale = 2.0 ** round(log2(scale))
        zero_point = LOWEST[self.dtype] + 128 + self.choices.integer(0, 32) - 16
        self._constant(f"{name}_s", np.float32(scale))
        self._constant(f"{name}_z", np.array(zero_point, self.dtype))
        return Codes(name, float(np.float32(scale)), zero_point, shape, deviation)

    def _weights(self, name: str, shape: tuple[int, ...], axis: int, fan_in: int) -> Array:
        """Weights, dequantized per channel, as ``{name}_w``; returns their scales."""
        count = shape[axis]
        w = np.frombuffer(noise(self.choices.integer(0, 65535), prod(shape)), np.int8)
        scale = qparams.float32(2.0 ** round(log2(1 / (_DEVIATION * sqrt(fan_in)))))
        scales = np.array(
            qparams.per_channel(self.choices, self.style, scale * 1.5, count), np.float32
        )
        if self.style in qparams.TIE_STYLES:
            scales = (2.0 ** np.round(np.log2(scales))).astype(np.float32)
        self._dequantized(f"{name}_w", w.reshape(shape), scales, axis)
        return scales

    def _bias(self, name: str, x: Codes, scales: Array) -> str:
        """An int32 bias in steps of the scales' product, dequantized."""
        seed = self.choices.integer(0, 65535)
        codes = np.frombuffer(noise(seed, len(scales)), np.int8).astype(np.int32) * 16
        return self._dequantized(f"{name}_b", codes, np.float32(x.scale) * scales, 0)

    def _dequantized(self, output: str, codes: Array, scales: Array, axis: int) -> str:
        names = [
            self._constant(f"{output}_q", codes),
            self._constant(f"{output}_s", scales),
            self._constant(f"{output}_z", np.zeros(scales.shape, codes.dtype)),
        ]
        self._nodes.append(
            helper.make_node(
                "DequantizeLinear", names, [output], name=f"dq_{output}", axis=axis
            )
        )
        return output

    def _activate(self, real: str, name: str, activation: str) -> str:
        if not activation:
            return real
        if activation == "Relu6":
            bounds = [self._constant(f"{name}_{each}", np.float32(each)) for each in (0, 6)]
            return self._node("Clip", f"{name}_relu6", [real, *bounds])
        if activation == "SiLU":
            gate = self._node("Sigmoid", f"{name}_gate", [real])
            return self._node("Mul", f"{name}_silu", [real, gate])
        return self._node(activation, f"{name}_{activation.lower()}", [real])
