"""Where windows lie: against a loop, and against tables of the standard."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies
from onnx import helper

from engine import Session
from engine.errors import EngineError, InvalidModel, Unsupported
from engine.kernels import pooling
from tests.engine.kernels.loops import windows_of
from tests.engine.models import Array, graph_model


def pool(
    op: str, x: Array, outputs: int = 1, opset: int = 22, **attributes: Any
) -> list[Array]:
    names = ["y", "i"][:outputs]
    node = helper.make_node(op, ["x"], names, name="p", **attributes)
    dtypes = {"y": x.dtype, "i": np.int64}
    model = graph_model(
        [node], {"x": (x.dtype, list(x.shape))}, {n: dtypes[n] for n in names}, {}, opset
    )
    return list(Session(model).run({"x": x}).values())


@strategies.composite
def pools(draw: Any) -> dict[str, Any]:
    """Images of rank 1 to 3, and a pool each of whose windows sees something."""
    rank = draw(strategies.integers(1, 3))
    side = strategies.integers
    kernel = draw(strategies.tuples(*[side(1, 3)] * rank))
    dilations = draw(strategies.tuples(*[side(1, 2)] * rank))
    extents = [d * (k - 1) + 1 for d, k in zip(dilations, kernel, strict=True)]
    image = tuple(draw(side(e, e + 4)) for e in extents)
    pads = [
        draw(side(0, (k - 1) // 2 * d)) for k, d in zip(kernel * 2, dilations * 2, strict=True)
    ]
    return {
        "image": image,
        "kernel": kernel,
        "strides": draw(strategies.tuples(*[side(1, 3)] * rank)),
        "dilations": dilations,
        "pads": tuple(pads),
        "ceil": draw(strategies.booleans()),
        "seed": draw(side(0, 2**16)),
    }


def attributes_of(p: dict[str, Any]) -> dict[str, Any]:
    names = {"kernel": "kernel_shape", "ceil": "ceil_mode"}
    kept = ("kernel", "strides", "dilations", "pads", "ceil")
    return {names.get(n, n): int(p[n]) if n == "ceil" else list(p[n]) for n in kept}


@given(pools())
def test_maxima_and_their_indices_are_those_of_a_loop(p: dict[str, Any]) -> None:
    x = np.random.default_rng(p["seed"]).integers(-5, 5, (2, 2, *p["image"])).astype(np.int8)
    geometry = [p[n] for n in ("kernel", "strides", "dilations", "pads", "ceil")]
    y, where = pool("MaxPool", x, 2, **attributes_of(p))
    assert (pool("MaxPool", x, **attributes_of(p))[0] == y).all()
    for index in np.ndindex(2, 2):
        out, seen = windows_of(x[index], *geometry)
        assert y.shape[2:] == where.shape[2:] == out
        assert y[index].ravel().tolist() == [max(each.values) for each in seen]
        first = [each.places[each.values.index(max(each.values))] for each in seen]
        plane = np.ravel_multi_index(index, (2, 2)) * x[index].size
        assert where[index].ravel().tolist() == [plane + each for each in first]


@given(pools(), strategies.booleans())
def test_means_are_those_of_a_loop(p: dict[str, Any], with_pads: bool) -> None:
    x = (
        np.random.default_rng(p["seed"])
        .integers(-9, 9, (1, 2, *p["image"]))
        .astype(np.float32)
    )
    geometry = [p[n] for n in ("kernel", "strides", "dilations", "pads", "ceil")]
    (y,) = pool("AveragePool", x, count_include_pad=int(with_pads), **attributes_of(p))
    for index in np.ndindex(1, 2):
        out, seen = windows_of(x[index], *geometry)
        assert y.shape[2:] == out
        for actual, each in zip(y[index].ravel(), seen, strict=True):
            n = each.padded if with_pads else len(each.values)
            assert actual == np.float32(sum(each.values)) / np.float32(n)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.float16, np.float32, np.float64])
def test_a_border_never_wins(dtype: Any) -> None:
    low = np.iinfo(dtype).min if np.dtype(dtype).kind in "iu" else -np.inf
    x = np.full((1, 1, 3, 3), low, dtype)
    y, where = pool("MaxPool", x, 2, kernel_shape=[2, 2], pads=[1, 1, 1, 1])
    assert y.dtype == dtype
    assert (y == low).all()
    assert where[0, 0].tolist() == [[0, 0, 1, 2], [0, 0, 1, 2], [3, 3, 4, 5], [6, 6, 7, 8]]


def test_indices_in_column_major_order() -> None:
    x = np.arange(12, dtype=np.float32).reshape(1, 2, 3, 2)
    (_, rows) = pool("MaxPool", x, 2, kernel_shape=[2, 1])
    (_, columns) = pool("MaxPool", x, 2, kernel_shape=[2, 1], storage_order=1)
    assert rows.ravel().tolist() == [2, 3, 4, 5, 8, 9, 10, 11]
    assert columns.ravel().tolist() == [1, 4, 2, 5, 7, 10, 8, 11]


def test_nan_is_above_all_with_and_without_indices() -> None:
    x = np.array([[[1, np.nan, 3, np.nan, np.nan, 0]]], np.float32)
    y, where = pool("MaxPool", x, 2, kernel_shape=[2], strides=[2])
    assert np.isnan(y).tolist() == [[[True, True, True]]]
    assert where.tolist() == [[[1, 3, 4]]]
    assert np.isnan(pool("MaxPool", x, kernel_shape=[2], strides=[2])[0]).all()


@pytest.mark.parametrize(
    ("auto_pad", "expected"),
    [
        ("SAME_UPPER", [2, 4, 5]),
        ("SAME_LOWER", [1, 3, 5]),
        ("VALID", [2, 4]),
        ("NOTSET", [2, 4]),
    ],
)
def test_auto_pad(auto_pad: str, expected: list[int]) -> None:
    x = np.arange(6, dtype=np.float32).reshape(1, 1, 6)
    (y,) = pool("MaxPool", x, kernel_shape=[3], strides=[2], auto_pad=auto_pad)
    assert y.ravel().tolist() == expected


def test_a_last_window_must_not_start_in_the_end_pad() -> None:
    x = np.arange(5, dtype=np.float32).reshape(1, 1, 5)
    how: dict[str, Any] = {"kernel_shape": [3], "strides": [3], "pads": [1, 1], "ceil_mode": 1}
    assert pool("MaxPool", x, **how)[0].ravel().tolist() == [1, 4]
    # 5 + 2 pads, windows at -1 and 2; a third would start at 5, behind the image
    assert pool("AveragePool", x, count_include_pad=1, **how)[0].ravel().tolist() == [
        float(np.float32(1) / np.float32(3)),
        3,
    ]


def test_what_ceil_mode_adds_behind_the_pad_never_counts() -> None:
    x = np.ones((1, 1, 6), np.float32)
    how: dict[str, Any] = {"kernel_shape": [3], "strides": [2], "pads": [1, 1], "ceil_mode": 1}
    (y,) = pool("AveragePool", x, count_include_pad=1, **how)
    assert y.ravel().tolist() == [float(np.float32(2) / np.float32(3)), 1, 1, 0.5]


@pytest.mark.parametrize("shape", [(0, 2, 4), (2, 0, 4)])
def test_empty_batches_and_channels(shape: tuple[int, ...]) -> None:
    x = np.zeros(shape, np.float32)
    for op in ("MaxPool", "AveragePool", "LpPool"):
        assert pool(op, x, kernel_shape=[2])[0].shape == (*shape[:2], 3)
    assert pool("MaxPool", x, 2, kernel_shape=[2])[1].shape == (*shape[:2], 3)


@given(
    pools(), strategies.integers(1, 40), strategies.sampled_from(["MaxPool", "AveragePool"])
)
def test_parts_of_planes_change_nothing(p: dict[str, Any], chunk: int, op: str) -> None:
    x = (
        np.random.default_rng(p["seed"])
        .integers(-9, 9, (2, 2, *p["image"]))
        .astype(np.float32)
    )
    (whole,) = pool(op, x, **attributes_of(p))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pooling, "CHUNK", chunk)
        (parts,) = pool(op, x, **attributes_of(p))
    assert parts.shape == whole.shape
    assert (parts == whole).all()


def test_many_planes_are_pooled_in_parts() -> None:
    x = np.random.default_rng(0).integers(0, 256, (3, 50, 60, 59)).astype(np.uint8)
    (y,) = pool("MaxPool", x, kernel_shape=[2, 3], strides=[2, 3])
    tiles = x[:, :, :, :57].reshape(3, 50, 30, 2, 19, 3)
    assert (y == tiles.max(axis=(3, 5))).all()


@pytest.mark.parametrize(
    ("attributes", "error", "words"),
    [
        ({}, InvalidModel, "has no kernel_shape"),
        ({"kernel_shape": [2, 2]}, EngineError, "1 spatial axes, kernel (2, 2)"),
        ({"kernel_shape": [2], "pads": [-1, 0]}, InvalidModel, "pads [-1, 0] are negative"),
        ({"kernel_shape": [0]}, InvalidModel, "must be positive"),
        ({"kernel_shape": [9]}, EngineError, "does not fit"),
        ({"kernel_shape": [2], "pads": [2, 2]}, EngineError, "sees only the border"),
        (
            {"kernel_shape": [3], "strides": [2], "auto_pad": "VALID", "ceil_mode": 1},
            Unsupported,
            "auto_pad VALID with ceil_mode 1",
        ),
        ({"kernel_shape": [2], "auto_pad": "SAME"}, InvalidModel, "auto_pad is 'SAME'"),
    ],
)
def test_refusals(attributes: dict[str, Any], error: type[EngineError], words: str) -> None:
    with pytest.raises(error) as caught:
        pool("MaxPool", np.zeros((1, 1, 6), np.float32), **attributes)
    assert words in str(caught.value)
    assert "'p'" in str(caught.value) or "p:" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_global_maxima() -> None:
    x = np.arange(24, dtype=np.int8).reshape(2, 2, 3, 2)
    assert pool("GlobalMaxPool", x)[0].ravel().tolist() == [5, 11, 17, 23]
    with pytest.raises(EngineError, match="none empty"):
        pool("GlobalMaxPool", np.zeros((1, 2, 0), np.float32))
    with pytest.raises(EngineError, match="one spatial axis"):
        pool("GlobalMaxPool", np.zeros((1, 2), np.float32))


def test_unpooling_puts_values_back_to_their_indices() -> None:
    x = np.random.default_rng(1).standard_normal((2, 3, 6, 4)).astype(np.float32)
    y, where = pool("MaxPool", x, 2, kernel_shape=[2, 2], strides=[2, 2])
    node = helper.make_node(
        "MaxUnpool", ["y", "i"], ["x"], kernel_shape=[2, 2], strides=[2, 2]
    )
    model = graph_model(
        [node], {"y": (np.float32, None), "i": (np.int64, None)}, {"x": np.float32}, {}
    )
    back = Session(model).run({"y": y, "i": where})["x"]
    assert back.shape == x.shape
    assert (back[back != 0] == x[back != 0]).all()
    assert (np.sort(back[back != 0]) == np.sort(y.ravel())).all()
    with pytest.raises(EngineError, match="indices outside"):
        Session(model).run({"y": y, "i": where + x.size})
