"""Neighbours of a spec: one parameter varied, several varied, or drawn on one side of a law."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import fields, replace
from functools import partial
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
TOUCHED = 0.6  # how often all that a law is about varies
FEW = 2
SIZE_ASPECTS = frozenset({"groups", "outputs", "inputs"})
MOST_SINGLE = 8  # moves tried alone for each aspect
TIES = ("random", "constant", 1.0)
TRIES = 24
WITHOUT_FORM = dict.fromkeys(("doubled", "shared", "missing", "activation"), "none")

_FIELDS = tuple(each.name for each in fields(ConvSpec))


def fresh_data(spec: ConvSpec, rng: Random) -> Iterator[ConvSpec]:
    """The same parameters with full data, four ways; the output's scale fits its range.

    Random codes, with ties where the scales allow them; only lowest and highest codes, with a
    scale that makes ties impossible, mixed and then with equal weights, for the largest sums;
    weights of one step, so that every other sum is a tie.
    """
    untied = rng.uniform(1, 2)
    ways = (
        ("random", "random", 1.0),
        ("extremes", "extremes", untied),
        ("extremes", "all-extremes", untied),
        TIES,
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


class Neighbourhood:
    """What surrounds one spec: draws neighbours, by all moves that were not forgotten."""

    def __init__(self, spec: ConvSpec, rng: Random) -> None:
        self.spec = spec
        self._rng = rng
        self._aspects = {name: list(moves) for name, moves in ASPECTS.items()}

    def one_change(self) -> Iterator[tuple[ConvSpec, Callable[[], None]]]:
        """Neighbours that differ in one aspect, and how to forget the move that led there.

        Sizes are never forgotten: one that says nothing alone may say much beside another.
        """
        draft = _draft(self.spec)
        for name, moves in self._aspects.items():
            for move in self._rng.sample(moves, min(len(moves), MOST_SINGLE)):
                neighbour = _mended({**draft, **move(draft, self._rng)})
                if neighbour is not None:
                    yield (
                        neighbour,
                        _keep if name in SIZE_ASPECTS else partial(moves.remove, move),
                    )

    def many_changes(self) -> ConvSpec:
        """A neighbour that differs in a few or in many aspects."""
        return self._changed(self.spec, self._rng.choice(REACHES))

    def few_changes(self, spec: ConvSpec) -> ConvSpec:
        """A spec that differs from a neighbour in about two aspects."""
        return self._changed(spec, FEW / len(self._aspects))

    def inside(self, law: Sequence[Atom]) -> ConvSpec:
        """A neighbour for which the law holds; often one in which all that it is about differs.

        After many tries the spec itself, for which it does hold.
        """
        touched = _affecting(law) if self._rng.random() < TOUCHED else set[str]()
        for _ in range(TRIES):
            drawn = self._changed(self.spec, self._rng.choice(REACHES), touched)
            if not _broken(law, drawn):
                return drawn
            if (
                touched
            ):  # one aspect less, chosen blindly: the law may hold for few values of it
                touched.discard(self._rng.choice(sorted(touched)))
        return self.spec

    def outside(self, law: Sequence[Atom]) -> ConvSpec:
        """A neighbour for which exactly one atom of the law, a random one, does not hold.

        After many tries in vain: any neighbour.
        """
        if not law:
            return self.many_changes()
        atom = self._rng.choice(law)
        start = _draft(self.inside(law))
        moves = [move for name in sorted(_affecting([atom])) for move in self._aspects[name]]
        for _ in range(4 * TRIES if moves else 0):
            move = self._rng.choice(moves)
            drawn = _mended({**start, **move(start, self._rng)})
            if drawn is not None and _broken(law, drawn) == [atom]:
                return drawn
        return self.many_changes()

    def _changed(self, spec: ConvSpec, reach: float, always: Collection[str] = ()) -> ConvSpec:
        for _ in range(TRIES):
            draft = _draft(spec)
            for name, moves in self._aspects.items():
                if moves and (name in always or self._rng.random() < reach):
                    draft |= self._rng.choice(moves)(draft, self._rng)
            drawn = _mended(draft)
            if drawn is not None:
                return drawn
        return spec


def _keep() -> None:
    """Forget nothing."""


def _affecting(law: Sequence[Atom]) -> set[str]:
    """The aspects that a law's parameters depend on."""
    return {name for atom in law for name in AFFECTING.get(atom.name, ASPECTS)}


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
    draft["w_scales"] = _varied(draft["w_scales"], filters)
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
