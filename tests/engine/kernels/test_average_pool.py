"""Float means and norms: types, global forms, orders of the norm."""

from typing import Any

import numpy as np
import pytest

from engine.errors import EngineError
from tests.engine.kernels.test_pooling import pool


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_types_stay_and_half_precision_sums_in_single(dtype: Any) -> None:
    x = np.full((1, 1, 4, 500), 60000 if dtype == np.float16 else 2.0**100, dtype)
    window: dict[str, Any] = {"kernel_shape": [4, 500]}
    for op, how in (("AveragePool", window), ("GlobalAveragePool", {})):
        (y,) = pool(op, x, **how)
        assert y.dtype == dtype
        assert y.shape == (1, 1, 1, 1)
        assert y.item() == x[0, 0, 0, 0]


def test_norms_of_windows_and_planes() -> None:
    x = np.array([[[3, -4, 0, 5]]], np.float32)
    assert pool("LpPool", x, kernel_shape=[2])[0].ravel().tolist() == [5, 4, 5]
    assert pool("LpPool", x, kernel_shape=[2], p=1)[0].ravel().tolist() == [7, 4, 5]
    assert pool("GlobalLpPool", x, p=1)[0].ravel().tolist() == [12]
    assert pool("GlobalLpPool", x)[0].tolist() == [[[float(np.sqrt(np.float32(50)))]]]
    cube = pool("GlobalLpPool", np.array([[[1, 2, 2]]], np.float64), p=3)[0]
    assert cube.item() == 17 ** (1 / 3)


@pytest.mark.parametrize(
    ("op", "x", "how", "words"),
    [
        ("AveragePool", np.zeros((1, 1, 3), np.int32), {"kernel_shape": [2]}, "int32 data"),
        ("LpPool", np.zeros((1, 1, 3), np.float32), {"kernel_shape": [2], "p": 0}, "p is 0"),
        ("GlobalAveragePool", np.zeros((1, 2), np.float32), {}, "no spatial axis"),
        (
            "AveragePool",
            np.zeros((1, 1, 3), np.float32),
            {"kernel_shape": [2], "pads": [2, 0]},
            "sees only the border",
        ),
    ],
)
def test_refusals(op: str, x: Any, how: dict[str, Any], words: str) -> None:
    with pytest.raises(EngineError) as caught:
        pool(op, x, **how)
    assert words in str(caught.value)


def test_pads_that_count_may_be_all_a_window_sees() -> None:
    x = np.ones((1, 1, 3), np.float32)
    (y,) = pool("AveragePool", x, kernel_shape=[2], pads=[2, 0], count_include_pad=1)
    assert y.ravel().tolist() == [0, 0.5, 1, 1]
