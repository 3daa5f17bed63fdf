"""Faults of the blocked layout: its guard removed or too weak. The kernel itself is untouched."""

import numpy as np

from engine.faults.fault import Fault
from engine.ir import Array
from engine.kernels.parameters import ConvParameters
from engine.kernels.stages import (
    LANES,
    Accumulate,
    multiply_exactly,
    pad_with,
    store_in_order,
)


def always_blocked(p: ConvParameters) -> str:
    """No guard: groups may start inside a block."""
    return ""


def blocked_from_8_lanes(p: ConvParameters) -> str:
    """A guard that asks how many channels a group has, not where it starts."""
    return "M/groups is below 8" if p.groups > 1 and p.out_per_group < 8 else ""


def pad_signed(
    x: Array, p: ConvParameters, pads: tuple[int, ...], border: int
) -> tuple[Array, int]:
    """Unsigned codes and their zero point moved by -128: the same sums, another folded bias."""
    shift = 0 if x.dtype.kind == "i" else 128
    return pad_with(x, pads, border) - shift, p.x_zero_point - shift


def pad_unsigned(
    x: Array, p: ConvParameters, pads: tuple[int, ...], border: int
) -> tuple[Array, int]:
    """Signed codes and their zero point moved by 128: the same sums, another folded bias."""
    shift = 128 if x.dtype.kind == "i" else 0
    return pad_with(x, pads, border) + shift, p.x_zero_point + shift


def fills_blocks(p: ConvParameters) -> bool:
    """Whether it is one group, plane by plane, or has whole blocks of 8 outputs in each group."""
    return p.groups == 1 or p.is_depthwise or p.out_per_group % 8 == 0


def _shares_blocks(p: ConvParameters) -> bool:
    return p.ending == "codes" and p.groups > 1 and p.out_per_group % 8 != 0


def store_last_group_first(codes: Array, base: list[int], channels: int) -> Array:
    """As ``store_in_order``, but the tasks in reverse: an earlier group overwrites a later one."""
    return store_in_order(codes[:, ::-1], base[::-1], channels)


def scale_of_later_lane(p: ConvParameters) -> Array:
    """Channel c of a depthwise convolution reads the scale of channel ``c + c mod 8``, 0 past the end."""
    if not p.is_depthwise:
        return p.w_scales
    return later_lane(np.broadcast_to(p.w_scales, p.out_channels))


def bias_of_later_lane(p: ConvParameters, weights: Array) -> Accumulate:
    """The sums, so much more that channel c of a depthwise convolution gets the bias of ``c + c mod 8``."""
    exact = multiply_exactly(p, weights)
    if p.bias is None or not p.is_depthwise:
        return exact
    more = (later_lane(p.bias) - p.bias)[:, None]
    return lambda *given: exact(*given) + more


def later_lane(values: Array) -> Array:
    """``values[c + c mod 8]``, 0 past the end."""
    channels = np.arange(values.size)
    moved: Array = np.append(values, np.zeros(LANES, values.dtype))[
        channels + channels % LANES
    ]
    return moved


_SOURCE = "opencv/opencv#28798, PR 28920"
_GUARD = "the guard of opencv/opencv PR 28920"


def _over_8(p: ConvParameters) -> bool:
    return _shares_blocks(p) and p.out_per_group > 8


FAULTS = (
    Fault(
        "F01",
        "groups overwrite each other in one 8-lane block",
        _SOURCE,
        _shares_blocks,
        {"layout": always_blocked},
    ),
    Fault(
        "F01.signed",
        "groups overwrite each other in one 8-lane block, codes shifted to signed",
        f"{_SOURCE}; uint8 on CPUs without VNNI",
        _shares_blocks,
        {"layout": always_blocked, "pad": pad_signed},
    ),
    Fault(
        "F01.unsigned",
        "groups overwrite each other in one 8-lane block, codes shifted to unsigned",
        f"{_SOURCE}; int8 on CPUs with VNNI",
        _shares_blocks,
        {"layout": always_blocked, "pad": pad_unsigned},
    ),
    Fault(
        "F02",
        "groups of more than 8 channels overwrite each other: only fewer than 8 are refused",
        _GUARD,
        _over_8,
        {"layout": blocked_from_8_lanes},
    ),
    Fault(
        "F02.signed",
        "groups of more than 8 channels overwrite each other, codes shifted to signed",
        f"{_GUARD}; uint8 on CPUs without VNNI",
        _over_8,
        {"layout": blocked_from_8_lanes, "pad": pad_signed},
    ),
    Fault(
        "F02.unsigned",
        "groups of more than 8 channels overwrite each other, codes shifted to unsigned",
        f"{_GUARD}; int8 on CPUs with VNNI",
        _over_8,
        {"layout": blocked_from_8_lanes, "pad": pad_unsigned},
    ),
    Fault(
        "F03",
        "groups overwrite each other in one 8-lane block, the last group first",
        f"{_SOURCE}; one order of those that threads may finish in",
        _shares_blocks,
        {"layout": always_blocked, "store": store_last_group_first},
    ),
    Fault(
        "F04",
        "a depthwise convolution reads bias and scale of channel c + c mod 8",
        "opencv/opencv 5.x, the lane offset of its depthwise kernel",
        lambda p: p.is_depthwise and p.ending != "none",
        {"scales": scale_of_later_lane, "accumulate": bias_of_later_lane},
    ),
)
