"""Work in pieces gives what work at once gives, and holds no big temporaries."""

import tracemalloc

import numpy as np
import pytest

from engine import PROFILES
from engine.kernels.chunks import CHUNK, in_chunks
from engine.kernels.number_types import saturate_codes
from tests.engine.models import Array

KIND = np.dtype(np.int8)


def codes(x: Array, scale: Array, zero: Array) -> Array:
    return saturate_codes(np.rint(x / scale) + zero, KIND)


@pytest.mark.parametrize(
    "shape",
    [(CHUNK + 3,), (1, 70, 64, 65), (3, CHUNK), (1, 1, 2, CHUNK // 2 + 1), (7, 0, 5), (2, 3)],
)
def test_pieces_are_the_whole(shape: tuple[int, ...]) -> None:
    r = np.random.default_rng(0)
    x = (r.normal(size=shape) * 50).astype(np.float32)
    scale = np.full(shape[-1], 0.3, np.float32) * r.uniform(0.5, 2, shape[-1]).astype(
        np.float32
    )
    zero = np.array(3, np.float32)
    assert (in_chunks(codes, KIND, x, scale, zero) == codes(x, scale, zero)).all()
    per_first = r.uniform(0.5, 2, (shape[0],) + (1,) * (len(shape) - 1)).astype(np.float32)
    assert (in_chunks(codes, KIND, x, per_first, zero) == codes(x, per_first, zero)).all()


@pytest.mark.parametrize("profile", list(PROFILES))
def test_temporaries_stay_below_three_times_what_lives(profile: str) -> None:
    x = np.ones((1, 64, 256, 256), np.float32)
    scale, zero = np.array(0.5, np.float32), np.array(1, np.float32)
    rule = PROFILES[profile].quantize
    tracemalloc.start()
    found = in_chunks(lambda *some: saturate_codes(rule(*some), KIND), KIND, x, scale, zero)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.all()
    assert x.nbytes + peak < 3 * (x.nbytes + found.nbytes)
