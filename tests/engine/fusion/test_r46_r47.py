"""R46 and R47: what others still read stays as it was; what nobody reads any more goes."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from engine import Session
from tests.engine.fusion.checks import assert_same_bits, fired, refusals
from tests.engine.models import qdq_conv
from tests.engine.plans import EXACT, W, X, reasons

make = helper.make_node


def with_reader(where: str) -> onnx.ModelProto:
    """Somebody besides the convolution needs "xf": a node, the caller, or a branch of an If."""
    model = qdq_conv(W, **EXACT, outputs=("y", "xf" if where == "output" else "other"))
    if where == "node":
        model.graph.node.append(make("Sin", ["xf"], ["other"], name="r"))
    elif where == "branch":
        info = helper.make_tensor_value_info("b", TensorProto.FLOAT, None)
        branch = helper.make_graph([make("Sin", ["xf"], ["b"])], "g", [], [info])
        node = make("If", ["c"], ["other"], name="i", then_branch=branch, else_branch=branch)
        model.graph.node.append(node)
        model.graph.input.append(helper.make_tensor_value_info("c", TensorProto.BOOL, []))
    return model


def feeds(model: onnx.ModelProto) -> dict[str, Any]:
    given: dict[str, Any] = {"x": X, "c": np.array(True)}
    return {each.name: given[each.name] for each in model.graph.input}


@pytest.mark.parametrize("where", ["node", "output", "branch"])
def test_a_dequantize_that_others_read_stays_for_them(where: str) -> None:
    model = with_reader(where)
    assert fired(model) >= {"R01", "R46"}
    steps = Session(model).plan().steps
    (kept,) = [each for each in steps if each.kind == "DequantizeLinear"]
    assert (kept.nodes, kept.outputs, kept.rule) == (("dx",), ("xf",), "R46")
    assert_same_bits(model, feeds(model))


@pytest.mark.parametrize(
    ("where", "who"),
    [
        ("node", "'xf' has 2 consumers: c1, r"),
        ("output", "'xf' is a graph output"),
        ("branch", "'xf' has 2 consumers: c1, i"),
    ],
)
def test_without_r46_it_is_shared(where: str, who: str) -> None:
    model = with_reader(where)
    assert f"G12: dx is shared ({who}) and R46 is off" in refusals(model, "R01", off=["R46"])
    assert "R01" not in fired(model, off=["R46"])
    assert reasons(model, ["R46"])["c1"].endswith("and R46 is off")
    assert_same_bits(model, feeds(model))


def test_what_nobody_reads_goes_with_all_that_fed_it() -> None:
    """R47: the weights' DequantizeLinear was for the convolution only."""
    model = with_reader("node")
    kinds = [each.kind for each in Session(model).plan().steps]
    assert sorted(kinds) == ["DequantizeLinear", "QConv", "Sin"]


def test_what_was_read_by_nobody_in_the_model_is_not_touched() -> None:
    model = qdq_conv(W, **EXACT)
    model.graph.node.append(make("Sin", ["xf"], ["unused"], name="r"))
    assert [each.kind for each in Session(model).plan().steps].count("Sin") == 1
    assert_same_bits(model, {"x": X})


@pytest.mark.parametrize("where", ["node", "output", "branch"])
def test_a_sum_that_others_read_is_no_unit(where: str) -> None:
    """G3: R47 counts readers in branches and graph outputs too."""
    model = with_reader(where)
    for node in model.graph.node:
        if node.name in ("r", "i"):
            for graph in [node, *(each.g.node[0] for each in node.attribute)]:
                for i, name in enumerate(graph.input):
                    graph.input[i] = "cf" if name == "xf" else name
    if where == "output":
        model.graph.output[1].name = "cf"
    assert "R01" not in fired(model)
    assert "R01 G3: 'cf'" in reasons(model)["c1"]
    assert_same_bits(model, feeds(model))
