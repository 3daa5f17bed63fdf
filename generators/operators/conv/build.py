"""From a spec to the case: an ONNX model of one convolution, and its input."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from corpus.case import Array, Case
from generators import wire
from generators.operators.conv.data import b_array, w_array, x_array
from generators.operators.conv.spec import ConvSpec, problem

OUTPUT_DTYPE_OPSET = 21  # QuantizeLinear's output_dtype
CLIP_INPUTS_OPSET = 11  # Clip's bounds are attributes before


def build(spec: ConvSpec) -> Case:
    """The case of a spec; names are x, w, b, y and these with a letter or two.

    Raises:
        ValueError: no valid model has these parameters; the message says why.
    """
    if why := problem(spec):
        raise ValueError(why)
    graph = _Graph(spec)
    _FORMS[spec.form](graph)
    x = x_array(spec)
    dtype = "float32" if x.dtype.char == "f" else spec.x_dtype
    model = graph.model(wire.value_info("x", dtype, x.shape))
    return Case(model, {"x": x})


@dataclass(frozen=True, slots=True)
class _Pair:
    """The names of one scale and one zero point; ``zero`` is empty where the default serves."""

    scale: str
    zero: str
    dtype: str
    per_channel: bool = False


class _Graph:
    """A graph while it grows."""

    def __init__(self, spec: ConvSpec) -> None:
        self.spec = spec
        self.nodes: list[bytes] = []
        self.initializers: list[bytes] = []
        self.outputs: list[bytes] = []

    def node(
        self,
        op: str,
        name: str,
        inputs: Sequence[str],
        output: str,
        attributes: Sequence[bytes] = (),
    ) -> str:
        """Append a node; returns its output."""
        self.nodes.append(wire.node(op, name, tuple(inputs), output, attributes))
        return output

    def array(self, name: str, array: Array) -> str:
        """Append an initializer; returns its name."""
        self.initializers.append(wire.tensor(name, array))
        return name

    def scale(self, name: str, values: Sequence[float]) -> str:
        """Append a scale; returns its name."""
        self.initializers.append(wire.scale(name, values))
        return name

    def zero_point(self, name: str, dtype: str, values: Sequence[int]) -> str:
        """Append a zero point; returns its name."""
        self.initializers.append(wire.zero_point(name, dtype, values))
        return name

    def pair(self, letter: str, dtype: str, scale: float, zero_point: int) -> _Pair:
        """Append the parameters of an activation; a zero point is left out where it may be."""
        scale_name = self.scale(f"{letter}s", (scale,))
        has_default = dtype == "uint8" or self.spec.opset >= OUTPUT_DTYPE_OPSET
        if not (self.spec.zero_points_written or zero_point) and has_default:
            return _Pair(scale_name, "", dtype)
        zero_name = self.zero_point(f"{letter}z", dtype, (zero_point,))
        return _Pair(scale_name, zero_name, dtype)

    def quantize(self, name: str, real: str, pair: _Pair, output: str) -> str:
        """Append a QuantizeLinear; returns its output."""
        inputs = [real, pair.scale, pair.zero] if pair.zero else [real, pair.scale]
        if pair.zero or pair.dtype == "uint8":
            return self.node("QuantizeLinear", name, inputs, output)
        dtype = wire.integer("output_dtype", wire.ELEMENT_TYPES[pair.dtype])
        return self.node("QuantizeLinear", name, inputs, output, [dtype])

    def dequantize(self, name: str, code: str, pair: _Pair, output: str) -> str:
        """Append a DequantizeLinear; returns its output."""
        inputs = [code, pair.scale, pair.zero] if pair.zero else [code, pair.scale]
        axis = [wire.integer("axis", 0)] if pair.per_channel else []
        return self.node("DequantizeLinear", name, inputs, output, axis)

    def model(self, x: bytes) -> bytes:
        """The finished model with one input."""
        return wire.model(self.nodes, [x], self.outputs, self.initializers, self.spec.opset)


def _qlinear(graph: _Graph) -> None:
    spec = graph.spec
    x = "x"
    xs = graph.scale("xs", (spec.x_scale,))
    xz = graph.zero_point("xz", spec.x_dtype, (spec.x_zero_point,))
    if spec.x_float:
        x = graph.quantize("q0", "x", _Pair(xs, xz, spec.x_dtype), "xq")
    w = graph.array("w", w_array(spec))
    ws = graph.scale("ws", spec.w_scales)
    wz = graph.zero_point("wz", spec.w_dtype, spec.w_zero_points)
    ys = graph.scale("ys", (spec.y_scale,))
    yz = graph.zero_point("yz", spec.y_codes, (spec.y_zero_point,))
    inputs = [x, xs, xz, w, ws, wz, ys, yz, *_plain_bias(graph)]
    y = "yq" if spec.y_float else "y"
    graph.node("QLinearConv", "c1", inputs, y, _conv_attributes(spec))
    if spec.y_float:
        graph.dequantize("d1", y, _Pair(ys, yz, spec.y_codes), "y")
    dtype = "float32" if spec.y_float else spec.y_codes
    graph.outputs.append(wire.value_info("y", dtype, spec.y_shape))


def _plain_bias(graph: _Graph) -> list[str]:
    b = b_array(graph.spec)
    return [] if b is None else [graph.array("b", b)]


def _conv_attributes(spec: ConvSpec) -> list[bytes]:
    """The kernel's shape, and what differs from the standard's defaults."""
    attributes = [wire.ints("kernel_shape", spec.kernel)]
    if spec.groups > 1:
        attributes.append(wire.integer("group", spec.groups))
    if max(spec.strides) > 1:
        attributes.append(wire.ints("strides", spec.strides))
    if max(spec.dilations) > 1:
        attributes.append(wire.ints("dilations", spec.dilations))
    if spec.auto_pad != "NOTSET":
        attributes.append(wire.text("auto_pad", spec.auto_pad))
    elif any(spec.pads):
        attributes.append(wire.ints("pads", spec.pads))
    return attributes


def _qdq(graph: _Graph) -> None:
    spec = graph.spec
    inputs = [_real_x(graph), _real_w(graph), *_real_b(graph)]
    attributes = _conv_attributes(spec)
    activated = spec.activation != "none"
    ends_real = spec.missing == "y"
    y = "y" if ends_real and not activated else "c"
    graph.node("Conv", "c1", inputs, y, attributes)
    if activated:
        y = _activate(graph, y, "y" if ends_real else "a")
    if ends_real:
        graph.outputs.append(wire.value_info("y", "float32", spec.y_shape))
    else:
        _finish(graph, y)
    if spec.shared == "output":
        graph.outputs.append(wire.value_info("xr", "float32", spec.x_shape))
    if spec.shared == "conv":
        graph.node("Conv", "c2", inputs[:2], "y2", attributes)
        graph.outputs.append(wire.value_info("y2", "float32", spec.y_shape))


def _real_x(graph: _Graph) -> str:
    """The Q/DQ chain from the graph's input to the convolution."""
    spec, x = graph.spec, "x"
    if spec.missing == "x":
        return x
    pair = graph.pair("x", spec.x_dtype, spec.x_scale, spec.x_zero_point)
    first = pair
    if spec.doubled == "x":
        first = graph.pair("e", spec.x_dtype, spec.doubled_scale, spec.x_zero_point)
    if spec.x_float:
        x = graph.quantize("q0", x, first, "xq")
    if spec.doubled == "x":
        x = graph.dequantize("d0", x, first, "er")
        x = graph.quantize("q1", x, pair, "eq")
    return graph.dequantize("dx", x, pair, "xr")


