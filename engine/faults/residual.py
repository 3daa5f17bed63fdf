"""Faults of what is added to a convolution before it is requantized."""

from dataclasses import replace

import numpy as np

from engine.faults.fault import Fault
from engine.ir import Array
from engine.kernels.conv_epilogue import ResidualParameters
from engine.profiles.residual import Residual, exact_residual


def residual_codes(r: Array, p: ResidualParameters) -> Array:
    """``r`` for ``r - rz``."""
    codes: Array = r.astype(np.int32)
    return codes


def less_output_zero_point(r: Array, p: ResidualParameters) -> Array:
    """``r - yz``."""
    steps: Array = r.astype(np.int32) - np.int32(p.conv.y_zero_point)
    return steps


def in_output_scale(s: Residual, acc: Array, rest: Array) -> Array:
    """``xs*ws/ys * acc + rest``."""
    return exact_residual(replace(s, r_scale=s.y_scale), acc, rest)


FAULTS = (
    Fault(
        "F40.conv",
        "the zero point of what is added to a convolution is not subtracted",
        "residuals that are added as codes",
        lambda p: p.r_zero_point != 0,
        {"residual.centre": residual_codes},
        record=ResidualParameters,
    ),
    Fault(
        "F59.conv",
        "what is added to a convolution is taken to be in the output's scale and zero point",
        "opencv/opencv 5.x residual path",
        lambda p: p.r_scale != p.conv.y_scale or p.r_zero_point != p.conv.y_zero_point,
        {"residual.centre": less_output_zero_point, "residual.add": in_output_scale},
        record=ResidualParameters,
    ),
)
