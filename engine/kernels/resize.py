"""Resize and Upsample: nearest, linear and cubic interpolation, axis by axis.

Along each axis an output element is a weighted sum of a few input elements, ``y = W x``; the axes do
not mix. `weights_of` builds W for one axis, dense: images are small against their channels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.errors import EngineError, InvalidModel, Unsupported
from engine.ir import Array, Node
from engine.kernels.operator import Kernel, Setting, operator
from engine.kernels.shape import axes_of, checked_shape

ATTRIBUTES = (
    "antialias axes coordinate_transformation_mode cubic_coeff_a exclude_outside extrapolation_value "
    "keep_aspect_ratio_policy mode nearest_mode"
)
_MODES = ("nearest", "linear", "cubic")


@dataclass(frozen=True, slots=True)
class Interpolation:
    """The attributes of Resize; `None` among the axes means all of them."""

    mode: str
    coordinates: str
    nearest: str
    cubic: float
    exclude_outside: bool
    extrapolation: float
    antialias: bool
    policy: str
    axes: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class AxisScale:
    """One axis: its lengths before and after, the scale, and the region of interest."""

    length: int
    out: int
    scale: float
    begin: float
    end: float


def read_interpolation(node: Node, opset: int) -> Interpolation:
    """The attributes of a Resize or Upsample, checked.

    Raises:
        InvalidModel: a mode that ONNX does not have.
    """
    given: dict[str, Any] = dict(node.attributes)
    old = node.op == "Upsample" or opset < 11
    mode = str(given.get("mode", "nearest")).replace("bilinear", "linear")
    if mode not in _MODES:
        raise InvalidModel(
            f"{node.op} {node.id!r}: mode is {mode!r}, not one of {', '.join(_MODES)}"
        )
    return Interpolation(
        mode=mode,
        coordinates=str(
            given.get("coordinate_transformation_mode", "asymmetric" if old else "half_pixel")
        ),
        nearest=str(given.get("nearest_mode", "floor" if old else "round_prefer_floor")),
        cubic=float(given.get("cubic_coeff_a", -0.75)),
        exclude_outside=bool(given.get("exclude_outside", 0)),
        extrapolation=float(given.get("extrapolation_value", 0.0)),
        antialias=bool(given.get("antialias", 0)),
        policy=str(given.get("keep_aspect_ratio_policy", "stretch")),
        axes=given.get("axes"),
    )


def source_coordinates(axis: AxisScale, how: Interpolation, node: Node) -> Array:
    """Where each output element lies on the input axis, float64.

    Source:
        ONNX Resize-19, coordinate_transformation_mode.
    """
    x = np.arange(axis.out, dtype=np.float64)
    length, out, scale = axis.length, axis.scale * axis.length, axis.scale
    if how.coordinates == "half_pixel":
        return (x + 0.5) / scale - 0.5
    if how.coordinates == "half_pixel_symmetric":
        adjustment = axis.out / out
        return length / 2 * (1 - adjustment) + (x + 0.5) / scale - 0.5
    if how.coordinates == "pytorch_half_pixel":
        return (x + 0.5) / scale - 0.5 if axis.out > 1 else np.zeros(axis.out)
    if how.coordinates == "align_corners":
        return x * (length - 1) / (out - 1) if out != 1 else np.zeros(axis.out)
    if how.coordinates == "asymmetric":
        return x / scale
    if how.coordinates == "tf_half_pixel_for_nn":
        return (x + 0.5) / scale
    if how.coordinates == "tf_crop_and_resize":
        if axis.out == 1:
            return np.full(1, 0.5 * (axis.begin + axis.end) * (length - 1))
        span = (axis.end - axis.begin) * (length - 1) / (axis.out - 1)
        return axis.begin * (length - 1) + x * span
    raise InvalidModel(
        f"{node.op} {node.id!r}: coordinate_transformation_mode {how.coordinates!r} is unknown"
    )


def nearest_indices(
    coordinates: Array, axis: AxisScale, how: Interpolation, node: Node
) -> Array:
    """The input element of each output element."""
    rounding: dict[str, Callable[[Array], Array]] = {
        "round_prefer_floor": lambda c: np.ceil(c - 0.5),
        "round_prefer_ceil": lambda c: np.floor(c + 0.5),
        "floor": np.floor,
        "ceil": np.ceil,
    }
    if how.nearest not in rounding:
        raise InvalidModel(f"{node.op} {node.id!r}: nearest_mode {how.nearest!r} is unknown")
    indices: Array = np.clip(rounding[how.nearest](coordinates), 0, axis.length - 1)
    return indices.astype(np.int64)


def weights_of(coordinates: Array, axis: AxisScale, how: Interpolation) -> Array:
    """W (out, length), float64: what each input element contributes to each output element.

    A triangle for linear, Keys' cubic with ``cubic_coeff_a`` for cubic; stretched by the scale where
    antialiasing shrinks. Elements outside count for the border's, or (exclude_outside) not at all.

    Source:
        ONNX Resize-19; Keys, Cubic convolution interpolation, 1981.
    """
    stretch = min(axis.scale, 1.0) if how.antialias else 1.0
    reach = (1.0 if how.mode == "linear" else 2.0) / stretch
    first = np.floor(coordinates - reach).astype(np.int64) + 1
    offsets = first[:, None] + np.arange(int(np.ceil(2 * reach)))
    distance = np.abs(offsets - coordinates[:, None]) * stretch
    taps = _triangle(distance) if how.mode == "linear" else _keys(distance, how.cubic)
    inside = (offsets >= 0) & (offsets < axis.length)
    if how.exclude_outside or how.antialias:
        taps = np.where(inside, taps, 0) if how.exclude_outside else taps
        taps = taps / taps.sum(axis=1, keepdims=True)
    matrix = np.zeros((axis.out, axis.length))
    rows = np.broadcast_to(np.arange(axis.out)[:, None], offsets.shape)
    np.add.at(matrix, (rows, np.clip(offsets, 0, axis.length - 1)), taps)
    return matrix


def _triangle(distance: Array) -> Array:
    weights: Array = np.maximum(1 - distance, 0)
    return weights


def _keys(d: Array, a: float) -> Array:
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    weights: Array = np.where(d <= 1, near, np.where(d < 2, far, 0.0))
    return weights


@dataclass(frozen=True, slots=True)
class RealResizeParameters:
    """One Resize of reals, or of codes that are moved only."""

    node: str
    mode: str


def resize(node: Node, setting: Setting) -> Kernel:
    """Resize as a function of ``(x, roi, scales, sizes)``, before opset 11 of ``(x, scales)``.

    Source:
        ONNX Resize-10 to -19, Upsample-7, -9.
    """
    opset = setting.graph.opset
    how = read_interpolation(node, opset)
    fixed = node.attributes.get("scales")
    resized = setting.stage("resize.interpolate", interpolate)

    def run(x: Array, *given: Array | None) -> Array:
        roi, scales, sizes = _arguments(node, given, opset)
        if scales is None and fixed is not None:
            scales = np.asarray(fixed)
        axes = axes_of_resize(node, x, how, roi, scales, sizes)
        return resized(node, x, axes, how)

    return Kernel(run, parameters=RealResizeParameters(node.id, how.mode))


def _arguments(
    node: Node, given: Sequence[Array | None], opset: int
) -> tuple[Array | None, Array | None, Array | None]:
    if node.op == "Upsample" or opset < 11:
        return None, given[0] if given else None, None
    roi, scales, sizes = (*given, None, None, None)[:3]
    absent = scales is None or scales.size == 0
    return roi, None if absent else scales, None if sizes is None or not sizes.size else sizes


def axes_of_resize(
    node: Node,
    x: Array,
    how: Interpolation,
    roi: Array | None,
    scales: Array | None,
    sizes: Array | None,
) -> list[AxisScale]:
    """Every axis of x with its new length; axes that are not named keep theirs."""
    places = axes_of(node, range(x.ndim) if how.axes is None else how.axes, x.ndim)
    wanted = scales if sizes is None else sizes
    if wanted is None or wanted.size != len(places):
        raise EngineError(
            f"{node.op} {node.id!r}: {0 if wanted is None else wanted.size} scales or sizes for "
            f"{len(places)} axes"
        )
    factors = _factors(x, places, how, scales, sizes)
    shape = list(x.shape)
    regions = np.tile([[0.0], [1.0]], (1, x.ndim))
    for i, axis in enumerate(places):
        shape[axis] = factors[i][1]
        if roi is not None and roi.size == 2 * len(places):
            regions[:, axis] = roi[i], roi[i + len(places)]
    checked_shape(node, shape)
    found = {axis: factors[i][0] for i, axis in enumerate(places)}
    return [
        AxisScale(n, shape[i], found.get(i, 1.0), float(regions[0, i]), float(regions[1, i]))
        for i, n in enumerate(x.shape)
    ]


def _factors(
    x: Array,
    places: Sequence[int],
    how: Interpolation,
    scales: Array | None,
    sizes: Array | None,
) -> list[tuple[float, int]]:
    """The scale and the new length of each named axis."""
    lengths = [x.shape[i] for i in places]
    if sizes is None:
        assert scales is not None
        exact = [float(s) for s in scales]
        return [(s, int(np.floor(n * s))) for n, s in zip(lengths, exact, strict=True)]
    wanted = [int(n) for n in sizes]
    ratios = [w / max(n, 1) for w, n in zip(wanted, lengths, strict=True)]
    if how.policy == "stretch":
        return list(zip(ratios, wanted, strict=True))
    one = min(ratios) if how.policy == "not_larger" else max(ratios)
    return [(one, int(np.floor(one * n + 0.5))) for n in lengths]


def interpolate(node: Node, x: Array, axes: Sequence[AxisScale], how: Interpolation) -> Array:
    """The resized tensor; nearest keeps any type, the others need floats."""
    outside: list[tuple[int, Array]] = []
    y = x if how.mode == "nearest" else x.astype(np.float64)
    for i, axis in enumerate(axes):
        if axis.length == axis.out and axis.scale == 1 and (axis.begin, axis.end) == (0, 1):
            continue
        if not axis.length:
            raise EngineError(f"{node.op} {node.id!r}: axis {i} of {x.shape} is empty")
        places = source_coordinates(axis, how, node)
        if how.coordinates == "tf_crop_and_resize":
            outside.append((i, (places < 0) | (places > axis.length - 1)))
        if how.mode == "nearest":
            y = np.take(y, nearest_indices(places, axis, how, node), i)
        else:
            y = np.moveaxis(np.tensordot(weights_of(places, axis, how), y, (1, i)), 0, i)
    if how.mode != "nearest" and x.dtype.kind != "f":
        raise Unsupported(
            f"{node.op} {node.id!r}: {how.mode} of {x.dtype} data; it takes floats"
        )
    y = np.ascontiguousarray(y.astype(x.dtype))
    for i, rows in outside:
        y[(slice(None),) * i + (rows,)] = np.asarray(how.extrapolation, x.dtype)
    return y


OPERATORS = (
    operator("Resize", resize, ATTRIBUTES, inputs=(1, 4), since=10),
    operator("Upsample", resize, "mode scales", inputs=(1, 2), since=7),
)
