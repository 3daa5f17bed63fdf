"""The stages of a mean of codes, each a pure function; a fault replaces one of them.

Loaded once: parameters. Run each time: codes -> axes -> sum -> center -> mean -> divisor -> rescale -> round ->
saturate.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.ir import Array
from engine.kernels.average_parameters import AverageParameters
from engine.kernels.operator import Setting
from engine.kernels.pooling import (
    Axis,
    Counts,
    Pool,
    axes_as_resolved,
    count_taps,
    reduce_taps,
)
from engine.kernels.stages import to_nearest_even
from engine.profiles.pooling import Averager

Saturate = Callable[[Array, int, int], Array]
Encode = Callable[
    [Array, int, AverageParameters], Array
]  # unrounded steps, what is added to them


@dataclass(frozen=True, slots=True)
class AverageStages:
    """One function for each stage.

    ``codes`` gets the record as it was read, the others that of ``parameters``. ``sum`` and
    ``divisor`` know the windows; means of whole axes have ``plane_divisor`` instead. ``taps`` counts
    what of a window lies inside the image. ``mean`` is None as long as a sum stays a sum until it is
    rescaled, ``saturate`` where the engine's own is right, ``encode`` unless it takes the place of
    ``round`` and all behind it. Where the sums are ``integers``, engines
    that add up reals do not.
    """

    parameters: Callable[[AverageParameters], AverageParameters]
    codes: Callable[[Array, AverageParameters], Array]
    axes: Callable[[tuple[Axis, ...], Pool], tuple[Axis, ...]]
    sum: Callable[[Array, tuple[Axis, ...], AverageParameters], Array]
    center: Callable[[Array, Array, AverageParameters], Array]
    mean: Callable[[Array, Array, AverageParameters], Array] | None
    divisor: Callable[[tuple[Axis, ...], AverageParameters], Counts]
    plane_divisor: Callable[[tuple[int, ...], AverageParameters], Array]
    round: Callable[[Array, int], Array]
    saturate: Saturate | None
    encode: Encode | None
    integers: bool

    def reals(self, averager: Averager | None) -> Array | None:
        """What each code adds to a sum, where an engine adds up reals."""
        return None if averager is None or self.integers else averager.reals


def stages_of(setting: Setting) -> AverageStages:
    """The stages, those that faults replaced among them."""
    replaced = setting.replaced
    return AverageStages(
        setting.stage("average.parameters", parameters_as_given),
        setting.stage("average.codes", codes_as_given),
        setting.stage("average.axes", axes_as_resolved),
        setting.stage("average.sum", sum_of_codes),
        setting.stage("average.center", subtract_zero_points),
        replaced.get("average.mean"),
        setting.stage("average.divisor", divisor_of_windows),
        setting.stage("average.plane_divisor", divisor_of_planes),
        setting.stage("average.round", to_nearest_even),
        replaced.get("average.saturate"),
        replaced.get("average.encode"),
        not replaced.keys().isdisjoint(("average.sum", "average.center", "average.mean")),
    )


def parameters_as_given(p: AverageParameters) -> AverageParameters:
    """The record as it was read."""
    return p


def codes_as_given(x: Array, p: AverageParameters) -> Array:
    """The codes as they come."""
    return x


def sum_of_codes(x: Array, axes: tuple[Axis, ...], p: AverageParameters) -> Array:
    """``sum q`` over the taps inside the image, in the narrowest type that holds it."""
    wide = integer_for(255 * int(np.prod([each.kernel for each in axes])))
    return reduce_taps(x.astype(wide), axes, np.add, 0)


def integer_for(bound: int) -> type[np.signedinteger[Any]]:
    """The narrowest type that holds integers up to ``bound``."""
    return np.int16 if bound < 2**15 else np.int32 if bound < 2**31 else np.int64


def subtract_zero_points(sums: Array, taps: Array, p: AverageParameters) -> Array:
    """``A = sum q - n*xz``, n the taps inside the image: the border is real 0 and adds nothing."""
    wide = integer_for(510 * int(taps.max(initial=0)))
    acc: Array = sums.astype(wide)
    acc -= (taps * p.x.x_zero_point).astype(wide)
    return acc


def divisor_of_windows(axes: tuple[Axis, ...], p: AverageParameters) -> Counts:
    """The taps inside the image, or (count_include_pad) also those inside its pads; by axis."""
    return count_taps(axes, p.with_pads)


def divisor_of_planes(shape: tuple[int, ...], p: AverageParameters) -> Array:
    """The number of elements of axes of that ``shape``."""
    return np.array(np.prod(shape, dtype=np.int64))


def no_divisor(shape: tuple[int, ...], p: AverageParameters) -> Array:
    """1: a sum."""
    return np.array(1)
