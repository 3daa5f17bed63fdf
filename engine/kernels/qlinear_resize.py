"""QLinearResize: linear interpolation of codes with one rounding; only fusion makes it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.arithmetic import RANGES, round_half_even
from engine.errors import EngineError
from engine.ir import Array, Node
from engine.kernels.operator import INTERNAL, Kernel, Setting, operator
from engine.kernels.resize import ATTRIBUTES, axes_of_resize, interpolate, read_interpolation


@dataclass(frozen=True, slots=True)
class ResizeParameters:
    """One linear Resize between D and Q: scales, zero points and types of x and y."""

    node: str
    x_scale: float
    x_zero_point: int
    x_dtype: np.dtype[Any]
    y_scale: float
    y_zero_point: int
    y_dtype: np.dtype[Any]


def centre(codes: Array, p: ResizeParameters) -> Array:
    """``q - xz``, float64."""
    return codes.astype(np.float64) - p.x_zero_point


def rescale(sums: Array, p: ResizeParameters) -> Array:
    """``sum W (q - xz) * xs / ys``, float64."""
    steps: Array = sums * (p.x_scale / p.y_scale)
    return steps


def saturate_steps(steps: Array, p: ResizeParameters) -> Array:
    """Whole steps clipped to those of the lowest and the highest code."""
    low, high = (each - p.y_zero_point for each in RANGES[p.y_dtype])
    clipped: Array = np.clip(steps, low, high)
    return clipped


def qlinear_resize(node: Node, setting: Setting) -> Callable[..., Array] | Kernel:
    """``y = sat(rne(sum W (q - xz) * xs/ys) + yz)``; inputs x, its parameters, y's, those of Resize.

    Source:
        ONNX Resize-19, linear; evaluated in float64.
    """
    how = read_interpolation(node, setting.graph.opset)
    arrays = [setting.constant(name) for name in node.inputs[1:5]]
    if any(each is None for each in arrays):
        raise EngineError(
            f"QLinearResize {node.id!r}: scales and zero points must be constants"
        )
    xs, xz, ys, yz = (np.asarray(each).reshape(()) for each in arrays)
    p = ResizeParameters(node.id, float(xs), int(xz), xz.dtype, float(ys), int(yz), yz.dtype)
    stages = [
        setting.stage("resize.centre", centre),
        setting.stage("resize.rescale", rescale),
    ]
    rounding = setting.stage("resize.round", round_half_even)
    clipped = setting.stage("resize.saturate", saturate_steps)

    def run(x: Array, *given: Array | None) -> Array:
        roi, scales, sizes = (*given[4:], None, None, None)[:3]
        scales = None if scales is None or not scales.size else scales
        axes = axes_of_resize(node, x, how, roi, scales, sizes)
        sums = interpolate(node, stages[0](x, p), axes, how)
        steps = clipped(rounding(stages[1](sums, p)), p)
        return (steps + p.y_zero_point).astype(p.y_dtype)

    return Kernel(run, parameters=p)


OPERATORS = (
    operator("QLinearResize", qlinear_resize, ATTRIBUTES, inputs=(5, 8), domains=INTERNAL),
)
