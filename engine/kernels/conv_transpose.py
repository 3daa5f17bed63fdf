"""ConvTranspose, in float and on codes: a convolution of a stretched image.

The transposed convolution with stride s is the convolution with stride 1 of the image with s - 1 zeros
between its pixels and d (k - 1) - pad zeros around it, by the weights turned about. On codes a zero is
the code of the zero point.
"""

import math
from dataclasses import dataclass

import numpy as np

from engine.errors import EngineError, InvalidModel
from engine.ir import Array, Graph, Node
from engine.kernels.codes_before import CodesBefore, codes_before
from engine.kernels.float_convolution import AUTO_PADS, CONV_ATTRIBUTES
from engine.kernels.geometry import Window, columns, integers
from engine.kernels.operator import INTERNAL, Kernel, Setting, operator
from engine.kernels.parameters import ConvParameters
from engine.kernels.qlinear_conv import integer_convolution, read_parameters
from engine.kernels.shape import checked_shape

ATTRIBUTES = f"{CONV_ATTRIBUTES} output_padding output_shape"


@dataclass(frozen=True, slots=True)
class Stretch:
    """The geometry of a transposed convolution, one entry for each spatial axis."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[int, ...]
    output_padding: tuple[int, ...]
    output_shape: tuple[int, ...]
    auto_pad: str

    @property
    def window(self) -> Window:
        """Of the plain convolution that follows."""
        count = len(self.kernel)
        return Window(self.kernel, (1,) * count, self.dilations, (0,) * (2 * count), "NOTSET")


def read_stretch(node: Node, kernel: tuple[int, ...]) -> Stretch:
    """The geometry attributes of a ConvTranspose, checked.

    Raises:
        InvalidModel: an attribute of the wrong length or sign, or an unknown ``auto_pad``.
    """
    count = len(kernel)
    auto_pad = str(node.attributes.get("auto_pad", "NOTSET"))
    given = node.attributes.get("kernel_shape", kernel)
    if auto_pad not in AUTO_PADS or given != kernel:
        raise InvalidModel(
            f"{node.op} {node.id!r}: auto_pad {auto_pad!r}, kernel_shape {given} for weights {kernel}"
        )
    shape = node.attributes.get("output_shape", ())
    wanted = (
        tuple(int(n) for n in shape)[-count:] if isinstance(shape, tuple) and shape else ()
    )
    stretch = Stretch(
        kernel,
        integers(node, "strides", count, 1),
        integers(node, "dilations", count, 1),
        integers(node, "pads", 2 * count, 0),
        integers(node, "output_padding", count, 0),
        wanted,
        auto_pad,
    )
    if min(stretch.kernel + stretch.strides + stretch.dilations) < 1:
        raise InvalidModel(
            f"{node.op} {node.id!r}: kernel, strides and dilations must be positive"
        )
    return stretch


@dataclass(frozen=True, slots=True, kw_only=True)
class TransposeParameters(ConvParameters):
    """A transposed convolution: that of the stretched image, and how it is stretched."""

    stretch: Stretch


Borders = tuple[tuple[int, int], ...]
"""Zeros before and behind each stretched axis."""


def borders(node: Node, image: tuple[int, ...], s: Stretch) -> Borders:
    """Zeros before and behind each stretched axis; negative ones cut.

    Source:
        ONNX ConvTranspose-11, output_shape and auto_pad.
    """
    found = []
    count = len(image)
    for i, size in enumerate(image):
        extent = s.dilations[i] * (s.kernel[i] - 1) + 1
        full = s.strides[i] * (size - 1) + s.output_padding[i] + extent
        begin, end = s.pads[i], s.pads[i + count]
        if s.output_shape or s.auto_pad.startswith("SAME"):
            out = s.output_shape[i] if s.output_shape else size * s.strides[i]
            total = max(full - out, 0)
            small, large = total // 2, total - total // 2
            begin, end = (small, large) if s.auto_pad == "SAME_UPPER" else (large, small)
            if s.output_shape and out > full:
                end = full - out  # more than the full size: zeros at the end
        elif s.auto_pad == "VALID":
            begin = end = 0
        found.append((extent - 1 - begin, extent - 1 - end + s.output_padding[i]))
        if full - begin - end < 0:
            raise EngineError(
                f"{node.op} {node.id!r}: pads {begin} and {end} of {full} pixels"
            )
    return tuple(found)


def stretched(node: Node, x: Array, s: Stretch, code: int, around: Borders) -> Array:
    """The image with ``code`` between its pixels and around it; C-contiguous."""
    inner = [
        st * (n - 1) + 1 if n else 0 for st, n in zip(s.strides, x.shape[2:], strict=True)
    ]
    sizes = [n + b + e for n, (b, e) in zip(inner, around, strict=True)]
    whole = [n + max(b, 0) + max(e, 0) for n, (b, e) in zip(inner, around, strict=True)]
    checked_shape(node, (*x.shape[:2], *whole))
    y = np.full((*x.shape[:2], *whole), code, x.dtype)
    places = (
        slice(max(b, 0), max(b, 0) + n, st)
        for n, (b, _), st in zip(inner, around, s.strides, strict=True)
    )
    y[:, :, *places] = x
    cut = (slice(max(-b, 0), max(-b, 0) + n) for n, (b, _) in zip(sizes, around, strict=True))
    return np.ascontiguousarray(y[:, :, *cut])


def code_of_zero(p: TransposeParameters) -> int:
    """What lies between the pixels: real 0, which is the code ``zx``."""
    return p.x_zero_point


def turned(w: Array, groups: int) -> Array:
    """Weights (C, M/groups, *kernel) as those of the plain convolution, (M, C/groups, *kernel)."""
    inner, outer = w.shape[0] // groups, w.shape[1]
    flipped = np.flip(w, tuple(range(2, w.ndim))).reshape(groups, inner, outer, *w.shape[2:])
    return np.ascontiguousarray(flipped.swapaxes(1, 2)).reshape(
        groups * outer, inner, *w.shape[2:]
    )


def groups_of_transpose(node: Node, w: Array) -> int:
    """The group attribute, checked against the weights (C, M/groups, *kernel)."""
    groups = node.attributes.get("group", 1)
    if not 3 <= w.ndim <= 5 or 0 in w.shape:
        raise InvalidModel(
            f"{node.op} {node.id!r}: weights of shape {w.shape}; need 1 to 3 spatial axes"
        )
    if not isinstance(groups, int) or groups < 1 or w.shape[0] % groups:
        raise InvalidModel(
            f"{node.op} {node.id!r}: {w.shape[0]} input channels in {groups} groups"
        )
    return groups


@dataclass(frozen=True, slots=True)
class RealTransposeParameters:
    """One ConvTranspose of reals in its graph, and what its weights are made of."""

    node: str
    weights: CodesBefore
    graph: Graph
    groups: int = 1
    has_bias: bool = False


def conv_transpose(node: Node, setting: Setting) -> Kernel:
    """ConvTranspose in floating point.

    Shapes:
        ``x`` (N, C, *S), ``w`` (C, M/groups, *kernel), ``b`` (M,) -> ``y`` (N, M, *out).

    Source:
        ONNX ConvTranspose-1, -11, -22.
    """
    given = node.attributes.get("group", 1)
    p = RealTransposeParameters(
        node.id,
        codes_before(node, setting.graph, 1),
        setting.graph,
        given if isinstance(given, int) else 1,
        bool(node.input(2)),
    )
    bias = setting.stage("real_transpose.bias", as_given)

    def run(x: Array, w: Array, b: Array | None = None) -> Array:
        groups = groups_of_transpose(node, w)
        if (
            x.ndim != w.ndim
            or x.shape[1] != w.shape[0]
            or x.dtype.kind != "f"
            or x.dtype != w.dtype
        ):
            raise EngineError(
                f"ConvTranspose {node.id!r}: {x.dtype} {x.shape} with weights {w.dtype} {w.shape}"
            )
        s = read_stretch(node, w.shape[2:])
        dense = stretched(node, x, s, 0, borders(node, x.shape[2:], s))
        _, out = s.window.resolve(dense.shape[2:], node.id)
        rows = turned(w, groups)
        matrix = rows.reshape(groups, -1, math.prod(rows.shape[1:]))
        sums: Array = np.matmul(matrix, columns(dense, s.window, out, groups))
        y = sums.reshape(x.shape[0], len(rows), *out)
        return y if b is None else y + bias(b, p).reshape(-1, *(1,) * len(out))

    return Kernel(run, parameters=p)


def as_given(b: Array, p: RealTransposeParameters) -> Array:
    """A real for each output channel."""
    return b


def qlinear_conv_transpose(node: Node, setting: Setting) -> Kernel:
    """A ConvTranspose between D and Q, all of whose parameters are constants; only fusion makes it.

    Inputs as those of QLinearConv, but w is (C, M/groups, *kernel).
    """
    arrays = [setting.constant(name) for name in node.inputs[1:]]
    w = arrays[2]
    assert w is not None
    s = read_stretch(node, w.shape[2:])
    arrays[2] = turned(w, groups_of_transpose(node, w))
    geometry = ("auto_pad", "dilations", "kernel_shape", "pads", "strides", "output_padding")
    kept = {k: v for k, v in node.attributes.items() if k not in (*geometry, "output_shape")}
    plain = Node(node.id, "QLinearConv", node.inputs, node.outputs, kept)
    facts = read_parameters(plain, arrays).facts() | {"window": s.window}
    p = TransposeParameters(**facts, stretch=s)
    kernel = integer_convolution(p, setting)
    around = setting.stage("transpose.borders", borders)
    code = setting.stage("transpose.code", code_of_zero)(p)

    def run(x: Array, *_: Array) -> Array:
        y: Array = kernel.run(stretched(node, x, s, code, around(node, x.shape[2:], s)))
        return y

    return Kernel(run, "QConvTranspose", p)


OPERATORS = (
    operator("ConvTranspose", conv_transpose, ATTRIBUTES, inputs=(2, 3)),
    operator(
        "QLinearConvTranspose",
        qlinear_conv_transpose,
        f"{ATTRIBUTES} activation high low bias_scales table",
        inputs=(8, 9),
        domains=INTERNAL,
    ),
)
