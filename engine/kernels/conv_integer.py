"""ConvInteger: the int32 sums of a convolution of codes."""

import numpy as np

from engine.arithmetic import RANGES
from engine.errors import InvalidModel, Unsupported
from engine.ir import Array, Node
from engine.kernels.convolution import check_input, written
from engine.kernels.float_convolution import CONV_ATTRIBUTES, groups_of, window_from
from engine.kernels.operator import Kernel, Run, Setting, operator
from engine.kernels.parameters import ConvParameters

_ONE = np.float32(1)


def conv_integer(node: Node, setting: Setting) -> Kernel:
    """``y = sum (x - xz)(w - wz)``, int32, as a function of ``(x, w[, xz[, wz]])``.

    Shapes:
        ``x`` (N, C, *S), ``w`` (M, C/groups, *kernel), ``wz`` () or (M,) -> ``y`` (N, M, *out).

    Source:
        ONNX ConvInteger-10.
    """
    names = [node.input(i) for i in (1, 2, 3)]
    arrays = [setting.constant(name) for name in names]
    if all(each is not None or not name for each, name in zip(arrays, names, strict=True)):
        w, x_zero, w_zero = arrays
        if x_zero is not None and w is not None:
            p = parameters_of(node, x_zero.dtype, w, x_zero, w_zero)
            fixed = written(sums_of(p, setting), p, setting)
            return Kernel(lambda x, *_: fixed(x), parameters=p)

    def run(
        x: Array, w: Array, x_zero: Array | None = None, w_zero: Array | None = None
    ) -> Array:
        p = parameters_of(node, x.dtype, w, x_zero, w_zero)
        y: Array = written(sums_of(p, setting), p, setting)(x)
        return y

    return Kernel(run)


def sums_of(p: ConvParameters, setting: Setting) -> Run:
    """The sums of a convolution, as a function of the input codes."""
    stages = setting.stages
    accumulate, border = stages.accumulate(p, stages.weights(p)), stages.border(p)

    def run(x: Array) -> Array:
        check_input(x, p)
        pads, out = p.window.resolve(x.shape[2:], p.node)
        padded, zero_point = stages.pad(x, p, pads, border)
        sums = accumulate(padded, zero_point, pads, out)
        return sums.reshape(x.shape[0], p.out_channels, *out)

    return run


def parameters_of(
    node: Node,
    dtype: np.dtype[np.generic],
    w: Array,
    x_zero: Array | None,
    w_zero: Array | None,
) -> ConvParameters:
    """The record of one ConvInteger; scales are 1 and there is no output code.

    Raises:
        InvalidModel: types or lengths that do not match.
        Unsupported: codes wider than 8 bits.
    """
    x_zero = np.zeros((), dtype) if x_zero is None else x_zero
    w_zero = np.zeros((), w.dtype) if w_zero is None else w_zero
    for each, what in ((x_zero, "x"), (w_zero, "w"), (w, "w")):
        if each.dtype not in RANGES:
            raise Unsupported(
                f"ConvInteger {node.id!r}: {what} codes of type {each.dtype}; it takes int8 and uint8"
            )
    groups = groups_of(node, w)
    if x_zero.size != 1 or w_zero.size not in (1, len(w)) or w_zero.dtype != w.dtype:
        raise InvalidModel(
            f"ConvInteger {node.id!r}: zero points {x_zero.shape} of x and {w_zero.dtype} "
            f"{w_zero.shape} of w; they must be one, and one or {len(w)} {w.dtype}"
        )
    low, high = RANGES[x_zero.dtype]
    return ConvParameters(
        node=node.id,
        x_dtype=x_zero.dtype,
        x_scale=_ONE,
        x_zero_point=int(x_zero.item()),
        w=w,
        w_scales=np.ones(1, np.float32),
        w_zero_points=w_zero.reshape(-1),
        y_dtype=x_zero.dtype,
        y_scale=_ONE,
        y_zero_point=0,
        bias=None,
        bias_scales=None,
        groups=groups,
        window=window_from(node, w.shape[2:]),
        activation="",
        low=low,
        high=high,
        ending="none",
    )


OPERATORS = (operator("ConvInteger", conv_integer, CONV_ATTRIBUTES, inputs=(2, 4), since=10),)
