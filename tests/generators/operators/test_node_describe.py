"""Every case of the node families is read back as a spec that computes the same."""

import numpy as np
import pytest
from onnx import helper

from corpus.case import Array, Case
from engine import EngineError, Session, load
from generators.choices import RandomChoices
from generators.operators.conv import ConvSpec
from generators.operators.conv import build as build_conv
from generators.operators.node import FAMILIES, NodeSpec, Operand, Tail, build, describe

SEEDS = 120
X = Operand("x", (2, 3), "uint8", (0.5,), (3,), seed=1)
Y = Operand("y", (2, 3), "uint8", (0.25,), (7,))


def computed(case: Case) -> list[Array] | str:
    try:
        return list(Session(load(case.model)).run(case.inputs).values())
    except EngineError as error:
        return str(error)


def is_same(first: Case, second: Case) -> bool:
    a, b = computed(first), computed(second)
    if isinstance(a, str) or isinstance(b, str):
        return a == b
    return [(x.dtype, x.shape, x.tobytes()) for x in a] == [
        (x.dtype, x.shape, x.tobytes()) for x in b
    ]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_described_case_computes_the_same(family: str) -> None:
    for seed in range(SEEDS):
        case = build(FAMILIES[family](RandomChoices(seed), "any")[0])
        found = describe(case)
        assert found is not None
        again = build(found)
        assert is_same(case, again)
        assert describe(again) == found


@pytest.mark.parametrize(
    "spec",
    [
        NodeSpec("", (X,), (Operand("xr", (2, 3), "float32"),)),
        NodeSpec("", (X,), (Y,)),
        NodeSpec("", (Operand("x", (2, 3), "float32", seed=2),), (Y,), y_float=True),
        NodeSpec("Relu", (X,), (Y,), x_float=True, y_float=True),
        NodeSpec("Add", (X, X), (Y,), tails=(Tail("Sigmoid"), Tail("Mul", twice=True))),
        NodeSpec("MaxPool", (Operand("x", (1, 1, 3), "int8"),), (Operand("y", (1, 1, 2), "int8"),),
                 (("kernel_shape", (2,)),)),
    ],
    ids=lambda spec: spec.op or "conversions",
)  # fmt: skip
def test_what_shrinking_leaves(spec: NodeSpec) -> None:
    if spec.op == "Add":
        spec = NodeSpec(
            "Add", (X, Operand("b", (2, 3), "uint8", (0.5,), (3,))), (Y,), tails=spec.tails
        )
    found = describe(build(spec))
    assert found is not None
    assert (found.op, found.x_float, found.y_float) == (spec.op, spec.x_float, spec.y_float)
    assert [each.op for each in found.tails] == [each.op for each in spec.tails]
    assert is_same(build(spec), build(found))


def test_names_and_a_tensor_that_is_read_twice_do_not_matter() -> None:
    case = build(NodeSpec("Mul", (X, Operand("b", (2, 3), "uint8", (0.5,), (3,))), (Y,)))
    model = case.proto()
    for node in model.graph.node:
        node.name = ""
        for i, name in enumerate(node.input):
            node.input[i] = {"br": "xr"}.get(name, name)
    model.graph.node.remove(next(node for node in model.graph.node if "br" in node.output))
    model.graph.input.remove(next(each for each in model.graph.input if each.name == "b"))
    twice = case.with_model(model).with_inputs({"x": case.inputs["x"]})
    found = describe(twice)
    assert found is not None
    assert [each.name for each in found.operands] == ["a", "b"]
    assert is_same(twice, build(found))


def test_an_unread_result_is_remembered_as_such() -> None:
    spec = NodeSpec(
        "TopK",
        (X, Operand("k", (1,), "int64", constant=True, array=np.array([2]))),
        (Operand("y0", (), ""), Operand("y1", (2, 2), "int64")),
    )
    found = describe(build(spec))
    assert found is not None
    assert [each.is_read for each in found.results] == [False, True]


def test_other_models_are_none() -> None:
    assert describe(build_conv(ConvSpec(form="QDQ", doubled="x"))) is None
    case = build(NodeSpec("Relu", (X,), (Y,)))
    model = case.proto()
    model.graph.node.append(helper.make_node("Identity", ["y"], ["z"]))
    model.graph.output[0].name = "z"
    assert describe(case.with_model(model)) is None
    model = case.proto()
    model.graph.node[1].input[0] = "x"
    assert describe(case.with_model(model)) is None
