from typing import Any

import numpy as np
import pytest
from onnx import helper

from engine import EngineError, Session, Unsupported
from tests.engine.models import Array, graph_model

R = np.random.default_rng(1)
X = R.normal(1, 2, (2, 6, 3, 4)).astype(np.float32)


def run(
    op: str, x: Array, *parameters: Array, opset: int = 23, outputs: int = 1, **attributes: Any
) -> list[Array]:
    names = [f"p{i}" for i in range(len(parameters))]
    results = [f"y{i}" for i in range(outputs)]
    node = helper.make_node(op, ["x", *names], results, name="n", **attributes)
    model = graph_model(
        [node],
        {"x": (x.dtype, list(x.shape))},
        dict.fromkeys(results, x.dtype),
        dict(zip(names, parameters, strict=True)),
        opset,
    )
    found = Session(model).run({"x": x})
    return [found[name] for name in results]


def vector(n: int) -> Array:
    return R.uniform(0.5, 2, n).astype(np.float32)


def near(y: Array, truth: Array) -> bool:
    """One rounding of the double value: the float32 beside it at most."""
    low, high = (
        truth - 2.0**-40 * np.abs(truth) - 1e-12,
        truth + 2.0**-40 * np.abs(truth) + 1e-12,
    )
    return bool(((low.astype(np.float32) <= y) & (y <= high.astype(np.float32))).all())


@pytest.mark.parametrize("shape", [(2, 6, 3, 4), (5, 6), (2, 6, 7)])
def test_batch_normalization(shape: tuple[int, ...]) -> None:
    x = R.normal(0, 3, shape).astype(np.float32)
    scale, bias, mean, variance = (vector(6) for _ in range(4))
    (y,) = run("BatchNormalization", x, scale, bias, mean, variance, opset=15, epsilon=0.25)
    truth = np.empty(shape)
    for c in range(6):
        factor = float(scale[c]) / np.sqrt(float(variance[c]) + 0.25)
        truth[:, c] = (x[:, c].astype(float) - float(mean[c])) * factor + float(bias[c])
    assert near(y, truth)


def test_training_is_refused() -> None:
    p = [vector(6) for _ in range(4)]
    with pytest.raises(Unsupported, match="BatchNormalization 'n': only inference"):
        run("BatchNormalization", X, *p, opset=15, training_mode=1, outputs=3)
    with pytest.raises(Unsupported, match="only inference"):
        run("BatchNormalization", X, *p, opset=7, spatial=0)
    with pytest.raises(EngineError, match=r"parameters of \(5,\) for"):
        run("BatchNormalization", X, *[vector(5)] * 4, opset=15)


def standardized(x: Array, axes: tuple[int, ...], epsilon: float) -> Array:
    wide = x.astype(float)
    mean = wide.mean(axis=axes, keepdims=True)
    variance = ((wide - mean) ** 2).mean(axis=axes, keepdims=True)
    found: Array = (wide - mean) / np.sqrt(variance + epsilon)
    return found


def test_statistics_of_planes_groups_and_layers() -> None:
    epsilon = float(np.float32(1e-5))
    scale, bias = vector(6), vector(6)
    column = (6, 1, 1)
    (y,) = run("InstanceNormalization", X, scale, bias)
    truth = standardized(X, (2, 3), epsilon) * scale.reshape(column) + bias.reshape(column)
    assert near(y, truth)
    (y,) = run("GroupNormalization", X, scale, bias, num_groups=3)
    grouped = standardized(X.reshape(2, 3, 2, 3, 4), (2, 3, 4), epsilon).reshape(X.shape)
    assert near(y, grouped * scale.reshape(column) + bias.reshape(column))
    (y,) = run("GroupNormalization", X, scale[:3], bias[:3], num_groups=3, opset=18)
    each = [np.repeat(p[:3], 2).reshape(column) for p in (scale, bias)]
    assert near(y, grouped * each[0] + each[1])
    weights = vector(12).reshape(3, 4)
    y, mean, inverse = run("LayerNormalization", X, weights, axis=2, outputs=3)
    assert near(y, standardized(X, (2, 3), epsilon) * weights)
    assert mean.shape == inverse.shape == (2, 6, 1, 1)
    assert near(mean, X.astype(float).mean(axis=(2, 3), keepdims=True))
    (y,) = run("RMSNormalization", X, vector(4))
    assert y.shape == X.shape


def test_wrong_groups_and_axes() -> None:
    with pytest.raises(EngineError, match="4 groups do not divide"):
        run("GroupNormalization", X, vector(6), vector(6), num_groups=4)
    with pytest.raises(EngineError, match="num_groups is 0"):
        run("GroupNormalization", X, vector(6), vector(6), num_groups=0)
    with pytest.raises(EngineError, match="axis 4 of a tensor of rank 4"):
        run("LayerNormalization", X, vector(4), axis=4)
