"""Integer convolution, plain layout (N, C, *S); and the choice between it and the blocked one."""

from collections.abc import Callable
from functools import lru_cache, partial

import numpy as np

from engine.errors import EngineError
from engine.ir import Array
from engine.kernels.operator import Run, Setting
from engine.kernels.parameters import ConvParameters
from engine.kernels.stages import Stages
from engine.kernels.strips import Piece, in_strips
from engine.profiles import Profile, Requantization, Rescaling

Kernel = Callable[[Array], Array]
Finish = Callable[[Array], Array]
Write = Callable[[Array, Array, ConvParameters], Array]
"""(y, x, parameters) -> what of y is written, (N, M, *out)."""


SHAPES = 8
"""Image sizes whose geometry a kernel remembers."""


def convolution_kernel(p: ConvParameters, piece: Piece, *, whole: bool) -> Kernel:
    """A convolution as a function of the input codes, in strips unless it must be in one piece.

    Shapes:
        ``x`` (N, C, *S) -> ``y`` (N, M, *out).

    Raises:
        EngineError: the input does not fit the weights.
    """
    resolve = lru_cache(SHAPES)(partial(p.window.resolve, node=p.node))

    def run(x: Array) -> Array:
        check_input(x, p)
        pads, out = resolve(x.shape[2:])
        if whole or 0 in out or not x.size:
            return piece(x, pads, out)
        return in_strips(p, piece, x, pads, out)

    return run


def plain_convolution(p: ConvParameters, stages: Stages, profile: Profile) -> Piece:
    """``y = sat(rne(acc * xs*ws/ys) + yz)``, eq. (5), of an image or a strip of it.

    Units:
        Codes; bit-exact in the arithmetic of the profile.

    Source:
        ONNX QLinearConv-10.
    """
    accumulate, border = stages.accumulate(p, stages.weights(p)), stages.border(p)
    column = (-1, 1)
    scale, bias = stages.scales(p), stages.bias(p)
    rescaling = prepare_rescaling(
        p,
        stages,
        profile,
        lanes(scale, column),
        None if bias is None else bias.reshape(column),
    )
    finish = finisher(p, stages, rescaling)

    def piece(x: Array, pads: tuple[int, ...], out: tuple[int, ...]) -> Array:
        padded, zero_point = stages.pad(x, p, pads, border)
        codes = finish(accumulate(padded, zero_point, pads, out))
        return codes.reshape(x.shape[0], p.out_channels, *out)

    return piece


def write_all(y: Array, x: Array, p: ConvParameters) -> Array:
    """Every element of y, as computed from x."""
    return y


def written(run: Run, p: ConvParameters, setting: Setting) -> Run:
    """A convolution whose output is written by the stage ``conv.write``."""
    write = setting.stage("conv.write", write_all)
    if write is write_all:
        return run
    return lambda x, *others: write(run(x, *others), x, p)


def lanes(values: Array, shape: tuple[int, ...]) -> Array:
    """One value as a scalar, several spread over the channel axis of the sums."""
    return values.reshape(()) if values.size == 1 else values.reshape(shape)


def prepare_rescaling(
    p: ConvParameters, stages: Stages, profile: Profile, scale: Array, bias: Array | None
) -> Rescaling:
    """The profile's constants for scales and biases laid out like the sums."""
    given = Requantization(
        x_scale=p.x_scale,
        w_scale=scale,
        y_scale=p.y_scale,
        y_zero_point=p.y_zero_point,
        bias=bias,
        per_channel=p.w_scales.size > 1 or p.w_zero_points.size > 1,
        groups=p.groups,
        in_per_group=p.in_per_group,
        out_per_group=p.out_per_group,
        y_signed=p.y_dtype == np.int8,
    )
    return stages.rescaling(profile.prepare, given, p)


def finisher(p: ConvParameters, stages: Stages, rescaling: Rescaling) -> Finish:
    """Sums to codes: bias, rescale, round, saturate, activate."""
    bias, offset = rescaling.bias, rescaling.offset
    rounding, steps = stages.round, rescaling.steps
    to_codes = stages.to_codes(p, offset, stages.saturate)

    def finish(acc: Array) -> Array:
        if bias is not None:
            acc = acc + bias
        codes = to_codes(rounding(steps(acc), offset))
        return stages.activate(codes, p) if p.activation else codes

    return finish


def check_input(x: Array, p: ConvParameters) -> None:
    """Refuses codes of another type, rank or number of channels than the weights are for."""
    if x.dtype != p.x_dtype:
        raise EngineError(
            f"{p.node}: input codes are {x.dtype}, its zero point is {p.x_dtype}"
        )
    if x.ndim != p.w.ndim:
        raise EngineError(f"{p.node}: input of rank {x.ndim}, weights of rank {p.w.ndim}")
    if x.shape[1] != p.in_channels:
        raise EngineError(
            f"{p.node}: input has {x.shape[1]} channels, the weights are for {p.in_channels} "
            f"({p.groups} groups of {p.w.shape[1]})"
        )
