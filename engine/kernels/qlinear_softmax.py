"""Softmax of codes.

Stages, each a pure function that a fault may replace: ``parameters``, then along (which elements make
a row) -> steps -> round -> saturate.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.arithmetic import RANGES, round_half_even
from engine.errors import InvalidModel
from engine.ir import Array, Node
from engine.kernels.operator import CONTRIB, Kernel, Setting, operator
from engine.kernels.qlinear_parameters import (
    code_type,
    constants_of,
    read_scale,
    read_zero_point,
    require_codes,
    require_inputs,
)
from engine.kernels.softmax import along, axis_of
from engine.profiles import saturate

Dtype = np.dtype[Any]


@dataclass(frozen=True, slots=True)
class SoftmaxParameters:
    """Everything a load reads from one node; ``coerced`` is the two-dimensional form below 13."""

    node: str
    dtype: Dtype
    x_scale: np.float32
    x_zero_point: int
    y_scale: np.float32
    y_zero_point: int
    axis: int
    coerced: bool


def softmax_codes(node: Node, setting: Setting) -> Kernel:
    """``y = sat(rne(exp(x) / sum exp(x) / ys) + yz)``, x the dequantized codes.

    The zero point of x cancels. ``opset`` says what ``axis`` means, as in Softmax of that opset.

    Source:
        com.microsoft QLinearSoftmax.
    """
    require_inputs(node, (0, 1, 3))
    arrays = constants_of(node, setting, range(1, 5))
    if arrays is not None and code_type(node, (arrays[1], arrays[3])):
        parameters = read_softmax(node, arrays, None)
        prepared = softmax_kernel(node, parameters, setting)
        return Kernel(lambda x, *_: prepared(x), "", parameters)

    def run(x: Array, *given: Array | None) -> Array:
        padded = [*given, None, None][:4]
        return softmax_kernel(node, read_softmax(node, padded, x), setting)(x)

    return Kernel(run)


def read_softmax(node: Node, arrays: list[Array | None], x: Array | None) -> SoftmaxParameters:
    """The record of one node; ``arrays`` are scale and zero point of the input and the output.

    Raises:
        InvalidModel: no opset; scales or zero points that are missing, of another type or not one
            each.
        Unsupported: codes that are neither int8 nor uint8.
    """
    opset = node.attributes.get("opset")
    if not isinstance(opset, int):
        raise InvalidModel(
            f"QLinearSoftmax {node.id!r} has no opset; opset must be an integer"
        )
    x_scale, x_zero_point, y_scale, y_zero_point = arrays
    dtype = code_type(node, (y_zero_point, x_zero_point, x))
    assert dtype is not None
    return SoftmaxParameters(
        node.id,
        dtype,
        read_scale(node, "input", x_scale),
        read_zero_point(node, "input", x_zero_point, dtype),
        read_scale(node, "output", y_scale),
        read_zero_point(node, "output", y_zero_point, dtype),
        axis_of(node, -1),  # whatever the opset
        opset < 13,
    )


def parameters_as_given(p: SoftmaxParameters) -> SoftmaxParameters:
    """The record as it was read."""
    return p


def saturate_steps(steps: Array, p: SoftmaxParameters) -> Array:
    """Whole steps clipped to those of the lowest and the highest code."""
    bottom, top = RANGES[p.dtype]
    return saturate(steps, bottom - p.y_zero_point, top - p.y_zero_point)


def softmax_kernel(
    node: Node, parameters: SoftmaxParameters, setting: Setting
) -> Callable[[Array], Array]:
    """The prepared operation as a function of its codes."""
    p = setting.stage("softmax.parameters", parameters_as_given)(parameters)
    steps = setting.stage("softmax.steps", setting.profile.elementwise.softmax)
    to_integers = setting.stage("softmax.round", round_half_even)
    clipped = setting.stage("softmax.saturate", saturate_steps)

    def rows(codes: Array) -> Array:
        unrounded = steps(codes, p.x_scale, p.y_scale, p.y_zero_point, p.dtype.kind == "i")
        return clipped(to_integers(unrounded), p) + p.y_zero_point

    def run(x: Array) -> Array:
        require_codes(node, (x,), p.dtype)
        return along(node, x, p.axis, p.coerced, rows)

    return run


OPERATORS = (
    operator("QLinearSoftmax", softmax_codes, "axis opset", inputs=(2, 5), domains=CONTRIB),
)
