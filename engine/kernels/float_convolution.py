"""Conv in float32: what a graph runs where nothing is fused."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine.errors import EngineError, InvalidModel, Unsupported
from engine.ir import Array, Node
from engine.kernels.geometry import Window, columns, integers, pad_spatial
from engine.kernels.known_shape import known_shape
from engine.kernels.operator import Kernel, Setting, operator

ReadImage = Callable[[Array, tuple[int, ...]], Array]
"""(image, the pads that are put around it) -> the image that is read."""
AUTO_PADS = ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")


def window_from(node: Node, kernel: tuple[int, ...]) -> Window:
    """The geometry attributes of Conv, QLinearConv or MaxPool, checked.

    Raises:
        InvalidModel: an attribute of the wrong length or sign, or an unknown ``auto_pad``.
    """
    count = len(kernel)
    given = node.attributes.get("kernel_shape")
    if given is not None and given != kernel:
        raise InvalidModel(
            f"{node.op} {node.id!r}: kernel_shape is {given}, the weights have {kernel}"
        )
    auto_pad = node.attributes.get("auto_pad", "NOTSET")
    if auto_pad not in AUTO_PADS:
        raise InvalidModel(
            f"{node.op} {node.id!r}: auto_pad is {auto_pad!r}, not one of {AUTO_PADS}"
        )
    strides = integers(node, "strides", count, 1)
    dilations = integers(node, "dilations", count, 1)
    if min(kernel + strides + dilations) < 1:
        raise InvalidModel(
            f"{node.op} {node.id!r}: kernel {kernel}, strides {strides} and dilations {dilations} "
            f"must be positive"
        )
    return Window(
        kernel, strides, dilations, integers(node, "pads", 2 * count, 0), str(auto_pad)
    )


def groups_of(node: Node, w: Array) -> int:
    """The group attribute, checked against the weights (M, C/groups, *kernel).

    Raises:
        InvalidModel: no spatial axis, no channels, or M no multiple of the groups.
    """
    if not 3 <= w.ndim <= 5 or 0 in w.shape:
        raise InvalidModel(
            f"{node.op} {node.id!r}: weights of shape {w.shape}; need 1 to 3 spatial axes"
        )
    groups = node.attributes.get("group", 1)
    if not isinstance(groups, int) or groups < 1 or w.shape[0] % groups:
        raise InvalidModel(
            f"{node.op} {node.id!r}: {w.shape[0]} output channels in {groups} groups"
        )
    return groups


@dataclass(frozen=True, slots=True)
class RealConvParameters:
    """One Conv of reals whose weights have a shape that the graph fixes.

    ``computed`` says that what it reads is made by another operator.
    """

    node: str
    window: Window
    groups: int
    out_channels: int
    computed: bool


def convolution(node: Node, setting: Setting) -> Kernel:
    """``y = sum x * w + b`` in any summation order; float16 is summed in float32.

    Shapes:
        ``x`` (N, C, *S), ``w`` (M, C/groups, *kernel), ``b`` (M,) -> ``y`` (N, M, *out).

    Source:
        ONNX Conv-1, -11, -22.
    """
    pad = setting.stage("real_conv.pad", pad_with_zeros)
    p = _parameters(node, setting)
    read = setting.stage("real_conv.image", image_as_given)(p)

    def run(x: Array, w: Array, b: Array | None = None) -> Array:
        wide = _compute_type(node, x, w, b)
        groups = groups_of(node, w)
        _check_shapes(node, x, w, b, groups)
        window = window_from(node, w.shape[2:])
        pads, out = window.resolve(x.shape[2:], node.id)
        image = read(x.astype(wide, copy=False), pads)
        padded = pad(image, pads, window)
        matrix = w.astype(wide, copy=False).reshape(
            groups, w.shape[0] // groups, math.prod(w.shape[1:])
        )
        sums: Array = np.matmul(matrix, columns(padded, window, out, groups))
        y = sums.reshape(x.shape[0], w.shape[0], *out)
        if b is not None:
            y += b.reshape(-1, *(1,) * len(out))
        return y.astype(x.dtype, copy=False)

    return Kernel(run, parameters=p)


def image_as_given(p: RealConvParameters | None) -> ReadImage:
    """The image as it comes, in front of its pads."""
    return lambda image, pads: image


def pad_with_zeros(image: Array, pads: tuple[int, ...], window: Window) -> Array:
    """The image with a border of zeros, C-contiguous."""
    return pad_spatial(image, pads, 0) if any(pads) else np.ascontiguousarray(image)


def _parameters(node: Node, setting: Setting) -> RealConvParameters | None:
    shape = known_shape(setting.graph, node.inputs[1])
    if shape is None or len(shape) < 3:
        return None
    computed = any(node.inputs[0] in each.outputs for each in setting.graph.nodes)
    groups = node.attributes.get("group", 1)
    given = groups if isinstance(groups, int) else 1
    window = window_from(node, shape[2:])
    return RealConvParameters(node.id, window, given, shape[0], computed)


def _compute_type(node: Node, *arrays: Array | None) -> np.dtype[np.generic]:
    """The one floating-point type of all operands, widened to float32."""
    dtypes = {each.dtype for each in arrays if each is not None}
    dtype = next(iter(dtypes))
    if len(dtypes) > 1 or dtype.kind != "f":
        names = ", ".join(sorted(map(str, dtypes)))
        raise Unsupported(
            f"{node.op} {node.id!r}: {names} data; it takes one floating-point type"
        )
    return np.promote_types(dtype, np.float32)


def _check_shapes(node: Node, x: Array, w: Array, b: Array | None, groups: int) -> None:
    if x.ndim != w.ndim or x.shape[1] != w.shape[1] * groups:
        raise EngineError(
            f"Conv {node.id!r}: input of shape {x.shape}, weights {w.shape} in {groups} groups"
        )
    if b is not None and b.shape != (w.shape[0],):
        raise EngineError(
            f"Conv {node.id!r}: bias of shape {b.shape} for {w.shape[0]} channels"
        )


CONV_ATTRIBUTES = "auto_pad dilations group kernel_shape pads strides"

OPERATORS = (operator("Conv", convolution, CONV_ATTRIBUTES, inputs=(2, 3)),)
