"""Faults of zero points: one is not subtracted."""

import numpy as np

from engine.faults.fault import Fault
from engine.ir import Array
from engine.kernels.parameters import ConvParameters
from engine.kernels.stages import pad_with


def pad_without_zero_point(
    x: Array, p: ConvParameters, pads: tuple[int, ...]
) -> tuple[Array, int]:
    """Codes taken for steps: ``acc = sum x*(w - zw)``, the border contributes nothing."""
    return pad_with(x, pads, 0), 0


def pad_then_forget_zero_point(
    x: Array, p: ConvParameters, pads: tuple[int, ...]
) -> tuple[Array, int]:
    """As above, but the border was filled with the zero point before it was forgotten."""
    return pad_with(x, pads, p.x_zero_point), 0


def keep_weight_codes(p: ConvParameters) -> Array:
    """``w`` for ``w - zw``."""
    return p.w.astype(np.int16)


FAULTS = (
    Fault(
        "F25",
        "the zero point of x is not subtracted",
        "kernels that take codes for steps",
        lambda p: p.x_zero_point != 0,
        {"pad": pad_without_zero_point},
    ),
    Fault(
        "F25.border",
        "the zero point of x is not subtracted, and the border holds it",
        "kernels that take codes for steps after padding",
        lambda p: p.x_zero_point != 0,
        {"pad": pad_then_forget_zero_point},
    ),
    Fault(
        "F26",
        "the zero point of w is ignored",
        "opencv/opencv 5.x graph_fusion_qdq.cpp guards against it",
        lambda p: bool(p.w_zero_points.any()),
        {"weights": keep_weight_codes},
    ),
)
