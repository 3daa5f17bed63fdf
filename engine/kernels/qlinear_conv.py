"""QLinearConv to ``ConvParameters``; and what it shares with a fused Q/DQ Conv."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.arithmetic import RANGES
from engine.errors import InvalidModel, Unsupported
from engine.ir import Array, Graph, Node
from engine.kernels.float_convolution import groups_of, window_from
from engine.kernels.parameters import ConvParameters

_NAMES = (
    "x",
    "x_scale",
    "x_zero_point",
    "w",
    "w_scale",
    "w_zero_point",
    "y_scale",
    "y_zero_point",
    "B",
)


@dataclass(frozen=True, slots=True)
class Affine:
    """Scales and zero points of one tensor, flat, with the type of its codes, eq. (1)."""

    scale: Array
    zero_point: Array

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the codes."""
        return self.zero_point.dtype


@dataclass(frozen=True, slots=True)
class Activation:
    """What follows the convolution: an ONNX operator, and its bounds in output codes."""

    op: str
    low: int
    high: int


def conv_parameters(
    node: Node,
    x: Affine,
    w: Array,
    w_affine: Affine,
    y: Affine,
    *,
    bias: Array | None,
    bias_scales: Array | None = None,
    activation: Activation | None = None,
) -> ConvParameters:
    """The record of one convolution, from checked parts; ``node`` has the geometry attributes."""
    groups = groups_of(node, w)
    bottom, top = RANGES[y.dtype]
    return ConvParameters(
        node=node.id,
        x_dtype=x.dtype,
        x_scale=x.scale[0],
        x_zero_point=int(x.zero_point[0]),
        w=w,
        w_scales=w_affine.scale,
        w_zero_points=w_affine.zero_point,
        y_dtype=y.dtype,
        y_scale=y.scale[0],
        y_zero_point=int(y.zero_point[0]),
        bias=bias,
        bias_scales=bias_scales,
        groups=groups,
        window=window_from(node, w.shape[2:]),
        activation=activation.op if activation else "",
        low=activation.low if activation else bottom,
        high=activation.high if activation else top,
    )


def read_qlinear_conv(node: Node, graph: Graph) -> ConvParameters:
    """The parameters of a QLinearConv, all of which must be constants.

    Raises:
        InvalidModel: a scale that is not positive and finite, types or lengths that do not match.
        Unsupported: parameters that are computed, codes wider than 8 bits.

    Source:
        ONNX QLinearConv-10.
    """
    count = len(node.inputs)
    if not 8 <= count <= 9:
        raise InvalidModel(
            f"QLinearConv {node.id!r} has {count} inputs; it takes 8, or 9 with a bias"
        )
    arrays = [_constant(node, graph, i) for i in range(1, 8)]
    x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero = arrays
    groups_of(node, w)
    x = _affine(node, "x", x_scale, x_zero, 1)
    weights = _affine(node, "w", w_scale, w_zero, len(w))
    y = _affine(node, "y", y_scale, y_zero, 1)
    if w.dtype != weights.dtype:
        raise InvalidModel(
            f"QLinearConv {node.id!r}: w is {w.dtype}, w_zero_point {weights.dtype}; they must agree"
        )
    bias = _constant(node, graph, 8) if node.input(8) else None
    if bias is not None and (bias.dtype != np.int32 or bias.shape != w.shape[:1]):
        raise InvalidModel(
            f"QLinearConv {node.id!r}: B is {bias.dtype} {bias.shape}; it must be int32 ({len(w)},)"
        )
    return conv_parameters(node, x, w, weights, y, bias=bias)


def _constant(node: Node, graph: Graph, index: int) -> Array:
    name = node.inputs[index]
    array = graph.constants.get(name)
    if array is None:
        raise Unsupported(
            f"QLinearConv {node.id!r}: {_NAMES[index]} ({name!r}) is computed; make it an initializer"
        )
    return array


def _affine(node: Node, name: str, scale: Array, zero_point: Array, channels: int) -> Affine:
    if scale.dtype != np.float32:
        raise InvalidModel(
            f"QLinearConv {node.id!r}: {name}_scale is {scale.dtype}, not float32"
        )
    if zero_point.dtype not in RANGES:
        raise Unsupported(
            f"QLinearConv {node.id!r}: {name}_zero_point is {zero_point.dtype}; only int8 and uint8 "
            f"codes are supported"
        )
    for each, what in ((scale, "scale"), (zero_point, "zero_point")):
        if each.size not in (1, channels) or each.ndim > 1:
            raise InvalidModel(
                f"QLinearConv {node.id!r}: {name}_{what} has shape {each.shape}; it must hold "
                f"{'1 or ' if channels > 1 else ''}{channels} element(s)"
            )
    if problem := scale_problem(scale):
        raise InvalidModel(f"QLinearConv {node.id!r}: {name}_scale {problem}")
    return Affine(scale.reshape(-1), zero_point.reshape(-1))


def scale_problem(scale: Array) -> str:
    """Why these scales are no scales, ``""`` where they all are positive and finite."""
    if scale.size == 1:
        if 0 < scale.item() < np.inf:
            return ""
    elif scale.min() > 0 and scale.max() < np.inf:
        return ""
    bad = scale.reshape(-1)[~((scale.reshape(-1) > 0) & (scale.reshape(-1) < np.inf))][0]
    return f"is {bad}; a scale must be positive and finite"
