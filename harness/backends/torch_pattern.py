"""One quantized convolution, read out of an ONNX graph for an engine that runs nothing else.

Taken: ``[QuantizeLinear ->] QLinearConv [-> DequantizeLinear]`` and the same with
``DequantizeLinear (x, w[, b]) -> Conv [-> Relu] -> QuantizeLinear`` in the middle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import onnx

from harness.backends.graph import Graph, attributes, node_id
from harness.backends.protocol import Limit

if TYPE_CHECKING:
    from harness.backends.protocol import Array


class Affine(NamedTuple):
    """Scale and zero point; arrays of one element, or of one for each output channel."""

    scale: Array
    zero_point: Array


class Convolution(NamedTuple):
    """Everything about the convolution; ``bias`` is real, ``attributes`` are as ONNX has them.

    ``quantize`` holds what turns the graph's float input into codes, ``dequantize`` what turns
    the codes into its float output; None where the graph takes or gives codes.
    """

    input: str
    output: str
    quantize: Affine | None
    x: Affine
    weights: Array
    w: Affine
    bias: Array | None
    y: Affine
    dequantize: Affine | None
    is_relu: bool
    attributes: dict[str, Any]


def convolution(model: bytes) -> Convolution:
    """The convolution that a model consists of.

    Raises:
        Limit: the model is something else, and what it is.
    """
    return _Reader(onnx.ModelProto.FromString(model).graph).read()


class _Reader:
    """Walks from the graph's output to its input and counts the nodes that it understood."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._graph = Graph(graph)
        self._understood: set[str] = set()

    def read(self) -> Convolution:
        if len(self._graph.outputs) != 1 or len(self._graph.inputs) != 1:
            raise Limit("only one convolution with one input and one output is taken")
        output = tensor = self._graph.outputs[0]
        dequantize = None
        last = self._take(tensor, "DequantizeLinear")
        if last is not None:
            dequantize, tensor = self._per_tensor(last, 1), last.input[0]
        node = self._take(tensor, "QLinearConv")
        found = self._fused(node) if node is not None else self._unfused(tensor)
        self._check_rest()
        return found._replace(output=output, dequantize=dequantize)

    def _fused(self, node: onnx.NodeProto) -> Convolution:
        x, y = self._per_tensor(node, 1), self._per_tensor(node, 6)
        w = Affine(self._constant(node, 4).ravel(), self._constant(node, 5).ravel())
        codes = self._constant(node, 8) if len(node.input) > 8 and node.input[8] else None
        bias = None if codes is None else _real_bias(codes, _product(x, w), node)
        return self._found(node, node.input[0], x, self._constant(node, 3), w, bias, y, False)

    def _unfused(self, tensor: str) -> Convolution:
        quantize = self._need(tensor, "QuantizeLinear")
        relu = self._take(quantize.input[0], "Relu")
        before = quantize.input[0] if relu is None else relu.input[0]
        node = self._need(before, "Conv")
        dx, dw = (self._need(node.input[i], "DequantizeLinear") for i in (0, 1))
        x, w = self._per_tensor(dx, 1), self._per_channel(dw)
        bias = self._bias(node, _product(x, w))
        y, weights = self._per_tensor(quantize, 1), self._constant(dw, 0)
        return self._found(node, dx.input[0], x, weights, w, bias, y, relu is not None)

    def _found(
        self,
        node: onnx.NodeProto,
        codes: str,
        x: Affine,
        weights: Array,
        w: Affine,
        bias: Array | None,
        y: Affine,
        is_relu: bool,
    ) -> Convolution:
        first = self._take(codes, "QuantizeLinear")
        quantize = None if first is None else self._per_tensor(first, 1)
        source = codes if first is None else first.input[0]
        if source not in self._graph.inputs:
            raise Limit(f"{source} feeds the convolution but is not the graph's input")
        return Convolution(
            source, "", quantize, x, weights, w, bias, y, None, is_relu, attributes(node)
        )

    def _bias(self, node: onnx.NodeProto, product: Array) -> Array | None:
        if len(node.input) < 3 or not node.input[2]:
            return None
        given = self._graph.constant(node.input[2])
        if given is not None:
            return given
        quantized = self._need(node.input[2], "DequantizeLinear")
        codes, scale = self._constant(quantized, 0), self._constant(quantized, 1).ravel()
        zero_point = self._zero_point(quantized, 2, codes.dtype)
        if codes.dtype != np.int32 or zero_point.any():
            raise Limit(f"{node_id(quantized)}: the bias is not int32 with zero point 0")
        if (np.broadcast_to(scale, product.shape) != product.astype(np.float32)).any():
            raise Limit(f"{node_id(quantized)}: the bias scale is not x_scale * w_scale")
        return _real_bias(codes, product, node)

    def _take(self, tensor: str, operator: str) -> onnx.NodeProto | None:
        node = self._graph.maker(tensor)
        if node is None or node.op_type != operator or node.domain:
            return None
        if len(self._graph.readers(tensor)) > 1 or (
            self._graph.readers(tensor) and tensor in self._graph.outputs
        ):
            raise Limit(f"{tensor} is read more than once")
        self._understood.add(node.output[0])
        return node

    def _need(self, tensor: str, operator: str) -> onnx.NodeProto:
        node = self._take(tensor, operator)
        if node is None:
            made = self._graph.maker(tensor)
            by = "no node" if made is None else f"{made.op_type} {node_id(made)}"
            raise Limit(f"{tensor} is made by {by} where only {operator} is taken")
        return node

    def _check_rest(self) -> None:
        rest = [each for each in self._graph.nodes if each.output[0] not in self._understood]
        if rest:
            raise Limit(f"{rest[0].op_type} {node_id(rest[0])} is beside the convolution")

    def _constant(self, node: onnx.NodeProto, i: int) -> Array:
        values = self._graph.constant(node.input[i])
        if values is None:
            raise Limit(f"{node_id(node)}: {node.input[i]} is not a constant")
        return values

    def _zero_point(self, node: onnx.NodeProto, i: int, default: Any) -> Array:
        if len(node.input) > i and node.input[i]:
            return self._constant(node, i).ravel()
        kind = attributes(node).get("output_dtype")
        if kind:
            default = onnx.helper.tensor_dtype_to_np_dtype(kind)
        return np.zeros(1, default)

    def _per_tensor(self, node: onnx.NodeProto, i: int) -> Affine:
        scale, zero_point = (
            self._constant(node, i).ravel(),
            self._zero_point(node, i + 1, np.uint8),
        )
        if node.op_type == "DequantizeLinear" and len(node.input) < 3:
            zero_point = zero_point.astype(np.int8) if self._is_int8(node) else zero_point
        if scale.size != 1 or zero_point.size != 1:
            raise Limit(f"{node_id(node)}: activations with a scale per channel are not taken")
        if zero_point.dtype not in (np.int8, np.uint8) or scale.dtype != np.float32:
            raise Limit(
                f"{node_id(node)}: {zero_point.dtype} codes with a {scale.dtype} scale are not taken"
            )
        return Affine(scale, zero_point)

    def _is_int8(self, node: onnx.NodeProto) -> bool:
        """Whether a DequantizeLinear without zero point reads int8, by what feeds it."""
        maker = self._graph.maker(node.input[0])
        if maker is None:
            return node.input[0] in self._graph.int8_inputs
        i = 7 if maker.op_type == "QLinearConv" else 2
        return bool(self._zero_point(maker, i, np.uint8).dtype == np.int8)

    def _per_channel(self, node: onnx.NodeProto) -> Affine:
        weights, scale = self._constant(node, 0), self._constant(node, 1)
        zero_point = self._zero_point(node, 2, weights.dtype)
        given = attributes(node)
        if given.get("block_size"):
            raise Limit(f"{node_id(node)}: blocked scales are not taken")
        if scale.size > 1 and given.get("axis", 1) % weights.ndim != 0:
            raise Limit(f"{node_id(node)}: scales along axis {given.get('axis', 1)}, not 0")
        return Affine(scale.ravel(), zero_point)


