"""``exact`` against rationals: with the proof that no sum is near a tie, and without it."""

from fractions import Fraction

import numpy as np
import pytest

from engine.profiles.requantization import Requantization, _no_sum_near_ties, exact
from tests.engine.cases import Array

F32 = np.float32


def side(v: Fraction, half: Fraction) -> int:
    return (v > half) - (v < half)


def scales(seed: int, channels: int) -> tuple[np.float32, Array, np.float32]:
    """Random ones, or decimal ones, or powers of two, whose sums do hit ties."""
    r = np.random.default_rng(seed)
    drawn: tuple[tuple[float, Array, float], ...] = (
        (r.uniform(0.01, 0.1), r.uniform(0.001, 0.1, channels), r.uniform(0.1, 2)),
        (0.02, r.integers(1, 100, channels) / 1000, r.integers(1, 20) / 10),
        (0.5, 2.0 ** -r.integers(1, 5, channels), 2.0),
    )
    x, w, y = drawn[seed % 3]
    return F32(x), w.astype(F32).reshape(-1, 1) * (1 if seed % 2 else -1), F32(y)


@pytest.mark.parametrize("seed", range(12))
def test_every_sum_beside_every_tie_is_on_its_side(seed: int) -> None:
    x, w, y = scales(seed, 4)
    r = Requantization(x, w, y, 0, None, True, 1, 1, 1, False)
    ratio = np.float64(x) * w.astype(np.float64) / np.float64(y)
    halves = np.arange(-256.5, 257.0)
    middle = np.rint(halves / ratio).astype(np.int64)
    near = np.concatenate([middle - 1, middle, middle + 1], axis=1).astype(np.int32)
    steps = exact(r).steps(near)
    few = np.concatenate(
        [exact(r).steps(each) for each in np.split(near, 257, axis=1)], axis=1
    )
    assert (np.rint(steps) == np.rint(few)).all()
    for channel, sums in enumerate(near):
        factor = Fraction(float(x)) * Fraction(float(w[channel, 0])) / Fraction(float(y))
        for acc, v, half in zip(
            sums.tolist(), steps[channel], np.tile(halves, 3), strict=True
        ):
            exactly = side(acc * factor, Fraction(half))
            assert exactly == side(Fraction(float(v)), Fraction(half)), (acc, v)


def test_what_is_proved() -> None:
    assert _no_sum_near_ties(np.array([0.0123456789, -0.1000123]))
    assert not _no_sum_near_ties(np.array([0.0123456789, 0.25]))  # 2 * 0.25 is a tie
    assert not _no_sum_near_ties(np.array(0.5 / 3 * (1 + 2.0**-40)))  # 3 of it nearly are one
    assert not _no_sum_near_ties(np.array(2.0**-29))
    assert not _no_sum_near_ties(np.array(np.inf))


def test_wide_codes_have_no_proof() -> None:
    """A ratio whose only tie lies beyond 8 bits: 1001 sums of it are 1000.5."""
    ratio = F32(1000.5 / 1001)
    y = F32(1)
    sums = np.full(4096, 1001, np.int32)
    r = Requantization(ratio, np.ones((), F32), y, 0, None, False, 1, 1, 1, False, wide=True)
    exactly = side(1001 * Fraction(float(ratio)), Fraction(2001, 2))
    assert {side(Fraction(float(v)), Fraction(2001, 2)) for v in exact(r).steps(sums)} == {
        exactly
    }
