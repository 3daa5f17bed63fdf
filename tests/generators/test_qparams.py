from math import log2

import numpy as np
import pytest

from generators import qparams
from generators.choices import RandomChoices

SEEDS = range(300)
STYLES = ("tie-free", "saturating", *qparams.TIE_STYLES)
DTYPES = {"uint8": (0, 255), "int8": (-128, 127)}


def is_float32(value: float) -> bool:
    return float(np.float32(value)) == value


@pytest.mark.parametrize("style", STYLES)
def test_scales_are_positive_float32(style: str) -> None:
    for seed in SEEDS:
        choices = RandomChoices(seed)
        scale = qparams.input_scale(choices, style)
        scales = qparams.per_channel(choices, style, scale, 5)
        y_scale = qparams.output_scale(choices, style, 1e4, scale * scale)
        assert len(scales) == 5
        for each in (scale, *scales, y_scale):
            assert each > 0
            assert is_float32(each)


def test_tie_free_scales_have_an_odd_mantissa() -> None:
    for seed in SEEDS:
        scale = np.float32(qparams.input_scale(RandomChoices(seed), "tie-free"))
        assert int(scale.view(np.uint32)) % 2 == 1


@pytest.mark.parametrize(("style", "count"), [("exact", 3), ("decimal", 3), ("beside", 6)])
def test_multipliers_are_powers_of_two_or_beside_them(style: str, count: int) -> None:
    scales = (qparams.output_scale(RandomChoices(seed), style, 1000.0, 0.25) for seed in SEEDS)
    multipliers = {0.25 / scale for scale in scales}
    assert len(multipliers) == count
    for each in multipliers:
        assert log2(each).is_integer() != (style == "beside")
        assert abs(log2(each) - round(log2(each))) < 1e-6
        assert -5 < log2(each) < -1


def test_outputs_of_the_typical_size_fill_half_the_codes_unless_they_shall_clip() -> None:
    for seed in SEEDS:
        for style in STYLES:
            scale = qparams.output_scale(RandomChoices(seed), style, 5000.0, 0.5)
            low, high = {"saturating": (256, 1e9), "tie-free": (50, 115)}.get(style, (50, 460))
            assert low < 5000 * 0.5 / scale < high


@pytest.mark.parametrize(("dtype", "ends"), DTYPES.items())
def test_zero_points_reach_both_ends_the_middle_and_zero(
    dtype: str, ends: tuple[int, int]
) -> None:
    found = [qparams.zero_point(RandomChoices(seed), dtype) for seed in SEEDS]
    low, high = ends
    assert {low, high, 0, low + 128} <= set(found)
    assert (min(found), max(found)) == ends
    assert len(set(found)) > 30


@pytest.mark.parametrize(("dtype", "ends"), DTYPES.items())
def test_zero_points_per_channel_stay_in_the_type(dtype: str, ends: tuple[int, int]) -> None:
    drawn = [qparams.zero_points(RandomChoices(seed), dtype, 6) for seed in SEEDS]
    assert {len(each) for each in drawn} == {1, 6}
    low, high = ends
    assert all(low <= min(each) <= max(each) <= high for each in drawn)
    assert any(len(set(each)) > 2 for each in drawn)


def test_a_policy_is_a_set_of_styles() -> None:
    found = {
        policy: {qparams.style(RandomChoices(seed), policy) for seed in SEEDS}
        for policy in qparams.POLICIES
    }
    assert found == {
        "tie-free": {"tie-free"},
        "tie-rich": set(qparams.TIE_STYLES),
        "saturating": {"saturating"},
        "any": set(STYLES),
    }
    with pytest.raises(
        ValueError, match="unknown scale policy 'odd', expected one of tie-free"
    ):
        qparams.style(RandomChoices(0), "odd")


def test_what_a_power_of_two_is_and_what_lies_beside_one() -> None:
    beside = float(np.nextafter(np.float32(0.5), np.float32(1)))
    assert [qparams.is_power_of_two(each) for each in (1.0, 0.25, 0.75, beside)] == [
        1,
        1,
        0,
        0,
    ]
    assert qparams.are_beside_power_of_two((0.75, beside))
    assert not qparams.are_beside_power_of_two((0.75, 0.5))
