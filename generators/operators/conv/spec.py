"""Every parameter of a case that is one quantized convolution."""

from dataclasses import dataclass, fields, replace
from functools import partial
from math import prod
from typing import Any

import numpy as np

from corpus.case import Array
from generators.arrays import LOWEST

OLDEST_OPSET = 10  # QLinearConv, QuantizeLinear and DequantizeLinear begin here
NEWEST_OPSET = 26  # the newest that onnxruntime 1.31 accepts
WRITABLE = ("kernel_shape", "group", "strides", "dilations", "auto_pad", "pads")
"""Attributes that may be written though they say their default."""
PER_AXIS_OPSET = 13  # QuantizeLinear and DequantizeLinear have no axis before


@dataclass(frozen=True, slots=True, eq=False)
class ConvSpec:
    """One quantized convolution: its form, geometry, quantization, surroundings and data.

    ``form`` is ``QLinearConv`` or ``QDQ`` (DequantizeLinear, Conv, QuantizeLinear). ``pads`` are
    ONNX's: all begins, then all ends; they are zero unless ``auto_pad`` is ``NOTSET``.
    ``w_zero_points`` and ``w_scales`` have one entry, or one per output channel. An empty
    ``y_dtype`` is x's.

    ``bias`` is ``none``; ``int32`` (of the size of the accumulator); ``extreme`` (near the ends of
    int32); in Q/DQ form also ``own-scale`` (``bias_scales`` instead of x_scale * w_scale) and
    ``float`` (a plain float initializer). ``activation`` (Q/DQ) is ``none``, ``Relu`` or ``Clip``
    to ``clip``.

    Placement. ``x_float``: the graph's input is real and a QuantizeLinear makes the codes;
    ``x_offset`` says where these reals lie between codes: ``none`` (on them), ``half``, ``random``.
    ``y_float``: the output is dequantized. The rest is for Q/DQ form: ``doubled`` (``none``, ``x``,
    ``y``): one more Q/DQ pair on that side, of scale ``doubled_scale``; ``shared`` (``none``,
    ``output``, ``conv``): who else reads the dequantized x: a graph output or a second convolution;
    ``missing`` (``none``, ``x``, ``w``, ``y``): which Q/DQ pair is absent, the tensor being real.
    ``zero_points_written`` is false where zero zero points are left to their default. ``written``
    are the convolution's attributes that are written although they say their default, ``spelled`` those
    of Q and DQ. ``w_axis`` is how the axis of the weights' scales is written: 0, or from the end.

    Data come from (kind, seed) pairs (see ``generators.arrays``), unless ``x``, ``w`` or ``b``
    give the graph input and the initializers as they stand.
    """

    form: str = "QLinearConv"
    batch: int = 1
    groups: int = 1
    in_per_group: int = 1
    out_per_group: int = 1
    image: tuple[int, ...] = (1, 1)
    kernel: tuple[int, ...] = (1, 1)
    strides: tuple[int, ...] = (1, 1)
    dilations: tuple[int, ...] = (1, 1)
    pads: tuple[int, ...] = (0, 0, 0, 0)
    auto_pad: str = "NOTSET"
    x_dtype: str = "uint8"
    w_dtype: str = "uint8"
    y_dtype: str = ""
    x_zero_point: int = 0
    w_zero_points: tuple[int, ...] = (0,)
    y_zero_point: int = 0
    x_scale: float = 1.0
    w_scales: tuple[float, ...] = (1.0,)
    y_scale: float = 1.0
    bias: str = "none"
    bias_scales: tuple[float, ...] = (1.0,)
    activation: str = "none"
    clip: tuple[float, float] = (0.0, 6.0)
    x_float: bool = False
    x_offset: str = "none"
    y_float: bool = False
    doubled: str = "none"
    doubled_scale: float = 1.0
    shared: str = "none"
    missing: str = "none"
    zero_points_written: bool = True
    written: tuple[str, ...] = ("kernel_shape",)
    spelled: tuple[str, ...] = ()
    w_axis: int = 0
    opset: int = PER_AXIS_OPSET
    x_kind: str = "constant"
    x_seed: int = 0
    w_kind: str = "constant"
    w_seed: int = 0
    b_seed: int = 0
    x: Array | None = None
    w: Array | None = None
    b: Array | None = None

    @property
    def y_codes(self) -> str:
        """The type of the output's codes."""
        return self.y_dtype or self.x_dtype

    @property
    def channels(self) -> int:
        """C: all input channels."""
        return self.groups * self.in_per_group

    @property
    def filters(self) -> int:
        """M: all output channels."""
        return self.groups * self.out_per_group

    @property
    def terms(self) -> int:
        """Products summed for one output element: input channels of a group times taps."""
        return self.in_per_group * prod(self.kernel)

    @property
    def x_shape(self) -> tuple[int, ...]:
        """N, C, image."""
        return (self.batch, self.channels, *self.image)

    @property
    def w_shape(self) -> tuple[int, ...]:
        """M, C / groups, kernel."""
        return (self.filters, self.in_per_group, *self.kernel)

    @property
    def y_image(self) -> tuple[int, ...]:
        """The output's spatial sizes, by the standard's formulas; some < 1 on invalid specs."""
        rank = len(self.image)
        if self.auto_pad.startswith("SAME"):
            return tuple(
                [-(-size // s) for size, s in zip(self.image, self.strides, strict=True)]
            )
        return tuple(
            [
                (
                    self.image[i]
                    + self.pads[i]
                    + self.pads[i + rank]
                    - self.dilations[i] * (self.kernel[i] - 1)
                    - 1
                )
                // self.strides[i]
                + 1
                for i in range(rank)
            ]
        )

    @property
    def y_shape(self) -> tuple[int, ...]:
        """N, M, output image."""
        return (self.batch, self.filters, *self.y_image)

    def key(self) -> tuple[Any, ...]:
        """All parameters, arrays as their dtype, shape and bytes: equal for equal specs."""
        return tuple(map(_hashable, map(partial(getattr, self), _NAMES)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ConvSpec) and self.key() == other.key()

    def __hash__(self) -> int:
        return hash(self.key())


_NAMES = tuple(each.name for each in fields(ConvSpec))


def _hashable(value: object) -> object:
    if isinstance(value, np.ndarray):
        return (value.dtype.str, value.shape, value.tobytes())
    return value


def first_axis(rank: int) -> int:
    """The weights' first axis for an image of ``rank`` axes, counted from the end."""
    return -rank - 2


def problem(spec: ConvSpec) -> str:
    """Why no valid model has these parameters, in one line; empty where there is one."""
    rank = len(spec.image)
    if spec.form not in ("QLinearConv", "QDQ"):
        return f"form is {spec.form!r}, expected QLinearConv or QDQ"
    if not 1 <= rank <= 3:
        return f"image has {rank} axes, expected 1 to 3"
    if {len(spec.kernel), len(spec.strides), len(spec.dilations), len(spec.pads) / 2} != {
        rank
    }:
        return f"kernel, strides, dilations and pads do not fit an image of {rank} axes"
    sizes = (spec.batch, spec.groups, spec.in_per_group, spec.out_per_group)
    if min(*sizes, *spec.image, *spec.kernel, *spec.strides, *spec.dilations) < 1:
        return "a size, stride or dilation is below 1"
    if min(spec.y_image) < 1:
        return f"the output would be empty: {'x'.join(map(str, spec.y_image))}"
    for name in ("w_zero_points", "w_scales"):
        if len(getattr(spec, name)) not in (1, spec.filters):
            return (
                f"{name} has {len(getattr(spec, name))} entries, expected 1 or {spec.filters}"
            )
    return _code_problem(spec) or _form_problem(spec)


def _code_problem(spec: ConvSpec) -> str:
    zeros = (
        ("x", spec.x_dtype, (spec.x_zero_point,)),
        ("w", spec.w_dtype, spec.w_zero_points),
        ("y", spec.y_codes, (spec.y_zero_point,)),
    )
    for name, dtype, values in zeros:
        lowest = LOWEST[dtype]
        if not lowest <= min(values) <= max(values) <= lowest + 255:
            return f"a zero point of {name} is not of type {dtype}: {values}"
    return ""


def _form_problem(spec: ConvSpec) -> str:
    if spec.w_axis not in (0, first_axis(len(spec.image))):
        return f"the weights have no first axis {spec.w_axis}"
    if spec.form == "QDQ":
        per_channel = max(map(len, (spec.w_scales, spec.w_zero_points, spec.bias_scales))) > 1
        if per_channel and spec.opset < PER_AXIS_OPSET:
            return f"opset {spec.opset} has no per-channel DequantizeLinear"
        if spec.missing == "x" and (spec.doubled == "x" or spec.shared == "output"):
            return "x has no Q/DQ pair that could be doubled or shared"
        if spec.missing == "y" and spec.doubled == "y":
            return "y has no Q/DQ pair that could be doubled"
        return ""
    if spec.bias in ("own-scale", "float") or spec.activation != "none":
        return f"QLinearConv has no {spec.bias} bias and no activation {spec.activation}"
    if (spec.doubled, spec.shared, spec.missing) != ("none", "none", "none"):
        return "doubled, shared and missing Q/DQ pairs need the Q/DQ form"
    return ""


def resized(spec: ConvSpec, **changes: Any) -> ConvSpec:
    """``replace``, with per-channel parameters and data refitted where a size changed.

    Per-channel entries are repeated or cut to the new number of output channels; given arrays
    whose shape no longer fits are dropped, so that data are drawn from (kind, seed) again.
    """
    new = replace(spec, **changes)
    shapes = {"x": new.x_shape, "w": new.w_shape, "b": (new.filters,)}
    refit: dict[str, Any] = {
        name: _fitted(getattr(new, name), new.filters)
        for name in ("w_zero_points", "w_scales", "bias_scales")
    }
    for name, shape in shapes.items():
        array = getattr(new, name)
        if array is not None and array.shape != shape:
            refit[name] = None
    return replace(new, **refit)


def _fitted(values: tuple[Any, ...], length: int) -> tuple[Any, ...]:
    if len(values) in (1, length):
        return values
    return tuple(values[i % len(values)] for i in range(length))
