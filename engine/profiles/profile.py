"""A profile: one engine's exact arithmetic, as data."""

from dataclasses import dataclass

from engine.profiles.quantization import Rule
from engine.profiles.requantization import Prepare


@dataclass(frozen=True, slots=True)
class Profile:
    """One engine's arithmetic, a function for each place where engines differ.

    A profile never changes what is computed, only how a real value becomes a code. ``prepare`` is
    the requantization of convolutions, ``matmul`` of matrix products; ``saturate_first`` is false
    where these convert to int32 before they clip; ``quantize`` is QuantizeLinear.
    """

    name: str
    title: str
    prepare: Prepare
    matmul: Prepare
    saturate_first: bool
    quantize: Rule
