"""Inputs in doubt: whichever of the allowed codes an engine took, what follows from them is allowed."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from corpus.case import Array
from harness.oracle import Oracle, Silent
from tests.harness.oracle import test_codes
from tests.harness.oracle.agreement import Feeds, Graph, Tally, drawn, run_onnxruntime
from tests.harness.oracle.test_agreement import PLAIN, RIGHT, ZERO_POINT_INSIDE

F = np.float32
GRAPHS = {**RIGHT, **ZERO_POINT_INSIDE, "Softmax": Graph("Softmax", PLAIN)}
del GRAPHS["MaxPool with indices"]  # see the last test
del GRAPHS["MaxPool with indices by columns"]
ON_CODES = {
    name: each
    for name, each in {**test_codes.RIGHT, **test_codes.ZERO_POINT_INSIDE}.items()
    if name.startswith("Q")
}


def with_floats(model: onnx.ModelProto, feeds: Feeds) -> tuple[onnx.ModelProto, Feeds]:
    """The same graph fed with floats, half of them in the middle of two codes."""
    rng = np.random.default_rng(95)
    constants = {c.name: numpy_helper.to_array(c) for c in model.graph.initializer}
    changed, floats = onnx.ModelProto(), {}
    changed.CopyFrom(model)
    del changed.graph.input[:]
    for place, (name, codes) in enumerate(feeds.items()):
        steps = codes.astype(np.int64) - int(constants[f"{name}_z"])
        halves = steps + rng.integers(0, 2, codes.shape) / 2
        floats[f"{name}_f"] = (halves * float(constants[f"{name}_s"])).astype(F)
        changed.graph.input.append(
            helper.make_tensor_value_info(f"{name}_f", TensorProto.FLOAT, codes.shape)
        )
        node = helper.make_node(
            "QuantizeLinear", [f"{name}_f", f"{name}_s", f"{name}_z"], [name]
        )
        changed.graph.node.insert(place, node)
    return changed, floats


def outcomes(low: Array, high: Array, rng: np.random.Generator) -> Array:
    """All low, all high, or each by chance."""
    chance: Array = rng.random(low.shape) < rng.choice([0.0, 0.5, 1.0])
    return np.where(chance, low, high)


def check(model: onnx.ModelProto, feeds: Feeds, rng: np.random.Generator, seen: Tally) -> int:
    """Adds what three choices give; how many elements there were to choose."""
    whole, floats = with_floats(model, feeds)
    names = [each.name for each in whole.graph.output]
    sets = Oracle(whole).allowed(floats, [*feeds, *names])
    for _ in range(3):
        codes = {
            n: outcomes(sets[n].low, sets[n].high, rng).astype(each.dtype)
            for n, each in feeds.items()
        }
        found = run_onnxruntime(model, codes, "DISABLE_ALL")
        for output, actual in zip(names, found, strict=True):
            seen.add(sets[output], actual, output)
    return sum(int(np.count_nonzero(sets[n].low < sets[n].high)) for n in feeds)


@pytest.mark.backend("ort")
@pytest.mark.parametrize("name", GRAPHS)
def test_every_choice_of_codes_is_allowed(name: str) -> None:
    seen, doubts = Tally(), 0
    for index in range(4):
        rng = np.random.default_rng([96, index])
        kind, dtype = ("decimal", "random")[index % 2], ("uint8", "int8")[index // 2]
        doubts += check(*drawn(GRAPHS[name], rng, kind, dtype), rng, seen)
    assert doubts > 0
    assert seen.outside == 0, seen.first


@pytest.mark.backend("ort")
@pytest.mark.parametrize("name", ON_CODES)
def test_operators_on_codes_too(name: str) -> None:
    seen, doubts = Tally(), 0
    for index in range(4):
        rng = np.random.default_rng([97, index])
        kind, dtype = ("decimal", "random")[index % 2], ("uint8", "int8")[index // 2]
        doubts += check(*ON_CODES[name](rng, kind, dtype), rng, seen)
    assert doubts > 0
    assert seen.outside == 0, seen.first


def test_which_of_several_in_doubt_is_largest_is_not_judged() -> None:
    graph = RIGHT["MaxPool with indices"]
    rng = np.random.default_rng(98)
    model, feeds = with_floats(*drawn(graph, rng, "decimal", "uint8"))
    with pytest.raises(Silent, match="MaxPool 'n': indices of values in doubt"):
        Oracle(model).allowed(feeds)
