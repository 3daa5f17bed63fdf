"""Indices by order: every outcome of brute force is allowed, and doubt is only where it must be."""

from itertools import product

import numpy as np
import pytest
from onnx import helper

from corpus.case import Array
from harness.oracle import Allowed, Oracle
from tests.harness.oracle.models import constant, model

F = np.float32


def undecided(op: str, codes: Array, **attributes: int) -> dict[str, Allowed]:
    """Codes of which those at half steps may become two: quantized, dequantized, then ordered."""
    scale = F(0.1)
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
    ]
    constants = [constant("s", scale), constant("z", 0, np.int8)]
    if op == "TopK":
        constants.append(constant("k", np.array([2], np.int64)))
        nodes.append(helper.make_node(op, ["d", "k"], ["v", "y"], **attributes))
    else:
        nodes.append(helper.make_node(op, ["d"], ["y"], **attributes))
    graph = model(nodes, constants, {"x": ("float32", codes.shape)}, {"y": "float32"})
    return Oracle(graph).allowed({"x": (codes * scale).astype(F)}, ["q", "y"])


def chosen(op: str, codes: Array, last: bool) -> list[int]:
    order = -codes if op in ("ArgMax", "TopK") else codes
    ranks = [int(i) for i in np.argsort(order, kind="stable")]
    if op == "TopK":
        return ranks[:2]
    return [max(i for i in ranks if codes[i] == codes[ranks[0]]) if last else ranks[0]]


@pytest.mark.parametrize("op", ["ArgMax", "ArgMin", "TopK"])
def test_every_outcome_is_allowed(op: str) -> None:
    rng = np.random.default_rng(50)
    doubts = 0
    for index in range(200):
        last = bool(index % 2) and op != "TopK"
        halves = rng.integers(-6, 7, (1, 5)) / 2
        attributes = {"select_last_index": int(last)} if op != "TopK" else {}
        axis = {"axis": 1} if op != "TopK" else {"axis": -1}
        found = undecided(op, halves, **axis, **attributes)
        q, y = found["q"], found["y"]
        outcomes = [
            chosen(op, np.array(codes), last)
            for codes in product(
                *(range(a, b + 1) for a, b in zip(q.low[0], q.high[0], strict=True))
            )
        ]
        low, high = y.low.ravel(), y.high.ravel()
        for each in outcomes:
            assert np.all((low <= each) & (each <= high)), (halves, q, y)
        if len({tuple(each) for each in outcomes}) == 1 and q.slack == 0:
            assert low.tolist() == high.tolist() == outcomes[0]
        doubts += bool((low < high).any())
    assert 20 < doubts < 190


def test_values_of_two_scales_an_ulp_apart_may_come_in_either_order() -> None:
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "s"], ["d"], axis=1),
        helper.make_node("ArgMax", ["d"], ["y"], axis=1, keepdims=0),
    ]
    above = np.nextafter(F(0.3), F(1))
    q = np.array([[100, 100, 7], [100, 99, 101]], np.int8)
    for scales, want in (
        ([0.3, above, 0.3], [(0, 1), (2, 2)]),
        ([0.3, 0.3, 0.3], [(0, 0), (2, 2)]),
    ):
        constants = [constant("s", np.array(scales, F))]
        graph = model(nodes, constants, {"q": ("int8", (2, 3))}, {"y": "float32"})
        y = Oracle(graph).allowed({"q": q})["y"]
        assert list(zip(y.low.tolist(), y.high.tolist(), strict=True)) == want
