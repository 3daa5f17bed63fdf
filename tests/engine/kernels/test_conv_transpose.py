"""ConvTranspose and ConvInteger against loops that are their definitions."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper

from engine import EngineError, Session
from tests.engine.models import Array, graph_model


def scattered(
    x: Array, w: Array, groups: int, strides: Any, dilations: Any, pads: Any, extra: Any
) -> Array:
    """Every input element times the weights, added to where its window lies."""
    count = x.ndim - 2
    full = [
        s * (n - 1) + d * (k - 1) + 1 + e
        for n, k, s, d, e in zip(
            x.shape[2:], w.shape[2:], strides, dilations, extra, strict=True
        )
    ]
    inner, outer = x.shape[1] // groups, w.shape[1]
    y = np.zeros((x.shape[0], groups * outer, *full))
    for c in range(x.shape[1]):
        first = c // inner * outer
        for at, tap in product(np.ndindex(*x.shape[2:]), np.ndindex(*w.shape[2:])):
            place = tuple(
                s * a + d * t for s, a, d, t in zip(strides, at, dilations, tap, strict=True)
            )
            y[:, first : first + outer, *place] += x[:, c, *at][:, None] * w[c][:, *tap]
    cut = (slice(pads[i], full[i] - pads[i + count]) for i in range(count))
    return y[:, :, *cut]


@st.composite
def geometries(draw: st.DrawFn) -> dict[str, Any]:
    rank = draw(st.integers(1, 3))

    def axes(low: int, high: int, count: int = rank) -> list[int]:
        return draw(st.lists(st.integers(low, high), min_size=count, max_size=count))

    strides = axes(1, 3)
    return {
        "image": axes(1, 4),
        "kernel": axes(1, 3),
        "strides": strides,
        "dilations": axes(1, 2),
        "pads": axes(0, 1, 2 * rank),
        "output_padding": [draw(st.integers(0, s - 1)) for s in strides],
        "group": draw(st.sampled_from([1, 2, 3])),
        "seed": draw(st.integers(0, 9999)),
    }


@given(geometries())
@settings(max_examples=150, deadline=None)
def test_a_transposed_convolution_scatters(g: dict[str, Any]) -> None:
    r = np.random.default_rng(g["seed"])
    groups = g["group"]
    x = r.integers(-9, 10, (2, 2 * groups, *g["image"])).astype(np.float32)
    w = r.integers(-9, 10, (2 * groups, 3, *g["kernel"])).astype(np.float32)
    expected = scattered(
        x, w, groups, g["strides"], g["dilations"], g["pads"], g["output_padding"]
    )
    if min(expected.shape) < 1:
        return
    names = ("strides", "dilations", "pads", "output_padding", "group")
    node = helper.make_node(
        "ConvTranspose", ["x", "w"], ["y"], **{name: g[name] for name in names}
    )
    model = graph_model(
        [node], {"x": (np.float32, list(x.shape))}, {"y": np.float32}, {"w": w}
    )
    assert np.array_equal(Session(model).run({"x": x})["y"], expected)


@pytest.mark.parametrize(
    ("attributes", "size"),
    [
        ({"output_shape": [8]}, 8),
        ({"output_shape": [11]}, 11),
        ({"auto_pad": "SAME_UPPER", "strides": [2]}, 8),
        ({"auto_pad": "SAME_LOWER", "strides": [3]}, 12),
        ({"auto_pad": "VALID", "strides": [2]}, 9),
    ],
)
def test_the_size_of_the_output(attributes: dict[str, Any], size: int) -> None:
    strides = attributes.get("strides", [2])
    node = helper.make_node(
        "ConvTranspose", ["x", "w"], ["y"], **{"strides": strides} | attributes
    )
    x, w = np.ones((1, 1, 4), np.float32), np.ones((1, 1, 3), np.float32)
    model = graph_model([node], {"x": (np.float32, [1, 1, 4])}, {"y": np.float32}, {"w": w})
    assert Session(model).run({"x": x})["y"].shape == (1, 1, size)


def test_what_does_not_fit_is_one_line() -> None:
    node = helper.make_node("ConvTranspose", ["x", "w"], ["y"], name="ct")
    w = np.ones((3, 1, 2), np.float32)
    model = graph_model([node], {"x": (np.float32, [1, 2, 4])}, {"y": np.float32}, {"w": w})
    with pytest.raises(EngineError, match="ConvTranspose 'ct': float32") as caught:
        Session(model).run({"x": np.ones((1, 2, 4), np.float32)})
    assert "\n" not in str(caught.value)


def summed(x: Array, w: Array, groups: int, pads: Any, xz: int, wz: Array) -> Array:
    """``sum (x - xz)(w - wz)`` over every window, in int64."""
    count, inner = x.ndim - 2, w.shape[1]
    around = [(0, 0), (0, 0), *zip(pads[:count], pads[count:], strict=True)]
    centred = np.pad(x.astype(np.int64) - xz, around)
    weights = w.astype(np.int64) - wz.reshape(-1, *(1,) * (w.ndim - 1))
    out = [n - k + 1 for n, k in zip(centred.shape[2:], w.shape[2:], strict=True)]
    y = np.zeros((x.shape[0], len(w), *out), np.int64)
    for m, at in product(range(len(w)), np.ndindex(*out)):
        first = m // (len(w) // groups) * inner
        window = tuple(slice(a, a + k) for a, k in zip(at, w.shape[2:], strict=True))
        part = centred[:, first : first + inner, *window]
        y[:, m, *at] = (part * weights[m]).sum(axis=tuple(range(1, part.ndim)))
    return y


def drawn(seeds: range) -> Iterator[tuple[Array, Array, int, list[int], Any, Array]]:
    for seed in seeds:
        r = np.random.default_rng(seed)
        rank, groups = int(r.integers(1, 4)), int(r.choice([1, 2, 3]))
        kernel = tuple(int(n) for n in r.integers(1, 4, rank))
        types = (np.uint8, np.int8)
        xt, wt = types[int(r.integers(0, 2))], types[int(r.integers(0, 2))]
        info, winfo = np.iinfo(xt), np.iinfo(wt)
        x = r.integers(info.min, info.max + 1, (2, groups * 2, *r.integers(3, 6, rank)))
        w = r.integers(winfo.min, winfo.max + 1, (groups * 2, 2, *kernel)).astype(wt)
        wz = r.integers(winfo.min, winfo.max + 1, len(w) if seed % 2 else 1).astype(wt)
        pads = [int(n) for n in r.integers(0, 2, 2 * rank)]
        yield (
            x.astype(xt),
            w,
            groups,
            pads,
            np.array(r.integers(info.min, info.max + 1), xt),
            wz,
        )


def test_integer_sums_are_those_of_loops() -> None:
    for x, w, groups, pads, xz, wz in drawn(range(60)):
        node = helper.make_node(
            "ConvInteger", ["x", "w", "xz", "wz"], ["y"], pads=pads, group=groups
        )
        constants = {"w": w, "xz": xz, "wz": wz if wz.size > 1 else wz.reshape(())}
        model = graph_model(
            [node], {"x": (x.dtype, list(x.shape))}, {"y": np.int32}, constants
        )
        expected = summed(
            x, w, groups, pads, int(xz), np.broadcast_to(wz.astype(np.int64), len(w))
        )
        found = Session(model).run({"x": x})["y"]
        assert found.dtype == np.int32
        assert np.array_equal(found, expected)
