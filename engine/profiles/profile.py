"""A profile: one engine's exact arithmetic, as data."""

from dataclasses import dataclass

from engine.kernels.number_types import to_float8
from engine.profiles.elementwise import EXACT, Elementwise
from engine.profiles.matmul import ToReals, exact_reals
from engine.profiles.matmul_dynamic import Activation
from engine.profiles.pooling import PrepareAverage, exact_mean
from engine.profiles.quantization import (
    FloatRule,
    RangeRule,
    RequantizeRule,
    Rule,
    SecondPath,
    range_with_unit_span,
    requantize_exactly,
)
from engine.profiles.requantization import Prepare
from engine.profiles.residual import ResidualRule


@dataclass(frozen=True, slots=True)
class Profile:
    """One engine's arithmetic, a function for each place where engines differ.

    A profile never changes what is computed, only how a real value becomes a code. ``prepare`` is
    the requantization of convolutions, ``matmul`` of matrix products, ``matmul_to_reals`` what becomes
    of products without a quantized output, ``matmul_activation`` quantizes what DynamicQuantizeMatMul
    multiplies, None where that is DynamicQuantizeLinear; ``saturate_first`` is false
    where these convert to int32 before they clip; ``quantize`` is QuantizeLinear. ``average_window``
    is the mean of a pool's windows, ``average_plane`` that of whole axes.
    ``second_path`` is for elements that follow another rule, None where all are alike;
    ``half_in_float32`` says that float16 is divided in float32; ``float_codes`` makes float8 and smaller floats;
    ``dynamic_range`` is DynamicQuantizeLinear's scale; ``requantize`` one code to another.
    ``residual`` is a convolution with more behind it in one kernel, None where there is none.
    ``elementwise`` holds sums, products and tables of codes.
    """

    name: str
    title: str
    prepare: Prepare
    matmul: Prepare
    saturate_first: bool
    quantize: Rule
    second_path: SecondPath | None = None
    half_in_float32: bool = False
    float_codes: FloatRule = to_float8
    dynamic_range: RangeRule = range_with_unit_span
    requantize: RequantizeRule = requantize_exactly
    average_window: PrepareAverage = exact_mean
    average_plane: PrepareAverage = exact_mean
    elementwise: Elementwise = EXACT
    residual: ResidualRule | None = None
    matmul_to_reals: ToReals = exact_reals
    matmul_activation: Activation | None = None
