"""One thing changed on purpose, so that cases lie beside the model's own, too."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from corpus.case import Array
from generators.choices import Choices
from generators.like.quantities import Slots
from generators.like.sizes import Part, Sizes

Constants = Mapping[str, Array]


def _off_by_one(part: Part, sizes: Sizes, choices: Choices) -> tuple[Sizes, int]:
    able = sorted(size for size, new in sizes.items() if new > 2)
    if not able:
        return sizes, 1
    size = choices.pick(able)
    return {**sizes, size: sizes[size] + choices.pick((1, -1))}, 1


def _two_samples(part: Part, sizes: Sizes, choices: Choices) -> tuple[Sizes, int]:
    return sizes, 2


def _zero_at_end(constants: Constants, where: Slots, choices: Choices) -> dict[str, Array]:
    """The zero point of an activation at an end of its type."""
    able = [
        name
        for name in sorted(where.zeros & constants.keys())
        if constants[name].size == 1
        and constants[name].dtype in (np.uint8, np.int8)
        and name not in where.weight_zeros
    ]
    if not able:
        return {}
    name = choices.pick(able)
    ends = np.iinfo(constants[name].dtype)
    return {name: np.full_like(constants[name], choices.pick((ends.min, ends.max)))}


def _scales_equal(constants: Constants, where: Slots, choices: Choices) -> dict[str, Array]:
    """One scale becomes another: what could not be left out then can."""
    able = [
        name
        for name in sorted(where.scales & constants.keys())
        if constants[name].size == 1 and name not in {bias for bias, _, _ in where.biases}
    ]
    if len({constants[name].item() for name in able}) < 2:
        return {}
    first, second = choices.pick(able), choices.pick(able)
    return {first: np.full_like(constants[first], constants[second].item())}


def _weights_at_ends(constants: Constants, where: Slots, choices: Choices) -> dict[str, Array]:
    """Every weight at an end of its type, by its sign."""
    found = {}
    for name, _ in where.weights:
        w = constants.get(name)
        if w is not None and w.dtype in (np.uint8, np.int8):
            ends = np.iinfo(w.dtype)
            middle = (int(ends.min) + int(ends.max) + 1) // 2
            found[name] = np.where(w < middle, ends.min, ends.max).astype(w.dtype)
    return found


SHAPES: Mapping[str, Callable[[Part, Sizes, Choices], tuple[Sizes, int]]] = MappingProxyType(
    {"a size off by one": _off_by_one, "two samples": _two_samples}
)
"""Mutations of sizes, and of how many samples there are."""

CHANGES: Mapping[str, Callable[[Constants, Slots, Choices], dict[str, Array]]] = (
    MappingProxyType(
        {
            "a zero point at an end": _zero_at_end,
            "scales equal": _scales_equal,
            "weights at the ends": _weights_at_ends,
        }
    )
)
"""Mutations of constants: what becomes of those that change."""

MUTATIONS = (*SHAPES, *CHANGES)
