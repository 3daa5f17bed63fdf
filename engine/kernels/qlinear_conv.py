"""QLinearConv, from ONNX or from a fused Q/DQ Conv: its parameters, and the choice of kernel."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.arithmetic import RANGES
from engine.errors import InvalidModel, Unsupported
from engine.ir import Array, Node
from engine.kernels.blocked import blocked_convolution
from engine.kernels.convolution import Kernel as Convolution
from engine.kernels.convolution import convolution_kernel, plain_convolution, written
from engine.kernels.float_convolution import CONV_ATTRIBUTES, groups_of, window_from
from engine.kernels.operator import Kernel, Setting, operator
from engine.kernels.parameters import ConvParameters
from engine.kernels.stages import correct_stages, multiply_exactly

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


def qlinear_conv(node: Node, setting: Setting) -> Kernel:
    """QLinearConv as a function of its inputs; prepared once where all but x are constants.

    Shapes:
        ``x`` (N, C, *S), ``w`` (M, C/groups, *kernel) -> ``y`` (N, M, *out).

    Source:
        ONNX QLinearConv-10.
    """
    arrays = [setting.constant(name) for name in node.inputs[1:]]
    if all(
        each is not None or not name
        for each, name in zip(arrays, node.inputs[1:], strict=True)
    ):
        kernel = integer_convolution(read_parameters(node, arrays), setting)
        return Kernel(lambda x, *_: kernel.run(x), kernel.kind, kernel.parameters)

    def run(x: Array, *given: Array | None) -> Array:
        kernel = integer_convolution(read_parameters(node, given), setting)
        y: Array = kernel.run(x)
        return y

    return Kernel(run, "QConv")


def integer_convolution(parameters: ConvParameters, setting: Setting) -> Kernel:
    """The blocked kernel (R64), which folds zero points (R53), where its guard lets it; else the plain one."""
    stages = setting.stages
    off = {"R53", "R64"}.intersection(setting.rules_off)
    plain = stages.accumulate is not multiply_exactly or bool(off)
    blocked = not plain and not stages.layout(parameters)
    build = blocked_convolution if blocked else plain_convolution
    kind = "QConvBlocked" if blocked else "QConv"
    whole = stages != correct_stages(setting.profile)  # a fault may look at the image's edges

    def make(p: ConvParameters) -> Convolution:
        return convolution_kernel(p, build(p, stages, setting.profile), whole=whole)

    run = setting.stage("conv.kernel", kernel_as_given)(make, parameters)
    if parameters.table is None:
        return Kernel(written(run, parameters, setting), kind, parameters)
    look_up = setting.stage("conv.table", look_up_codes)
    looked_up = written(lambda x: look_up(run(x), parameters), parameters, setting)
    return Kernel(looked_up, kind, parameters)


def kernel_as_given(
    make: Callable[[ConvParameters], Convolution], p: ConvParameters
) -> Convolution:
    """``x -> y`` with the parameters of the node."""
    return make(p)


def look_up_codes(codes: Array, p: ConvParameters) -> Array:
    """``table[q - qmin]``, R03."""
    assert p.table is not None
    found: Array = p.table[codes.astype(np.int16) - RANGES[p.y_dtype][0]]
    return found


def read_parameters(node: Node, arrays: Sequence[Array | None]) -> ConvParameters:
    """The record of one convolution; ``arrays`` are the node's inputs without x.

    A fused node also has the attributes ``activation``, ``low``, ``high`` (bounds in codes) and
    ``bias_scales``.

    Raises:
        InvalidModel: a scale that is not positive and finite, types or lengths that do not match.
        Unsupported: codes wider than 8 bits.

    Source:
        ONNX QLinearConv-10.
    """
    x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero = _present(node, arrays)
    bias = arrays[7] if len(arrays) > 7 else None
    groups = groups_of(node, w)
    x = _affine(node, "x", x_scale, x_zero, 1)
    weights = _affine(node, "w", w_scale, w_zero, len(w))
    y = _affine(node, "y", y_scale, y_zero, 1)
    if w.dtype != weights.dtype:
        raise InvalidModel(
            f"QLinearConv {node.id!r}: w is {w.dtype}, w_zero_point {weights.dtype}; they must agree"
        )
    if bias is not None and (bias.dtype != np.int32 or bias.shape != w.shape[:1]):
        raise InvalidModel(
            f"QLinearConv {node.id!r}: B is {bias.dtype} {bias.shape}; it must be int32 ({len(w)},)"
        )
    extra: Mapping[str, Any] = node.attributes
    bottom, top = RANGES[y.dtype]
    return ConvParameters(
        node=node.id,
        x_dtype=x.dtype,
        x_scale=x.scale[0],
        x_zero_point=int(x.zero_point[0]),
        w=w,
        w_scales=weights.scale,
        w_zero_points=weights.zero_point,
        y_dtype=y.dtype,
        y_scale=y.scale[0],
        y_zero_point=int(y.zero_point[0]),
        bias=bias,
        bias_scales=extra.get("bias_scales"),
        groups=groups,
        window=window_from(node, w.shape[2:]),
        activation=extra.get("activation", ""),
        low=extra.get("low", bottom),
        high=extra.get("high", top),
        table=extra.get("table"),
        table_zero_point=extra.get("table_zero_point"),
        table_of=extra.get("table_of", ""),
        bounds=extra.get("bounds", (-np.inf, np.inf)),
    )


def _present(node: Node, arrays: Sequence[Array | None]) -> list[Array]:
    found = []
    for name, array in zip(_NAMES[1:8], arrays, strict=False):
        if array is None:
            raise InvalidModel(f"QLinearConv {node.id!r} has no {name}; it is required")
        found.append(array)
    return found


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


OPERATORS = (operator("QLinearConv", qlinear_conv, CONV_ATTRIBUTES, inputs=(8, 9)),)
