"""A profile: one engine's exact arithmetic, as data."""

from dataclasses import dataclass

from engine.kernels.number_types import to_float8
from engine.profiles.elementwise import EXACT, Elementwise
from engine.profiles.pooling import PrepareAverage, exact_mean
from engine.profiles.quantization import (
    FloatRule,
    RangeRule,
    RequantizeRule,
    Rule,
    divide,
    range_with_unit_span,
    requantize_exactly,
)
from engine.profiles.requantization import Prepare


@dataclass(frozen=True, slots=True)
class Profile:
    """One engine's arithmetic, a function for each place where engines differ.

    A profile never changes what is computed, only how a real value becomes a code. ``prepare`` is
    the requantization of convolutions, ``matmul`` of matrix products; ``saturate_first`` is false
    where these convert to int32 before they clip; ``quantize`` is QuantizeLinear. ``average_window``
    is the mean of a pool's windows, ``average_plane`` that of whole axes.
    ``quantize_half`` is QuantizeLinear of float16, ``lonely_codes`` of packed codes whose byte is
    not full, None where they are like others; ``float_codes`` makes float8 and smaller floats;
    ``dynamic_range`` is DynamicQuantizeLinear's scale; ``requantize`` one code to another.
    ``elementwise`` holds sums, products and tables of codes.
    """

    name: str
    title: str
    prepare: Prepare
    matmul: Prepare
    saturate_first: bool
    quantize: Rule
    quantize_half: Rule = divide
    lonely_codes: Rule | None = None
    float_codes: FloatRule = to_float8
    dynamic_range: RangeRule = range_with_unit_span
    requantize: RequantizeRule = requantize_exactly
    average_window: PrepareAverage = exact_mean
    average_plane: PrepareAverage = exact_mean
    elementwise: Elementwise = EXACT
