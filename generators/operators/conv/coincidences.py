"""What plain random choice never draws of a convolution, on purpose and often.

Attributes at their default, written or left out; Q and DQ that say their defaults; the weights' axis from
the end; an output like the input; a multiplier of nearly 1; equal zero points; tiny and huge scales.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from math import frexp

import numpy as np

from generators import qparams
from generators.builder import SPELLED
from generators.choices import Choices
from generators.operators.conv.spec import WRITABLE, ConvSpec, first_axis

Change = Callable[[Choices, ConvSpec], ConvSpec | None]

FORMS = ("QLinearConv", "QDQ")
SPELLABLE = tuple(name for name in SPELLED if name != "axis")
FACTORS = {"tiny": 2.0**-60, "huge": 2.0**60}
EXPONENT = 40  # beyond which a scale is tiny or huge
ALL_CELLS = (
    *(f"{form} {name} at its default" for form in FORMS for name in WRITABLE[1:]),
    *(f"{form} kernel_shape left out" for form in FORMS),
    *(f"conv {name} of Q and DQ written" for name in SPELLABLE),
    "QDQ weights' axis from the end",
    *(f"{form} y like x" for form in FORMS),
    *(f"{form} multiplier {each}" for form in FORMS for each in ("of 1", "beside 1")),
    *(f"{form} zero points equal" for form in FORMS),
    *(f"{form} scale {kind}" for form in FORMS for kind in FACTORS),
    *(f"{rank}-D axes equal" for rank in (2, 3)),
    *(f"{form} M = C" for form in FORMS),
)


def coincide(choices: Choices, spec: ConvSpec) -> ConvSpec:
    """The spec, every other time with one coincidence more."""
    if not choices.flag():
        return spec
    return choices.pick(_CHANGES)(choices, spec) or spec


def _write(choices: Choices, spec: ConvSpec) -> ConvSpec:
    names = WRITABLE if choices.flag(3) else ("kernel_shape", choices.pick(WRITABLE[1:]))
    return replace(spec, written=_said(spec, names))


def _said(spec: ConvSpec, names: Sequence[str]) -> tuple[str, ...]:
    """Those of the attributes whose default holds; pads and auto_pad exclude each other."""
    holds = {
        "kernel_shape": True,
        "group": spec.groups == 1,
        "strides": max(spec.strides) == 1,
        "dilations": max(spec.dilations) == 1,
        "auto_pad": spec.auto_pad == "NOTSET",
        "pads": spec.auto_pad == "NOTSET" and not any(spec.pads),
    }
    return tuple(name for name in names if holds[name])


def _leave_kernel(_choices: Choices, spec: ConvSpec) -> ConvSpec:
    return replace(spec, written=())


def _spell(choices: Choices, spec: ConvSpec) -> ConvSpec | None:
    known = [name for name in SPELLABLE if SPELLED[name] <= spec.opset]
    has_conversions = spec.form == "QDQ" or spec.x_float or spec.y_float
    if not (known and has_conversions):
        return None
    return replace(spec, spelled=tuple(known) if choices.flag(3) else (choices.pick(known),))


def _axis_from_the_end(_choices: Choices, spec: ConvSpec) -> ConvSpec | None:
    if spec.form == "QLinearConv" or len(spec.w_scales) == 1 or spec.missing == "w":
        return None
    return replace(spec, w_axis=first_axis(len(spec.image)))


def _like_x(_choices: Choices, spec: ConvSpec) -> ConvSpec:
    zero = spec.x_zero_point
    return replace(spec, y_scale=spec.x_scale, y_zero_point=zero, y_dtype="")


def _multiplier(choices: Choices, spec: ConvSpec) -> ConvSpec:
    """Sums leave as they are, or nearly so."""
    product = np.float32(spec.x_scale) * np.float32(spec.w_scales[0])
    side = choices.pick((product, np.float32(np.inf), np.float32(0)))
    return replace(spec, y_scale=float(np.nextafter(product, side)))


def _equal_zeros(_choices: Choices, spec: ConvSpec) -> ConvSpec | None:
    if len({spec.x_dtype, spec.w_dtype, spec.y_codes}) > 1:
        return None
    zero = spec.x_zero_point
    return replace(spec, w_zero_points=(zero,), y_zero_point=zero)


def _scale(choices: Choices, spec: ConvSpec) -> ConvSpec | None:
    """Tiny or huge on both sides, so that the sums and the codes stay what they were."""
    is_plain = spec.bias in ("none", "int32", "extreme") and spec.b is None
    if not is_plain or spec.activation == "Clip" or spec.doubled != "none":
        return None
    factor = choices.pick(tuple(FACTORS.values()))
    x, y = (qparams.float32(each * factor) for each in (spec.x_scale, spec.y_scale))
    return replace(spec, x_scale=x, y_scale=y)


_CHANGES: Sequence[Change] = (
    *(_write, _write, _write, _leave_kernel, _spell, _spell, _spell),
    *(_axis_from_the_end, _like_x, _multiplier, _multiplier, _equal_zeros, _scale),
)


def cells_of(spec: ConvSpec) -> Iterator[str]:
    """The names of the cells of coincidences that a spec belongs to."""
    form, rank = spec.form, len(spec.image)
    yield from (f"{form} {name} at its default" for name in spec.written[1:])
    if "kernel_shape" not in spec.written:
        yield f"{form} kernel_shape left out"
    yield from (f"conv {name} of Q and DQ written" for name in spec.spelled)
    if spec.w_axis:
        yield "QDQ weights' axis from the end"
    if rank > 1 and len(set(spec.image)) == len(set(spec.kernel)) == 1 < spec.image[0]:
        yield f"{rank}-D axes equal"
    if spec.filters == spec.channels > 1:
        yield f"{form} M = C"
    yield from _quantization(spec)


def _quantization(spec: ConvSpec) -> Iterator[str]:
    form = spec.form
    x = (spec.x_dtype, spec.x_scale, spec.x_zero_point)
    if x == (spec.y_codes, spec.y_scale, spec.y_zero_point):
        yield f"{form} y like x"
    product = np.float32(spec.x_scale) * np.float32(spec.w_scales[0])
    scale = np.float32(spec.y_scale)
    if scale == product:
        yield f"{form} multiplier of 1"
    elif np.nextafter(product, scale) == scale:
        yield f"{form} multiplier beside 1"
    if {spec.x_zero_point} == {spec.y_zero_point} == set(spec.w_zero_points):
        yield f"{form} zero points equal"
    exponent = frexp(spec.x_scale)[1]
    if abs(exponent) > EXPONENT:
        yield f"{form} scale {'tiny' if exponent < 0 else 'huge'}"
