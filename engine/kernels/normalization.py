"""Normalizations: BatchNormalization with given statistics; the others compute their own.

All are evaluated in float64 and rounded once; ``stash_type`` asks for less precision and changes
nothing here.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.errors import EngineError, InvalidModel, Unsupported
from engine.ir import Array, Graph, Node
from engine.kernels.elementwise import number, require_float
from engine.kernels.number_types import round_to
from engine.kernels.operator import Kernel, Setting, operator

Normalized = Callable[[Array, Array, Array, Array, Array], Array]
"""(x, scale, bias, mean, variance), which broadcast -> y."""


@dataclass(frozen=True, slots=True)
class BatchParameters:
    """A BatchNormalization, and the graph that it is in."""

    node: Node
    graph: Graph
    epsilon: float


def batch_normalization(node: Node, setting: Setting) -> Kernel:
    """``y = scale * (x - mean) / sqrt(var + epsilon) + bias``, channel by channel (axis 1).

    Shapes:
        ``x`` (N, C, *S); the four parameters (C,) -> ``y`` (N, C, *S).

    Source:
        ONNX BatchNormalization-7 to -15, inference.
    """
    epsilon = number(node, "epsilon", 1e-5)
    if (
        node.attributes.get("training_mode")
        or len(node.outputs) > 1
        or node.attributes.get("spatial", 1) != 1
    ):
        raise Unsupported(
            f"BatchNormalization {node.id!r}: only inference with one mean and variance for each "
            f"channel is supported; export the model for inference"
        )

    p = BatchParameters(node, setting.graph, epsilon)
    normalized = setting.stage("batch.function", function_as_defined)(p, _normalized(epsilon))

    def run(x: Array, scale: Array, bias: Array, mean: Array, variance: Array) -> Array:
        require_float(node, x)
        channels = x.shape[1] if x.ndim > 1 else 1
        shape = (channels, *(1,) * max(x.ndim - 2, 0))
        if any(each.shape != (channels,) for each in (scale, bias, mean, variance)):
            raise EngineError(
                f"BatchNormalization {node.id!r}: parameters of {scale.shape} for {x.shape}"
            )
        own = (each.reshape(shape) for each in (scale, bias, mean, variance))
        return normalized(x, *own)

    return Kernel(run, parameters=p)


def function_as_defined(p: BatchParameters, function: Normalized) -> Normalized:
    """The operator's own function."""
    return function


def _normalized(epsilon: float) -> Normalized:
    """``scale * (x - mean) / sqrt(var + epsilon) + bias``, rounded once."""

    def normalized(x: Array, scale: Array, bias: Array, mean: Array, variance: Array) -> Array:
        factor = scale.astype(np.float64) / np.sqrt(variance.astype(np.float64) + epsilon)
        y = x - mean.astype(np.float64)
        y *= factor
        y += bias
        return round_to(y, x.dtype)

    return normalized


def _centred(x: Array, axes: tuple[int, ...], epsilon: float) -> tuple[Array, Array, Array]:
    """``(x - mean) / sqrt(var + epsilon)`` over axes, the means and the inverse deviations."""
    y = x.astype(np.float64)
    mean = y.mean(axis=axes, keepdims=True)
    y -= mean
    inverse = 1.0 / np.sqrt(np.square(y).mean(axis=axes, keepdims=True) + epsilon)
    y *= inverse
    return y, mean, inverse


def instance_normalization(node: Node, setting: Setting) -> Callable[..., Array]:
    """``y = scale * (x - mean) / sqrt(var + epsilon) + bias`` over each plane of each image.

    Shapes:
        ``x`` (N, C, *S); ``scale`` and ``bias`` (C,) -> ``y`` (N, C, *S).
    """
    epsilon = number(node, "epsilon", 1e-5)

    def run(x: Array, scale: Array, bias: Array) -> Array:
        require_float(node, x)
        y, _, _ = _centred(x, tuple(range(2, x.ndim)), epsilon)
        shape = (-1, *(1,) * (x.ndim - 2))
        y *= scale.reshape(shape)
        y += bias.reshape(shape)
        return round_to(y, x.dtype)

    return run


