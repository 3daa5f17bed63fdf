"""Faults of softmax: which elements make a row, what is exponentiated, how steps become codes."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from engine.arithmetic import RANGES
from engine.faults.fault import Fault
from engine.faults.roundings import Move, cast_then_moved, clipped_then_moved, wrap_between
from engine.ir import Array
from engine.kernels.qlinear_softmax import SoftmaxParameters, saturate_steps
from engine.profiles.tables import exact_softmax, onnxruntime_softmax


def clipped_at_255(steps: Array, p: SoftmaxParameters) -> Array:
    """int8 codes clipped to -128 to 255; those above 127 are stored as they wrap."""
    if p.dtype != np.int8:
        return saturate_steps(steps, p)
    codes = np.clip(steps + p.y_zero_point, -128, 255)
    wrapped: Array = np.where(codes > 127, codes - 256, codes) - p.y_zero_point
    return wrapped


def wrapped_around(steps: Array, p: SoftmaxParameters) -> Array:
    """uint8 codes modulo 256; int8 is F37."""
    if p.dtype != np.uint8:
        return saturate_steps(steps, p)
    low, high = (each - p.y_zero_point for each in RANGES[p.dtype])
    return wrap_between(steps, low, high)


def of_one_axis(p: SoftmaxParameters) -> SoftmaxParameters:
    """A row is one axis, whatever the opset."""
    return replace(p, coerced=False)


def of_all_axes(p: SoftmaxParameters) -> SoftmaxParameters:
    """A row is all axes from ``axis`` on, whatever the opset."""
    return replace(p, coerced=True)


def of_codes(p: SoftmaxParameters) -> SoftmaxParameters:
    """``xs = 1``."""
    return replace(p, x_scale=np.float32(1))


def of_whole_reciprocal(p: SoftmaxParameters) -> SoftmaxParameters:
    """``ys = 1 / floor(1 / ys)``; from 1 up, where the floor is 0, no steps at all.

    Done twice it is what it is once: the reciprocal of the scale is not below that whole number.
    """
    one = np.float32(1)
    whole = np.floor(one / p.y_scale)
    scale = np.float32(np.inf) if whole == 0 else one / whole
    return replace(
        p, y_scale=np.nextafter(scale, np.float32(0)) if one / scale < whole else scale
    )


def _is_cut(p: SoftmaxParameters) -> bool:
    reciprocal = np.float32(1) / p.y_scale
    return bool(np.floor(reciprocal) != reciprocal) and _is_seen(p)


def _may_overflow(p: SoftmaxParameters) -> bool:
    """Whether rows are short enough for it: see `onnxruntime_softmax`."""
    return float(p.y_scale) < 1 / 148 and _is_seen(p)


def _most(p: SoftmaxParameters) -> float:
    """The code of 1, before it is clipped."""
    return float(np.rint(1 / np.float64(p.y_scale))) + p.y_zero_point


def _is_seen(p: SoftmaxParameters) -> bool:
    """Whether anything but the zero point comes out."""
    return float(p.y_scale) < 2


def stored_unsigned(
    rows: Array, x_scale: np.float32, y_scale: np.float32, y_zero_point: int, signed: bool
) -> Array:
    """Those of uint8 codes for int8 ones: what overflows is 0."""
    if not signed:
        return exact_softmax(rows, x_scale, y_scale, y_zero_point, signed)
    return onnxruntime_softmax(rows, x_scale, y_scale, y_zero_point, False)


def unrounded(steps: Array) -> Array:
    """The steps, to be cast."""
    return steps


def moved_by(move: Move) -> Callable[[Array, SoftmaxParameters], Array]:
    """Unrounded steps, cast and then moved by the zero point, which is added again."""

    def saturate(steps: Array, p: SoftmaxParameters) -> Array:
        codes: Array = move(steps, p.y_zero_point, *RANGES[p.dtype]) - p.y_zero_point
        return codes

    return saturate


FAULTS = (
    Fault(
        "F126",
        "the reciprocal of a softmax's output scale is cut to a whole number",
        "microsoft/onnxruntime contrib_ops/cpu/quantization/qlinear_softmax.cc, measured",
        _is_cut,
        {"softmax.parameters": of_whole_reciprocal},
        record=SoftmaxParameters,
    ),
    Fault(
        "F131",
        "the steps of a softmax overflow where its output scale is small: the largest become none",
        "microsoft/onnxruntime contrib_ops/cpu/quantization/qlinear_softmax.cc, measured",
        _may_overflow,
        {"softmax.steps": onnxruntime_softmax},
        record=SoftmaxParameters,
    ),
    Fault(
        "F131.unsigned",
        "the steps of a softmax of int8 codes overflow as those of uint8 codes do: the largest become none",
        "microsoft/onnxruntime: pairs around a Softmax whose int8 codes are made uint8, measured",
        lambda p: p.dtype == np.int8 and _may_overflow(p),
        {"softmax.steps": stored_unsigned},
        record=SoftmaxParameters,
    ),
    Fault(
        "F126.single",
        "the reciprocal of a softmax's output scale is cut to a whole number, and its steps are of float32",
        "microsoft/onnxruntime contrib_ops/cpu/quantization/qlinear_softmax.cc, measured",
        _is_cut,
        {"softmax.steps": onnxruntime_softmax},
        record=SoftmaxParameters,
    ),
    Fault(
        "F37",
        "int8 codes of a softmax are clipped to 255",
        "microsoft/onnxruntime#29727",
        lambda p: p.dtype == np.int8 and _most(p) > 127,
        {"softmax.saturate": clipped_at_255},
        record=SoftmaxParameters,
    ),
    Fault(
        "F86h",
        "a softmax from before opset 13 takes one axis instead of all from it on",
        "kernels without QLinearSoftmax's attribute opset",
        lambda p: p.coerced and p.axis != -1 and _is_seen(p),
        {"softmax.parameters": of_one_axis},
        record=SoftmaxParameters,
    ),
    Fault(
        "F86h.coerced",
        "a softmax of opset 13 or later takes all axes from its axis on",
        "kernels without QLinearSoftmax's attribute opset, older",
        lambda p: not p.coerced and p.axis != -1 and _is_seen(p),
        {"softmax.parameters": of_all_axes},
        record=SoftmaxParameters,
    ),
    Fault(
        "F105.softmax",
        "a softmax is taken of codes instead of what they stand for",
        "a QuantizeLinear pushed through what does not commute with it",
        lambda p: p.x_scale != 1 and _is_seen(p),
        {"softmax.parameters": of_codes},
        record=SoftmaxParameters,
    ),
    Fault(
        "F72.softmax",
        "the steps of a softmax are truncated",
        "microsoft/onnxruntime PR 32452",
        _is_seen,
        {"softmax.round": np.trunc},
        record=SoftmaxParameters,
    ),
    Fault(
        "F38.softmax",
        "uint8 codes of a softmax are stored without being clipped",
        "tinygrad/tinygrad#8546",
        lambda p: p.dtype == np.uint8 and _most(p) > 255,
        {"softmax.saturate": wrapped_around},
        record=SoftmaxParameters,
    ),
    Fault(
        "F128.softmax",
        "the codes of a softmax are cast: fraction cut off, lowest bits kept, then zero point added",
        "openvinotoolkit/openvino: the ONNX front end's QLinearSoftmax, measured",
        _is_seen,
        {"softmax.round": unrounded, "softmax.saturate": moved_by(cast_then_moved)},
        record=SoftmaxParameters,
    ),
    Fault(
        "F128.softmax.clipped",
        "the codes of a softmax are converted: clipped, fraction cut off, then zero point added",
        "openvinotoolkit/openvino: the ONNX front end's QLinearSoftmax behind an open batch, measured",
        _is_seen,
        {"softmax.round": unrounded, "softmax.saturate": moved_by(clipped_then_moved)},
        record=SoftmaxParameters,
    ),
)
