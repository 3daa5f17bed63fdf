"""From a spec to the case: an ONNX model of one convolution, and its input."""

import numpy as np

from corpus.case import Case
from generators import wire
from generators.builder import GraphBuilder, Pair
from generators.operators.conv.data import b_array, w_array, x_array
from generators.operators.conv.spec import ConvSpec, problem

CLIP_INPUTS_OPSET = 11  # Clip's bounds are attributes before


def build(spec: ConvSpec) -> Case:
    """The case of a spec; names are x, w, b, y and these with a letter or two.

    Raises:
        ValueError: no valid model has these parameters; the message says why.
    """
    if why := problem(spec):
        raise ValueError(why)
    graph = GraphBuilder(
        spec.opset, zero_points_written=spec.zero_points_written, spelled=spec.spelled
    )
    _FORMS[spec.form](graph, spec)
    graph.input("x", x_array(spec))
    return graph.case()


def _qlinear(graph: GraphBuilder, spec: ConvSpec) -> None:
    x = "x"
    xs = graph.scale("xs", (spec.x_scale,))
    xz = graph.zero_point("xz", spec.x_dtype, (spec.x_zero_point,))
    if spec.x_float:
        x = graph.quantize("q0", "x", Pair(xs, xz, spec.x_dtype), "xq")
    w = graph.array("w", w_array(spec))
    ws = graph.scale("ws", spec.w_scales)
    wz = graph.zero_point("wz", spec.w_dtype, spec.w_zero_points)
    ys = graph.scale("ys", (spec.y_scale,))
    yz = graph.zero_point("yz", spec.y_codes, (spec.y_zero_point,))
    inputs = [x, xs, xz, w, ws, wz, ys, yz, *_plain_b(graph, spec)]
    y = "yq" if spec.y_float else "y"
    graph.node("QLinearConv", "c1", inputs, y, conv_attributes(spec))
    if spec.y_float:
        graph.dequantize("d1", y, Pair(ys, yz, spec.y_codes), "y")
    graph.output("y", "float32" if spec.y_float else spec.y_codes, spec.y_shape)


def _plain_b(graph: GraphBuilder, spec: ConvSpec) -> list[str]:
    b = b_array(spec)
    return [] if b is None else [graph.array("b", b)]


def conv_attributes(spec: ConvSpec) -> list[bytes]:
    """What differs from the standard's defaults, and what is written anyway."""
    written = spec.written
    attributes = []
    if "kernel_shape" in written:
        attributes.append(wire.ints("kernel_shape", spec.kernel))
    if spec.groups > 1 or "group" in written:
        attributes.append(wire.integer("group", spec.groups))
    if max(spec.strides) > 1 or "strides" in written:
        attributes.append(wire.ints("strides", spec.strides))
    if max(spec.dilations) > 1 or "dilations" in written:
        attributes.append(wire.ints("dilations", spec.dilations))
    explicit = spec.auto_pad == "NOTSET"
    if not explicit or "auto_pad" in written:
        attributes.append(wire.text("auto_pad", spec.auto_pad))
    if explicit and (any(spec.pads) or "pads" in written):
        attributes.append(wire.ints("pads", spec.pads))
    return attributes


def _qdq(graph: GraphBuilder, spec: ConvSpec) -> None:
    inputs = [_real_x(graph, spec), _real_w(graph, spec), *_real_b(graph, spec)]
    attributes = conv_attributes(spec)
    activated = spec.activation != "none"
    ends_real = spec.missing == "y"
    y = "y" if ends_real and not activated else "c"
    graph.node("Conv", "c1", inputs, y, attributes)
    if activated:
        y = _activate(graph, spec, y, "y" if ends_real else "a")
    if ends_real:
        graph.output("y", "float32", spec.y_shape)
    else:
        _finish(graph, spec, y)
    if spec.shared == "output":
        graph.output("xr", "float32", spec.x_shape)
    if spec.shared == "conv":
        graph.node("Conv", "c2", inputs[:2], "y2", attributes)
        graph.output("y2", "float32", spec.y_shape)


def _real_x(graph: GraphBuilder, spec: ConvSpec) -> str:
    """The Q/DQ chain from the graph's input to the convolution."""
    x = "x"
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


def _real_w(graph: GraphBuilder, spec: ConvSpec) -> str:
    w = graph.array("w", w_array(spec))
    if spec.missing == "w":
        return w
    pair = graph.constant_pair("w", spec.w_dtype, spec.w_scales, spec.w_zero_points)
    return graph.dequantize("dw", w, pair, "wr", spec.w_axis)


def _real_b(graph: GraphBuilder, spec: ConvSpec) -> list[str]:
    """The bias: a real initializer, or int32 codes of scale x_scale * w_scale or its own."""
    plain = _plain_b(graph, spec)
    if not plain or spec.bias == "float":
        return plain
    scales = spec.bias_scales if spec.bias == "own-scale" else product_scales(spec)
    pair = graph.constant_pair("b", "int32", scales, (0,))
    return [graph.dequantize("db", plain[0], pair, "br")]


def product_scales(spec: ConvSpec) -> tuple[float, ...]:
    """``x_scale * w_scale`` in float32, one per entry of ``w_scales``: the bias's usual scale."""
    x_scale = np.float32(spec.x_scale)
    if len(spec.w_scales) == 1:
        return (float(x_scale * np.float32(spec.w_scales[0])),)
    return tuple((np.array(spec.w_scales, np.float32) * x_scale).tolist())


def _activate(graph: GraphBuilder, spec: ConvSpec, real: str, output: str) -> str:
    if spec.activation == "Relu":
        return graph.node("Relu", "a1", [real], output)
    low, high = spec.clip
    if spec.opset < CLIP_INPUTS_OPSET:
        bounds = [wire.real("max", high), wire.real("min", low)]
        return graph.node("Clip", "a1", [real], output, bounds)
    lo, hi = graph.scale("lo", (low,)), graph.scale("hi", (high,))
    return graph.node("Clip", "a1", [real, lo, hi], output)


def _finish(graph: GraphBuilder, spec: ConvSpec, real: str) -> None:
    """The Q/DQ chain from the convolution to the graph's output."""
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
    graph.output("y", "float32" if spec.y_float else spec.y_codes, spec.y_shape)


_FORMS = {"QLinearConv": _qlinear, "QDQ": _qdq}
