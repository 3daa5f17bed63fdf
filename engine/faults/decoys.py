"""Decoys: what looks like a fault and is none. Whoever flags one raises a false alarm."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.arithmetic import Int32, wrap_int32
from engine.faults import blockwise
from engine.faults.fault import Fault
from engine.faults.layout import always_blocked, pad_signed
from engine.faults.scales import first_scale
from engine.ir import Array
from engine.kernels.average_parameters import AverageParameters
from engine.kernels.geometry import windows
from engine.kernels.parameters import ConvParameters
from engine.kernels.pooling import Axis, reduce_taps
from engine.kernels.quantize_parameters import DequantizeParameters, QuantizeParameters
from engine.kernels.stages import Accumulate
from engine.plan import Plan


@dataclass(frozen=True, slots=True)
class Decoy:
    """``happens`` says whether a plan has it; ``change`` is what it does to our engine.

    Without a change, the engine does it by itself.
    """

    key: str
    title: str
    happens: Callable[[Plan], bool]
    change: Fault | None = None


def channels_last(p: ConvParameters, weights: Array) -> Accumulate:
    """``acc = sum (x - zx)(w - zw)``, channels innermost, as kernels for NHWC sum."""
    filters = np.moveaxis(weights.astype(np.int64), 1, -1)
    matrix = filters.reshape(p.groups, p.out_per_group, -1)

    def accumulate(
        padded: Array, zero_point: int, pads: tuple[int, ...], out: tuple[int, ...]
    ) -> Int32:
        centred = padded.astype(np.int64) - zero_point
        grouped = centred.reshape(len(padded), p.groups, p.in_per_group, *padded.shape[2:])
        last = np.ascontiguousarray(np.moveaxis(grouped, 2, -1))
        rows = windows(last, p.window, out).reshape(
            len(padded), p.groups, math.prod(out), matrix.shape[2]
        )
        sums = np.matmul(matrix, rows.swapaxes(2, 3))
        return wrap_int32(sums).reshape(len(padded), p.out_channels, math.prod(out))

    return accumulate


def sum_of_steps(x: Array, axes: tuple[Axis, ...], p: AverageParameters) -> Array:
    """``sum (q - zx)`` over the taps inside the image."""
    return reduce_taps(x.astype(np.int64) - p.x.x_zero_point, axes, np.add, 0)


def already_centred(sums: Array, taps: Array, p: AverageParameters) -> Array:
    """The sums as they are."""
    return sums


def _has_rule(*rules: str) -> Callable[[Plan], bool]:
    return lambda plan: not plan.rules.keys().isdisjoint(rules)


def _by_change(
    key: str,
    title: str,
    tells: Callable[[Any], bool],
    stages: Mapping[str, Callable[..., Any]],
    record: type | tuple[type, ...] = ConvParameters,
    spoils: Callable[[Any], bool] = lambda _: False,
) -> Decoy:
    """A decoy in plans where one record ``tells`` and none ``spoils`` it."""
    change = Fault(key, title, "a legitimate kernel", tells, stages, record=record)

    def happens(plan: Plan) -> bool:
        records = [
            each.parameters for each in plan.steps if isinstance(each.parameters, record)
        ]
        return any(map(tells, records)) and not any(map(spoils, records))

    return Decoy(key, title, happens, change)


def _has_groups(p: ConvParameters) -> bool:
    return p.groups > 1


def _cuts_blocks(p: ConvParameters) -> bool:
    return p.groups > 1 and p.out_per_group % 8 != 0


def _has_scales(p: ConvParameters) -> bool:
    return p.w_scales.size > 1


def _unequal_scales(p: ConvParameters) -> bool:
    return bool((p.w_scales != p.w_scales[0]).any())


def _reduces_axes(p: AverageParameters) -> bool:
    return p.pool is None


_TILED = next(each for each in blockwise.FAULTS if each.key == "F99")


def _one_block(p: QuantizeParameters | DequantizeParameters) -> bool:
    axis, scale = p.granularity.axis, p.scale
    if not p.granularity.block_size or scale is None or axis is None:
        return False
    return bool(scale.shape[axis] == 1)


DECOYS: tuple[Decoy, ...] = (
    _by_change(
        "D01",
        "a mean of codes centred before they are summed, pads left out",
        lambda p: not p.with_pads,
        {"average.sum": sum_of_steps, "average.center": already_centred},
        AverageParameters,
        spoils=_reduces_axes,
    ),
    _by_change(
        "D02",
        "grouped convolution in the blocked layout, whole blocks in each group",
        _has_groups,
        {"layout": always_blocked},
        spoils=_cuts_blocks,
    ),
    Decoy(
        "D03",
        "DequantizeLinear -> QuantizeLinear of equal parameters dropped",
        _has_rule("R40"),
    ),
    Decoy("D04", "maximum pool on codes of equal parameters", _has_rule("R15", "R26")),
    Decoy("D05", "Relu dropped where the zero point is the lowest code", _has_rule("R02")),
    _by_change(
        "D06",
        "convolution summed in NHWC order",
        lambda p: True,
        {"accumulate": channels_last},
    ),
    _by_change(
        "D07",
        "uint8 codes and their zero point moved by 128 to int8",
        lambda p: p.x_dtype == np.uint8,
        {"pad": pad_signed},
    ),
    Decoy("D08", "Clip dropped that is wider than the codes", _has_rule("R55")),
    _by_change(
        "D09",
        "scales of all channels equal, taken as one",
        _has_scales,
        {"scales": first_scale},
        spoils=_unequal_scales,
    ),
    _by_change(
        "D10",
        "one block as long as the axis, its parameters tiled",
        _one_block,
        _TILED.stages,
        (QuantizeParameters, DequantizeParameters),
        spoils=_TILED.trigger,
    ),
)
"""One for each decoy of the catalogue."""