def _product(x: Affine, w: Affine) -> Array:
    """The real unit of the accumulator, for each channel."""
    return np.asarray(x.scale.astype(np.float64) * w.scale.astype(np.float64))


def _real_bias(codes: Array, product: Array, node: onnx.NodeProto) -> Array:
    """``fl(B * x_scale * w_scale)``, refused where float32 cannot say which ``B`` it was."""
    if codes.dtype != np.int32:
        raise Limit(f"{node_id(node)}: a {codes.dtype} bias is not taken")
    with np.errstate(all="ignore"):
        bias = (codes * product).astype(np.float32)
        returned = np.rint(bias / product)
    if (returned != codes).any():
        raise Limit(f"{node_id(node)}: float32 cannot hold the bias to the last unit")
    return bias


def padding(given: dict[str, Any], sizes: Any, kernel: Any) -> list[int]:
    """The symmetric padding, with auto_pad worked out for these sizes.

    Raises:
        Limit: the padding differs at the two ends of an axis.
    """
    spatial = len(kernel)
    strides = given.get("strides", [1] * spatial)
    dilations = given.get("dilations", [1] * spatial)
    extents = [dilations[i] * (kernel[i] - 1) + 1 for i in range(spatial)]
    mode = given.get("auto_pad", "NOTSET")
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        needs = [
            max(0, (-(-sizes[i] // strides[i]) - 1) * strides[i] + extents[i] - sizes[i])
            for i in range(spatial)
        ]
        halves, rests = [each // 2 for each in needs], [each - each // 2 for each in needs]
        begins, ends = (halves, rests) if mode == "SAME_UPPER" else (rests, halves)
    else:
        pads = given.get("pads", [0] * 2 * spatial) if mode == "NOTSET" else [0] * 2 * spatial
        begins, ends = pads[:spatial], pads[spatial:]
    if begins != ends:
        raise Limit(f"padding {begins} before and {ends} behind is not symmetric")
    for i in range(spatial):
        if sizes[i] + 2 * begins[i] < extents[i]:
            raise Limit(f"the kernel is larger than the padded input along spatial axis {i}")
    return list(begins)
