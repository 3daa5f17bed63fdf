"""Faults of means and sums of codes behind the sum: another rounding, no clipping."""

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from engine.arithmetic import RANGES, round_half_away
from engine.faults.fault import Fault
from engine.faults.rounding import with_zero_point_inside
from engine.faults.roundings import (
    Move,
    cast_then_moved,
    clipped_then_moved,
    half_up,
    has_tie,
    has_tie_of_fractions,
    wrap_between,
)
from engine.ir import Array
from engine.kernels.average_parameters import AverageParameters


def _outside(rounding: Callable[[Array], Array]) -> Callable[[Array, int], Array]:
    """A rounding to which the zero point is added afterwards."""
    return lambda steps, zero_point: rounding(steps)


def _range(p: AverageParameters) -> tuple[int, int]:
    return RANGES[p.x.x_dtype if p.y_dtype is None else p.y_dtype]


def moved_by(move: Move) -> Callable[[Array, int, AverageParameters], Array]:
    """Unrounded steps, cast and then moved by the zero point."""
    return lambda steps, zero_point, p: move(steps, zero_point, *_range(p))


def rescaled_twice(steps: Array, zero_point: int, p: AverageParameters) -> Array:
    """``sat(round(f(floor(f + 1/2))))`` of ``f = v + yz``, then of what would be a code of x.

    The last rounding takes ties up to int8, to even to uint8.
    """
    low, high = _range(p)
    if not _moves_codes(p):
        right: Array = np.clip(np.rint(steps) + zero_point, low, high)
        return right
    once = half_up(steps + zero_point)
    ratio = np.float64(p.x.x_scale) / np.float64(p.x.y_scale)
    again = (once - p.x.x_zero_point) * ratio + p.x.y_zero_point
    codes: Array = np.clip(half_up(again) if low < 0 else np.rint(again), low, high)
    return codes


def _moves_codes(p: AverageParameters) -> bool:
    """Whether scale or zero point of x and y of a pool differ: else nothing follows the mean."""
    same = p.x.x_scale == p.x.y_scale and p.x.x_zero_point == p.x.y_zero_point
    return p.y_dtype is not None and p.pool is not None and not same


def _ratio(p: AverageParameters) -> Fraction:
    return Fraction(float(p.x.x_scale)) / Fraction(float(p.x.y_scale))


def _reach(p: AverageParameters) -> int:
    """How far a code of x is from its zero point, at most."""
    low, high = RANGES[p.x.x_dtype]
    return max(high - p.x.x_zero_point, p.x.x_zero_point - low)


def _divisors(p: AverageParameters) -> tuple[int, ...]:
    """What windows are divided by; a sum by 1."""
    if p.pool is None:
        return (1,)
    if p.pool.may_pad or p.pool.may_overhang:
        return tuple(range(1, p.pool.taps + 1))
    return (p.pool.taps,)


def can_tie(p: AverageParameters) -> bool:
    """Whether some ``A * xs / (n * ys)`` is a half-integer within the range of codes."""
    if p.y_dtype is None:
        return False
    if p.pool is None:
        if p.divides:
            return has_tie_of_fractions(_ratio(p), _reach(p))
        return has_tie(_ratio(p), np.inf)
    return any(has_tie(_ratio(p) / n, n * _reach(p)) for n in _divisors(p))


def _has_fraction(p: AverageParameters) -> bool:
    """Whether some step is not whole."""
    if p.y_dtype is None:
        return False
    if p.pool is None and p.divides:
        return True
    return any((_ratio(p) / n).denominator > 1 for n in _divisors(p))


def _leaves_zero(p: AverageParameters) -> bool:
    """Whether some step with a fraction is rounded to another integer than 0."""
    most = _reach(p) * _ratio(p) if p.divides else Fraction(2**31)
    return _has_fraction(p) and most > Fraction(1, 2)


def _saturates(p: AverageParameters) -> bool:
    """Whether some mean is beyond the codes of y."""
    if p.y_dtype is None:
        return False
    if not p.divides:
        return True
    ends = (
        round((each - p.x.x_zero_point) * _ratio(p)) + p.x.y_zero_point
        for each in RANGES[p.x.x_dtype]
    )
    low, high = RANGES[p.y_dtype]
    return any(not low <= each <= high for each in ends)


def _leaves_codes(p: AverageParameters) -> bool:
    """Whether some step, to which the zero point is still to be added, is beyond the codes of y."""
    if p.y_dtype is None:
        return False
    ends = ((each - p.x.x_zero_point) * _ratio(p) for each in RANGES[p.x.x_dtype])
    low, high = RANGES[p.y_dtype]
    return not p.divides or any(not low <= each <= high for each in ends)


def _is_converted(p: AverageParameters) -> bool:
    """Whether a step is not whole or beyond the codes of y, before the zero point is added or behind that."""
    return _has_fraction(p) or _saturates(p) or _leaves_codes(p)


FAULTS = (
    Fault(
        "F70.average",
        "ties of means and sums are rounded away from zero",
        "microsoft/onnxruntime#25045",
        can_tie,
        {"average.round": _outside(round_half_away)},
        record=AverageParameters,
    ),
    Fault(
        "F71.average",
        "ties of means and sums are rounded up",
        "tenstorrent/tt-metal#56525",
        can_tie,
        {"average.round": _outside(half_up)},
        record=AverageParameters,
    ),
    Fault(
        "F75.average",
        "the zero point of a mean or sum is added before rounding: with an odd one, ties go to odd steps",
        "torch's pools of channels-first codes",
        lambda p: p.x.y_zero_point % 2 != 0 and can_tie(p),
        {"average.round": with_zero_point_inside},
        record=AverageParameters,
    ),
    Fault(
        "F72.average",
        "the steps of means and sums are truncated",
        "microsoft/onnxruntime PR 32452",
        _leaves_zero,
        {"average.round": _outside(np.trunc)},
        record=AverageParameters,
    ),
    Fault(
        "F73a.average",
        "the steps of means and sums are rounded down",
        "shifts for divisions",
        _has_fraction,
        {"average.round": _outside(np.floor)},
        record=AverageParameters,
    ),
    Fault(
        "F38.average",
        "the codes of means and sums are stored without being clipped",
        "tinygrad/tinygrad#8546",
        _saturates,
        {"average.saturate": wrap_between},
        record=AverageParameters,
    ),
    Fault(
        "F128.average",
        "means and sums become codes by a cast: fraction cut off, lowest bits kept, then zero point added",
        "openvinotoolkit/openvino: the ONNX front end's QLinear pools, measured",
        _is_converted,
        {"average.encode": moved_by(cast_then_moved)},
        record=AverageParameters,
    ),
    Fault(
        "F128.average.clipped",
        "means and sums become codes by a conversion: clipped, fraction cut off, then zero point added",
        "openvinotoolkit/openvino: the ONNX front end's QLinear pools behind an open batch, measured",
        _is_converted,
        {"average.encode": moved_by(clipped_then_moved)},
        record=AverageParameters,
    ),
    Fault(
        "F142",
        "what follows the mean of a pool is done twice: it is multiplied, moved and rounded once more",
        "openvinotoolkit/openvino: int8 AveragePool of few channels, with what is fused behind it, measured",
        _moves_codes,
        {"average.encode": rescaled_twice},
        record=AverageParameters,
    ),
)
