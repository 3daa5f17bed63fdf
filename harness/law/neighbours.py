"""Neighbours of a spec: one parameter varied, several varied, or drawn on one side of a law."""

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from math import prod
from random import Random
from typing import Any

from generators.operators.conv import ConvSpec, parameters, problem
from generators.operators.conv.data import typical_accumulator
from harness.law.atoms import Atom
from harness.law.moves import AFFECTING, ASPECTS, CODES, LOWEST, Draft, code_type

MOST_WORK = 60_000  # products per case, so that a probe stays near a millisecond
TARGET_STEPS = 90.0  # how far a typical output reaches from its zero point
REACHES = (0.2, 0.4, 0.8)  # the chances that a random neighbour differs in an aspect
FEW = 2
TRIES = 24
WITHOUT_FORM = dict.fromkeys(("doubled", "shared", "missing", "activation"), "none")

_FIELDS = tuple(each.name for each in fields(ConvSpec))


def fresh_data(spec: ConvSpec, rng: Random) -> Iterator[ConvSpec]:
    """The same parameters with full data, three ways; the output's scale fits its range.

    Random codes, then only lowest and highest codes, then random codes with scales that make
    exact ties impossible.
    """
    for kind, mantissa in (("random", 1.0), ("extremes", 1.0), ("random", rng.uniform(1, 2))):
        seeds: Draft = {name: rng.getrandbits(30) for name in ("x_seed", "w_seed", "b_seed")}
        drawn = replace(spec, x_kind=kind, w_kind=kind, **seeds)
        yield replace(drawn, y_scale=_fitting_scale(drawn) * mantissa)


def one_change(spec: ConvSpec, rng: Random) -> Iterator[ConvSpec]:
    """Every neighbour that differs in one aspect."""
    draft = _draft(spec)
    for aspect in ASPECTS.values():
        for move in aspect:
            neighbour = _mended({**draft, **move(draft, rng)})
            if neighbour is not None:
                yield neighbour


def few_changes(spec: ConvSpec, rng: Random) -> ConvSpec:
    """A neighbour that differs in about two aspects."""
    return _changed(spec, rng, FEW / len(ASPECTS))


def many_changes(spec: ConvSpec, rng: Random) -> ConvSpec:
    """A neighbour that differs in a few or in many aspects."""
    return _changed(spec, rng, rng.choice(REACHES))


def _changed(spec: ConvSpec, rng: Random, reach: float) -> ConvSpec:
    for _ in range(TRIES):
        draft = _draft(spec)
        for aspect in ASPECTS.values():
            if rng.random() < reach:
                draft |= rng.choice(aspect)(draft, rng)
        drawn = _mended(draft)
        if drawn is not None:
            return drawn
    return spec


def inside(spec: ConvSpec, law: Sequence[Atom], rng: Random) -> ConvSpec:
    """A neighbour for which the law holds; ``spec`` itself, for which it does, after many tries."""
    drawn = spec
    for _ in range(TRIES):
        drawn = many_changes(spec, rng)
        if not _broken(law, drawn):
            return drawn
    return spec


def outside(spec: ConvSpec, law: Sequence[Atom], rng: Random) -> ConvSpec:
    """A neighbour for which exactly one atom of the law, a random one, does not hold.

    After many tries in vain: any neighbour.
    """
    if not law:
        return many_changes(spec, rng)
    atom = rng.choice(law)
    start = _draft(inside(spec, law, rng))
    aspects = AFFECTING.get(atom.name, tuple(ASPECTS))
    for _ in range(TRIES):
        move = rng.choice(ASPECTS[rng.choice(aspects)])
        drawn = _mended({**start, **move(start, rng)})
        if drawn is not None and _broken(law, drawn) == [atom]:
            return drawn
    return many_changes(spec, rng)


def _broken(law: Sequence[Atom], spec: ConvSpec) -> list[Atom]:
    words = parameters(spec)
    return [atom for atom in law if not atom.holds(words)]


def _draft(spec: ConvSpec) -> Draft:
    return {name: getattr(spec, name) for name in _FIELDS} | {"x": None, "w": None, "b": None}


def _mended(draft: Draft) -> ConvSpec | None:
    """The spec of a draft, mended where aspects clash; None if no small valid model has it.

    Zero points go inside their types, per-channel values are repeated, the image grows until
    there is an output, and QLinearConv loses what only Q/DQ models can have.
    """
    for name in ("x_zero_point", "y_zero_point"):
        draft[name] = _clamped(draft[name], code_type(draft, name[0]))
    zeros = [_clamped(zero, draft["w_dtype"]) for zero in draft["w_zero_points"]]
    filters = draft["groups"] * draft["out_per_group"]
    draft["w_zero_points"] = _repeated(zeros, filters)
    draft["w_scales"] = _repeated(draft["w_scales"], filters)
    draft["bias_scales"] = _repeated(draft["bias_scales"], filters)
    draft["image"] = tuple(map(max, draft["image"], _least_image(draft)))
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


def _clamped(zero_point: int, dtype: str) -> int:
    return min(max(zero_point, LOWEST[dtype]), LOWEST[dtype] + CODES - 1)


def _fitting_scale(spec: ConvSpec) -> float:
    """A power of two times the product of scales, so that ties happen where scales allow."""
    steps = max(typical_accumulator(spec) / TARGET_STEPS, 1.0)
    return float(spec.x_scale * spec.w_scales[0] * 2.0 ** round(steps).bit_length())
