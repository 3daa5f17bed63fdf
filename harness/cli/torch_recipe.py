"""The convolution of a case as ``torch.ops.quantized`` is asked for it, for ``repro.py``."""

import numpy as np
import onnx

from corpus.case import Array, Case
from harness.backends.torch_pattern import Affine, Convolution, convolution, padding
from reports.repro import TorchConv


def torch_conv(engine: str, case: Case) -> TorchConv:
    """Every literal that the script needs; the case is one that the torch backends take.

    Raises:
        Limit: it is not.
    """
    found = convolution(case.model)
    weight, bias, bias_scales = _constants(case.proto().graph, found)
    x_shift, y_shift = _shift(found.x), _shift(found.y)
    w_shift = -128 if found.weights.dtype == np.uint8 else 0
    spatial = found.weights.ndim - 2
    given = found.attributes
    image = case.inputs[found.input].shape[2:]
    return TorchConv(
        engine=engine,
        input=found.input,
        output=found.output,
        weight=weight,
        x_scale=_only(found.x.scale),
        x_zero_point=int(found.x.zero_point[0]) + x_shift,
        w_scales=_each(found, found.w.scale),
        w_zero_points=tuple(int(each) + w_shift for each in _each(found, found.w.zero_point)),
        y_scale=_only(found.y.scale),
        y_zero_point=int(found.y.zero_point[0]) + y_shift,
        strides=tuple(given.get("strides", [1] * spatial)),
        pads=tuple(padding(given, image, found.weights.shape[2:])),
        dilations=tuple(given.get("dilations", [1] * spatial)),
        groups=int(given.get("group", 1)),
        x_shift=x_shift,
        w_shift=w_shift,
        y_shift=y_shift,
        bias=bias,
        bias_scales=bias_scales,
        relu=found.is_relu,
        quantize_dtype=found.quantize.zero_point.dtype.name if found.quantize else "",
        dequantized=found.dequantize is not None,
        quantize=_edge(found.quantize),
        dequantize=_edge(found.dequantize),
    )


def _constants(
    graph: onnx.GraphProto, found: Convolution
) -> tuple[str, str, tuple[float, ...]]:
    """Names of the weight and bias initializers, and the real unit of the bias codes."""
    makers = {name: node for node in graph.node for name in node.output}
    conv = next(node for node in graph.node if node.op_type in ("QLinearConv", "Conv"))
    unit = tuple(float(each) for each in found.x.scale.astype(np.float64) * found.w.scale)
    if conv.op_type == "QLinearConv":
        return conv.input[3], conv.input[8] if len(conv.input) > 8 else "", unit
    weight = makers[conv.input[1]].input[0]
    if found.bias is None:
        return weight, "", ()
    quantized = makers.get(conv.input[2])
    return (weight, quantized.input[0], unit) if quantized else (weight, conv.input[2], (1.0,))


def _each(found: Convolution, values: Array) -> tuple[float, ...]:
    """One value for all channels, or one for each where scale or zero point has several."""
    several = max(found.w.scale.size, found.w.zero_point.size)
    return tuple(np.broadcast_to(values, several).tolist())


def _edge(affine: Affine | None) -> tuple[float, int] | None:
    return (_only(affine.scale), int(affine.zero_point[0])) if affine else None


def _only(scale: Array) -> float:
    return float(scale[0])


def _shift(affine: Affine) -> int:
    return 128 if affine.zero_point.dtype == np.int8 else 0
