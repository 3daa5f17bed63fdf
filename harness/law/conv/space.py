"""A convolution while it is varied: drafts, fresh data, and what keeps a draft valid."""

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from math import prod
from random import Random
from typing import Any

from generators.operators.conv import ConvSpec, problem
from generators.operators.conv.data import typical_accumulator
from generators.operators.conv.spec import first_axis
from harness.law.conv.moves import CODES, LOWEST, Draft, code_type

MOST_WORK = 60_000  # products per case, so that a probe stays near a millisecond
TARGET_STEPS = 90.0  # how far a typical output reaches from its zero point
LOUD = 64
STEPS = 3  # scales of neighbouring channels, in octaves
SATURATING = 1 / 16
LOUDEST = (("all-extremes", 1), ("all-extremes", 0), ("random", 1))
TIES = ("random", "constant", 1.0)
WITHOUT_FORM = dict.fromkeys(("doubled", "shared", "missing", "activation"), "none")

_FIELDS = tuple(each.name for each in fields(ConvSpec))


def fresh_data(spec: ConvSpec, rng: Random) -> Iterator[ConvSpec]:
    """The same parameters with full data, five ways; the output's scale fits its range.

    Random codes, with ties where the scales allow them; only lowest and highest codes, with a
    scale that makes ties impossible, mixed and then with equal weights, for the largest sums;
    weights of one step, so that every other sum is a tie; and a scale so small that most saturate.
    """
    untied = rng.uniform(1, 2)
    ways = (
        ("random", "random", 1.0),
        ("extremes", "extremes", untied),
        ("extremes", "all-extremes", untied),
        TIES,
        ("random", "random", SATURATING),
    )
    for x_kind, w_kind, mantissa in ways:
        seeds: Draft = {name: rng.getrandbits(30) for name in ("x_seed", "b_seed")}
        seeds["w_seed"] = 0 if w_kind == "constant" else rng.getrandbits(30)
        drawn = replace(spec, x_kind=x_kind, w_kind=w_kind, **seeds)
        yield replace(drawn, y_scale=_fitting_scale(drawn) * mantissa)


def without_data(spec: ConvSpec) -> ConvSpec:
    """The same for all that ``fresh_data`` draws from one spec."""
    blank: Draft = dict.fromkeys(("x_seed", "w_seed", "b_seed"), 0)
    return replace(spec, x_kind="", w_kind="", y_scale=1.0, **blank)


def bare(spec: ConvSpec) -> ConvSpec:
    """The spec without its given data."""
    return replace(spec, x=None, w=None, b=None)


def loud(spec: ConvSpec) -> ConvSpec:
    """The spec with zero points that were shrunk to almost nothing far from zero again.

    A zero point of 1 moves most results by less than a step, so that few neighbours would show
    what it does; and scales of channels that were shrunk to be equal are different again.
    """

    def far(zero_point: int) -> int:
        return LOUD if 0 < abs(zero_point) < LOUD else zero_point

    return replace(
        spec,
        w_scales=tuple(s * 0.5 ** (i % STEPS) for i, s in enumerate(spec.w_scales)),
        x_zero_point=far(spec.x_zero_point),
        w_zero_points=tuple(map(far, spec.w_zero_points)),
        y_zero_point=far(spec.y_zero_point),
    )


def loudest_data(spec: ConvSpec) -> Iterator[ConvSpec]:
    """The spec with weights, or an output's scale, of which no others would trigger more."""
    for kind, seed in LOUDEST:
        yield replace(spec, w=None, w_kind=kind, w_seed=seed)
    yield replace(spec, w=None, y_scale=spec.y_scale * SATURATING)


def draft_of(spec: ConvSpec) -> Draft:
    """The fields of a spec, given arrays left out."""
    return {name: getattr(spec, name) for name in _FIELDS} | {"x": None, "w": None, "b": None}


def mended(draft: Draft) -> ConvSpec | None:
    """The spec of a draft, mended where aspects clash; None if no small valid model has it.

    Zero points go inside their types, per-channel values are repeated, the image grows until
    there is an output, and QLinearConv loses what only Q/DQ models can have.
    """
    for name in ("x_zero_point", "y_zero_point"):
        draft[name] = _clamped(draft[name], code_type(draft, name[0]))
    zeros = [_clamped(zero, draft["w_dtype"]) for zero in draft["w_zero_points"]]
    filters = draft["groups"] * draft["out_per_group"]
    draft["w_zero_points"] = _repeated(zeros, filters)
    draft["w_scales"] = _varied(draft["w_scales"], filters)
    draft["bias_scales"] = _repeated(draft["bias_scales"], filters)
    draft["image"] = tuple(map(max, draft["image"], _least_image(draft)))
    if len(draft["w_scales"]) == 1 or draft["form"] == "QLinearConv":
        draft["w_axis"] = 0
    elif draft["w_axis"]:
        draft["w_axis"] = first_axis(len(draft["image"]))
    if draft["form"] == "QLinearConv":
        draft |= WITHOUT_FORM
        draft["bias"] = "none" if draft["bias"] == "none" else "int32"
    spec = ConvSpec(**draft)
    if problem(spec) or prod(spec.y_shape) * spec.terms > MOST_WORK:
        return None
    return spec


def _least_image(draft: Draft) -> list[int]:
    """The smallest image that the kernel fits in."""
    if draft["auto_pad"].startswith("SAME"):
        return [1] * len(draft["image"])
    pads, rank = draft["pads"], len(draft["image"])
    reach = [d * (k - 1) + 1 for d, k in zip(draft["dilations"], draft["kernel"], strict=True)]
    return [max(1, reach[axis] - pads[axis] - pads[axis + rank]) for axis in range(rank)]


def _repeated(values: Sequence[Any], length: int) -> tuple[Any, ...]:
    """The values, again from the first where there are too few; one value stays one."""
    if len(values) in (1, length):
        return tuple(values)
    return tuple(values[index % len(values)] for index in range(length))


def _varied(scales: Sequence[float], length: int) -> tuple[float, ...]:
    """As ``_repeated``, but no two rounds alike: a period could agree with that of the groups."""
    count = len(scales)
    return tuple(
        scale * (1 + index // count % 7 / 8)
        for index, scale in enumerate(_repeated(scales, length))
    )


def _clamped(zero_point: int, dtype: str) -> int:
    return min(max(zero_point, LOWEST[dtype]), LOWEST[dtype] + CODES - 1)


def _fitting_scale(spec: ConvSpec) -> float:
    """A power of two times the product of scales, so that ties happen where scales allow."""
    steps = max(typical_accumulator(spec) / TARGET_STEPS, 1.0)
    return float(spec.x_scale * spec.w_scales[0] * 2.0 ** round(steps).bit_length())