def group_normalization(node: Node, setting: Setting) -> Callable[..., Array]:
    """``y = scale * (x - mean) / sqrt(var + epsilon) + bias`` over each group of channels.

    Shapes:
        ``x`` (N, C, *S); ``scale`` and ``bias`` (C,), below opset 21 (groups,) -> ``y`` (N, C, *S).
    """
    epsilon, groups = number(node, "epsilon", 1e-5), node.attributes.get("num_groups")
    if not isinstance(groups, int) or groups < 1:
        raise InvalidModel(
            f"GroupNormalization {node.id!r}: num_groups is {groups!r}; it must be 1 or more"
        )

    def run(x: Array, scale: Array, bias: Array) -> Array:
        require_float(node, x)
        if x.ndim < 2 or x.shape[1] % groups:
            raise EngineError(
                f"GroupNormalization {node.id!r}: {groups} groups do not divide {x.shape}"
            )
        grouped = x.reshape(x.shape[0], groups, x.shape[1] // groups, *x.shape[2:])
        y, _, _ = _centred(grouped, tuple(range(2, grouped.ndim)), epsilon)
        per = (groups, -1) if scale.size == x.shape[1] else (groups, 1)
        shape = (*per, *(1,) * (x.ndim - 2))
        y *= scale.reshape(shape)
        y += bias.reshape(shape)
        return round_to(y, x.dtype).reshape(x.shape)

    return run


def layer_normalization(node: Node, setting: Setting) -> Callable[..., Any]:
    """``y = scale * (x - mean) / sqrt(var + epsilon) + bias`` over the axes from ``axis`` on.

    Also gives the means and the inverse deviations, where they are asked for, in float32.
    """
    epsilon, first = number(node, "epsilon", 1e-5), _axis(node)

    def run(x: Array, scale: Array, bias: Array | None = None) -> Any:
        require_float(node, x)
        y, mean, inverse = _centred(x, _axes_from(node, x, first), epsilon)
        y *= scale
        if bias is not None:
            y += bias
        stash = np.float64 if x.dtype == np.float64 else np.float32
        outputs = (round_to(y, x.dtype), mean.astype(stash), inverse.astype(stash))
        return outputs[: len(node.outputs)] if len(node.outputs) > 1 else outputs[0]

    return run


def rms_normalization(node: Node, setting: Setting) -> Callable[..., Array]:
    """``y = scale * x / sqrt(mean(x*x) + epsilon)`` over the axes from ``axis`` on."""
    epsilon, first = number(node, "epsilon", 1e-5), _axis(node)

    def run(x: Array, scale: Array) -> Array:
        require_float(node, x)
        y = x.astype(np.float64)
        squares = np.square(y).mean(axis=_axes_from(node, x, first), keepdims=True)
        y /= np.sqrt(squares + epsilon)
        y *= scale
        return round_to(y, x.dtype)

    return run


def local_response(node: Node, setting: Setting) -> Callable[[Array], Array]:
    """``y = x / (bias + alpha/size * sum of x*x over the nearest size channels)**beta``.

    Source:
        ONNX LRN-1 and -13.
    """
    alpha, beta, bias = (
        number(node, name, default)
        for name, default in (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0))
    )
    size = node.attributes.get("size")
    if not isinstance(size, int) or size < 1:
        raise InvalidModel(f"LRN {node.id!r}: size is {size!r}; it must be 1 or more")

    def run(x: Array) -> Array:
        require_float(node, x)
        squares = np.square(x.astype(np.float64))
        total = np.zeros_like(squares)
        channels = x.shape[1]
        for shift in range(-((size - 1) // 2), math.ceil((size - 1) / 2) + 1):
            low, high = max(0, -shift), min(channels, channels - shift)
            if low < high:
                total[:, low:high] += squares[:, low + shift : high + shift]
        return round_to(x / (bias + alpha / size * total) ** beta, x.dtype)

    return run


def _axis(node: Node) -> int:
    axis = node.attributes.get("axis", -1)
    if not isinstance(axis, int):
        raise InvalidModel(f"{node.op} {node.id!r}: axis must be an integer, got {axis!r}")
    return axis


def _axes_from(node: Node, x: Array, axis: int) -> tuple[int, ...]:
    if not -x.ndim <= axis < x.ndim:
        raise EngineError(f"{node.op} {node.id!r}: axis {axis} of a tensor of rank {x.ndim}")
    return tuple(range(axis % x.ndim, x.ndim))


OPERATORS = (
    operator(
        "BatchNormalization",
        batch_normalization,
        "epsilon momentum spatial training_mode",
        inputs=5,
        outputs=(1, 5),
    ),
    operator("InstanceNormalization", instance_normalization, "epsilon", inputs=3),
    operator(
        "GroupNormalization",
        group_normalization,
        "epsilon num_groups stash_type",
        inputs=3,
        since=18,
    ),
    operator(
        "LayerNormalization",
        layer_normalization,
        "axis epsilon stash_type",
        inputs=(2, 3),
        outputs=(1, 3),
        since=17,
    ),
    operator(
        "RMSNormalization", rms_normalization, "axis epsilon stash_type", inputs=2, since=23
    ),
    operator("LRN", local_response, "alpha beta bias size"),
)
