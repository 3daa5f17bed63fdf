"""Blocks of real networks, a few layers each, drawn small and with what exporters leave in them.

A chain or a pattern has one thing that can go wrong. Here several layers meet: skips, joints,
activations as they are exported, shared weights, several readers, branches, open batches.
"""

from collections.abc import Mapping
from types import MappingProxyType

from corpus.case import Case
from generators.choices import Choices
from generators.operators.networks import (
    attention,
    branches,
    heads,
    initializers,
    joints,
    mobile,
    residual,
    sharing,
    tails,
    types,
)
from generators.operators.networks.drawing import BATCHES, OPSETS, Kind, Network

_ROOMS = (
    residual,
    joints,
    tails,
    sharing,
    mobile,
    heads,
    attention,
    initializers,
    types,
    branches,
)

NETWORKS: Mapping[str, Kind] = MappingProxyType(
    {name: each for room in _ROOMS for name, each in room.NETWORKS.items()}
)
"""Each kind of network by its name."""

ALL_CELLS = (
    *(cell for name, kind in NETWORKS.items() for cell in kind.cells(name)),
    *(f"graphs open batch of {batch}" for batch in BATCHES),
    *(f"graphs opset {opset}" for opset in sorted(OPSETS)),
    *(cell for room in _ROOMS for cell in room.CELLS),
)
TURNS = tuple(
    name for name in NETWORKS for cell in ALL_CELLS if f"{cell} ".startswith(f"graphs {name} ")
)
"""The kinds, each as often as it has cells: where more can differ, more is to be drawn."""


def networks(choices: Choices, scales: str) -> Case:
    """One network, with its inputs; ``cells`` are filled in."""
    return draw(choices, scales, choices.spread(TURNS))


def draw(choices: Choices, scales: str, name: str) -> Case:
    """A network of a kind.

    Raises:
        KeyError: there is no such kind.
    """
    kind = NETWORKS[name]
    net = Network(choices, scales, name, kind)
    kind.grow(net)
    return net.case()


__all__ = ["ALL_CELLS", "NETWORKS", "draw", "networks"]
