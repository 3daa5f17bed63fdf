"""A bug of one layer's shape is found at once among cases like the model; among all others, hardly ever."""

import onnx
from onnx import numpy_helper

from corpus.case import Case
from engine import Session
from generators.graphs import draw_case
from generators.like import like_case, mine
from harness.oracle import Oracle
from harness.outcome import Values
from harness.verdicts import is_right
from tests.generators.like.nets import messy

LIKE, OTHERS = 30, 200


def is_that_layer(model: onnx.ModelProto) -> bool:
    """A 3x3 convolution in groups of five channels: of the network, one layer."""
    known = {each.name: numpy_helper.to_array(each).shape for each in model.graph.initializer}
    shapes = [shape for shape in known.values() if len(shape) == 4]
    return any(shape[1:] == (5, 3, 3) and _groups(model) > 1 for shape in shapes)


def _groups(model: onnx.ModelProto) -> int:
    said = (each for node in model.graph.node for each in node.attribute)
    return max((each.i for each in said if each.name == "group"), default=1)


def is_wrong(case: Case) -> bool:
    """By an engine that takes the border of that layer alone for zeros, which are not its zero point."""
    model = case.proto()
    faults = ("F25",) if is_that_layer(model) else ()
    values = Values(Session(case.model, faults=faults).run(case.inputs))
    return not is_right(values, Oracle(model).allowed(case.inputs))


def test_a_bug_of_one_layer() -> None:
    parts = mine(messy()).parts
    assert any(is_wrong(like_case(parts, "any", seed)) for seed in range(LIKE))
    assert not any(is_that_layer(draw_case("all", "any", n).proto()) for n in range(OTHERS))
