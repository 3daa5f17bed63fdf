"""Other data for a case: what tells a fault that explains it from one that only looks alike."""

from dataclasses import replace
from random import Random

import numpy as np

from corpus.case import Array, Case
from generators.operators.conv import ConvSpec, build, describe
from harness.law.neighbours import fresh_data

DRAWS = 8
FEW = 9  # codes
CHANGED = 3  # codes of an input, in every fourth draw


def other_data(case: Case) -> list[Case]:
    """The same operations on other inputs; a convolution that is all of a case has other weights, too."""
    conv = describe(case)
    return _redrawn(conv) if conv else other_inputs(case)


def _redrawn(conv: ConvSpec) -> list[Case]:
    """Other data under the same parameters, half of them with a scale that fits the results."""
    rng = Random(DRAWS)
    kinds = ("random", "extremes")
    drawn = [
        replace(
            conv, x_kind=kinds[n % 2], w_kind=kinds[n // 2 % 2], x_seed=n + 1, w_seed=n + 101
        )
        for n in range(DRAWS // 2)
    ]
    bare = replace(conv, x=None, w=None, b=None)
    fitted = [spec for _ in range(2) for spec in list(fresh_data(bare, rng))[:2]]
    return [build(replace(each, x=None, w=None)) for each in (*drawn, *fitted)]


def other_inputs(case: Case) -> list[Case]:
    """The same model on multiples of its real inputs, which keep their ties, and on other codes."""
    rng = np.random.default_rng(DRAWS)
    return [
        case.with_inputs({name: _other(array, n, rng) for name, array in case.inputs.items()})
        for n in range(DRAWS)
    ]


FACTORS = (-1, 3, -3, 5, 2, -5, 7, -7)


def _other(array: Array, number: int, rng: np.random.Generator) -> Array:
    """Codes are random in one draw of two, in the others a few away from those of the case.

    In one of four all but three are those of the case: where few codes are other than 0, sums of all
    of them saturate, and no tie shows how it is rounded.
    """
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):  # what is large may be infinite
            return np.asarray(array * array.dtype.type(FACTORS[number]))
    if array.dtype.itemsize > 2 or array.dtype.kind == "V":
        return array
    if array.dtype == np.bool_:
        return rng.random(array.shape) < 0.5
    info = np.iinfo(array.dtype)
    if number % 2:
        few = rng.integers(-FEW, FEW + 1, array.shape)
        if number % 4 == 3:
            own = np.random.default_rng(number)
            few = np.sign(few) * (own.permutation(array.size).reshape(array.shape) < CHANGED)
        near: Array = array.astype(np.int64) + few
        near = np.where((near < info.min) | (near > info.max), near - 2 * few, near)
        return near.astype(array.dtype)
    return rng.integers(info.min, info.max + 1, array.shape).astype(array.dtype)