def _real_w(graph: _Graph) -> str:
    spec = graph.spec
    w = graph.array("w", w_array(spec))
    if spec.missing == "w":
        return w
    length = max(len(spec.w_scales), len(spec.w_zero_points))
    scales = spec.w_scales * (length // len(spec.w_scales))
    zeros = spec.w_zero_points * (length // len(spec.w_zero_points))
    ws, wz = graph.scale("ws", scales), ""
    if spec.zero_points_written or any(zeros):
        wz = graph.zero_point("wz", spec.w_dtype, zeros)
    return graph.dequantize("dw", w, _Pair(ws, wz, spec.w_dtype, length > 1), "wr")


def _real_b(graph: _Graph) -> list[str]:
    """The bias: a real initializer, or int32 codes of scale x_scale * w_scale or its own."""
    spec = graph.spec
    plain = _plain_bias(graph)
    if not plain or spec.bias == "float":
        return plain
    scales = spec.bias_scales if spec.bias == "own-scale" else product_scales(spec)
    bs, bz = graph.scale("bs", scales), ""
    if spec.zero_points_written:
        bz = graph.zero_point("bz", "int32", (0,) * len(scales))
    return [graph.dequantize("db", plain[0], _Pair(bs, bz, "int32", len(scales) > 1), "br")]


def product_scales(spec: ConvSpec) -> tuple[float, ...]:
    """``x_scale * w_scale`` in float32, one per entry of ``w_scales``: the bias's usual scale."""
    x_scale = np.float32(spec.x_scale)
    return tuple([float(x_scale * np.float32(scale)) for scale in spec.w_scales])


def _activate(graph: _Graph, real: str, output: str) -> str:
    spec = graph.spec
    if spec.activation == "Relu":
        return graph.node("Relu", "a1", [real], output)
    low, high = spec.clip
    if spec.opset < CLIP_INPUTS_OPSET:
        bounds = [wire.real("max", high), wire.real("min", low)]
        return graph.node("Clip", "a1", [real], output, bounds)
    lo = graph.scale("lo", (low,))
    hi = graph.scale("hi", (high,))
    return graph.node("Clip", "a1", [real, lo, hi], output)


def _finish(graph: _Graph, real: str) -> None:
    """The Q/DQ chain from the convolution to the graph's output."""
    spec = graph.spec
    pair = graph.pair("y", spec.y_codes, spec.y_scale, spec.y_zero_point)
    last = pair
    code = "yq" if spec.doubled == "y" or spec.y_float else "y"
    graph.quantize("qy", real, pair, code)
    if spec.doubled == "y":
        last = graph.pair("f", spec.y_codes, spec.doubled_scale, spec.y_zero_point)
        graph.dequantize("d2", code, pair, "fr")
        code = graph.quantize("q2", "fr", last, "fq" if spec.y_float else "y")
    if spec.y_float:
        graph.dequantize("dy", code, last, "y")
    graph.outputs.append(
        wire.value_info("y", "float32" if spec.y_float else spec.y_codes, spec.y_shape)
    )


_FORMS = {"QLinearConv": _qlinear, "QDQ": _qdq}
