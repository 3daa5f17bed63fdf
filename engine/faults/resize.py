"""Faults of linear Resize on codes: another rounding, no clipping, codes taken for reals."""

from fractions import Fraction

import numpy as np

from engine.arithmetic import RANGES, round_half_away, round_half_even
from engine.faults.fault import Fault
from engine.faults.roundings import half_up, has_tie_of_fractions, wrap_between
from engine.ir import Array
from engine.kernels.qlinear_resize import ResizeParameters


def requantized(codes: Array, p: ResizeParameters) -> Array:
    """``sat(rne((q - xz) * xs/ys) + yz)``, float64."""
    steps = round_half_even(
        (codes.astype(np.float64) - p.x_zero_point) * p.x_scale / p.y_scale
    )
    between: Array = np.clip(steps + p.y_zero_point, *RANGES[p.y_dtype])
    return between


def truncated_codes(sums: Array, p: ResizeParameters) -> Array:
    """``trunc(sum W q)``, less the zero point that is added again."""
    steps: Array = np.trunc(sums) - p.y_zero_point
    return steps


def wrapped_around(steps: Array, p: ResizeParameters) -> Array:
    """Codes modulo 256."""
    low, high = (each - p.y_zero_point for each in RANGES[p.y_dtype])
    return wrap_between(steps, low, high)


def _ratio(p: ResizeParameters) -> Fraction:
    return Fraction(p.x_scale) / Fraction(p.y_scale)


def _reach(p: ResizeParameters) -> int:
    low, high = RANGES[p.x_dtype]
    return max(high - p.x_zero_point, p.x_zero_point - low)


def _can_tie(p: ResizeParameters) -> bool:
    return has_tie_of_fractions(_ratio(p), _reach(p))


def _leaves_zero(p: ResizeParameters) -> bool:
    """Whether some step is rounded to another integer than 0."""
    return _reach(p) * _ratio(p) > Fraction(1, 2)


def _saturates(p: ResizeParameters) -> bool:
    """Whether some pixel is beyond the codes of y."""
    ends = (
        round((each - p.x_zero_point) * _ratio(p)) + p.y_zero_point
        for each in RANGES[p.x_dtype]
    )
    low, high = RANGES[p.y_dtype]
    return any(not low <= each <= high for each in ends)


FAULTS = (
    Fault(
        "F105.resize",
        "a linear Resize interpolates the codes of its output and truncates them",
        "microsoft/onnxruntime#28448",
        lambda _: True,
        {"resize.centre": requantized, "resize.rescale": truncated_codes},
        record=ResizeParameters,
    ),
    Fault(
        "F70.resize",
        "ties of a linear Resize are rounded away from zero",
        "microsoft/onnxruntime#25045",
        _can_tie,
        {"resize.round": round_half_away},
        record=ResizeParameters,
    ),
    Fault(
        "F71.resize",
        "ties of a linear Resize are rounded up",
        "tenstorrent/tt-metal#56525",
        _can_tie,
        {"resize.round": half_up},
        record=ResizeParameters,
    ),
    Fault(
        "F72.resize",
        "the steps of a linear Resize are truncated",
        "microsoft/onnxruntime PR 32452",
        _leaves_zero,
        {"resize.round": np.trunc},
        record=ResizeParameters,
    ),
    Fault(
        "F73a.resize",
        "the steps of a linear Resize are rounded down",
        "interpolation in fixed point",
        lambda _: True,
        {"resize.round": np.floor},
        record=ResizeParameters,
    ),
    Fault(
        "F38.resize",
        "the codes of a linear Resize are stored without being clipped",
        "tinygrad/tinygrad#8546",
        _saturates,
        {"resize.saturate": wrapped_around},
        record=ResizeParameters,
    ),
)
