"""Draws small quantized models with their inputs, from a seed or under Hypothesis.

``from generators import cases`` and the other public names; they are loaded when first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from generators.strategies import (
        FAMILIES,
        SCALES,
        ConvSpec,
        NodeSpec,
        build_case,
        cases,
        codes,
        conv_specs,
        draw_case,
        node_specs,
    )

__all__ = [
    "FAMILIES",
    "SCALES",
    "ConvSpec",
    "NodeSpec",
    "build_case",
    "cases",
    "codes",
    "conv_specs",
    "draw_case",
    "node_specs",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("generators.strategies"), name)
