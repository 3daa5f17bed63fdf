import numpy as np
import pytest

from engine import EngineError
from engine.kernels.elementwise import BLOCK
from tests.engine.kernels.test_elementwise import one

X = np.random.default_rng(0).normal(0, 3, (2, 3, 4, 5)).astype(np.float32)


@pytest.mark.parametrize(
    ("opset", "axis", "together"),
    [
        (13, None, (3,)),
        (13, 1, (1,)),
        (13, -4, (0,)),
        (12, None, (1, 2, 3)),
        (12, 3, (3,)),
        (11, -2, (2, 3)),
        (7, 0, (0, 1, 2, 3)),
    ],
)
def test_what_makes_a_row(opset: int, axis: int | None, together: tuple[int, ...]) -> None:
    given = {} if axis is None else {"axis": axis}
    wide = X.astype(float)
    shifted = wide - wide.max(axis=together, keepdims=True)
    total = np.exp(shifted).sum(axis=together, keepdims=True)
    low, high = (np.exp(shifted) / total * (1 + e) for e in (-(2.0**-40), 2.0**-40))
    y = one("Softmax", X, opset, **given)
    assert (low.astype(np.float32) <= y).all()
    assert (y <= high.astype(np.float32)).all()
    assert (
        np.abs(one("LogSoftmax", X, opset, **given) - (shifted - np.log(total))).max() < 1e-5
    )
    hard = one("Hardmax", X, opset, **given)
    assert (hard.sum(axis=together) == 1).all()
    assert (np.sort(X[hard == 1]) == np.sort(X.max(axis=together).ravel())).all()


def test_large_values_do_not_overflow() -> None:
    x = np.array([1e30, 1e30, -1e30], np.float32)
    assert one("Softmax", x, 13).tolist() == [0.5, 0.5, 0]
    assert one("LogSoftmax", x, 13).tolist()[:2] == [np.float32(-np.log(2))] * 2


def test_scalars_nothing_and_many_rows() -> None:
    assert one("Softmax", np.array(3, np.float32), 13).tolist() == 1
    for shape in ((0, 3), (3, 0)):
        assert one("Softmax", np.zeros(shape, np.float32), 13).shape == shape
    many = np.zeros((BLOCK // 2 + 3, 4), np.float32)
    assert (one("Softmax", many, 13) == 0.25).all()


def test_an_axis_outside() -> None:
    with pytest.raises(EngineError, match="axis 4 of a tensor of rank 4"):
        one("Softmax", X, 13, axis=4)
