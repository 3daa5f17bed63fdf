"""If: the branch that the condition chooses, with what it reads from around it."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from engine import EngineError, InvalidModel, Session, Unsupported
from tests.engine.models import Array, graph_model, qdq_conv

make = helper.make_node
X = np.array([-1.0, 2.0], np.float32)


def branch(
    nodes: list[onnx.NodeProto], outputs: list[str], constants: dict[str, Array] | None = None
) -> onnx.GraphProto:
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    stored = [numpy_helper.from_array(each, name) for name, each in (constants or {}).items()]
    return helper.make_graph(nodes, "b", [], infos, stored)


def choice(then: onnx.GraphProto, other: onnx.GraphProto, outputs: Any = ("y",)) -> Any:
    node = make("If", ["c"], list(outputs), name="i", then_branch=then, else_branch=other)
    nodes = [make("Relu", ["x"], ["r"], name="relu"), node]
    inputs: Any = {"x": (np.float32, [2]), "c": (np.bool_, None)}
    shown = {name: np.float32 for name in outputs if name}
    return graph_model(nodes, inputs, shown, {"k": np.array([3], np.float32)})


ADD = branch([make("Add", ["r", "k"], ["t"])], ["t"])
MUL = branch([make("Mul", ["x", "own"], ["e"])], ["e"], {"own": np.array([5], np.float32)})


@pytest.mark.parametrize("condition", [True, False])
@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_the_chosen_branch_runs(condition: bool, shape: tuple[int, ...]) -> None:
    model = choice(ADD, MUL)
    feeds = {"x": X, "c": np.full(shape, condition)}
    expected = ReferenceEvaluator(model).run(None, {"x": X, "c": np.array(condition)})[0]
    for fusion in ("on", "off"):
        actual = Session(model, fusion=fusion).run(feeds)["y"]
        assert actual.dtype == expected.dtype
        assert (actual == expected).all()


def test_constants_around_a_branch_are_its_constants_and_computed_tensors_inputs() -> None:
    (_, step) = Session(choice(ADD, MUL)).plan().steps
    assert step.kind == "If"
    assert step.inputs == ("c", "x", "r")  # else_branch is stored first


def test_branches_in_branches_read_from_all_around() -> None:
    inner = make("If", ["c"], ["v"], then_branch=ADD, else_branch=MUL)
    outer = branch([inner, make("Add", ["v", "k"], ["o"])], ["o"])
    session = Session(choice(outer, MUL))
    assert (session.run({"x": X, "c": np.array(True)})["y"] == [6, 8]).all()
    assert (session.run({"x": X, "c": np.array(False)})["y"] == [-5, 10]).all()


def test_a_branch_may_hand_on_a_tensor_from_around_or_a_constant() -> None:
    session = Session(choice(branch([], ["x"]), branch([], ["k"])))
    assert session.run({"x": X, "c": np.array(True)})["y"] is X
    assert session.run({"x": X, "c": np.array(False)})["y"] == 3


def test_outputs_that_nobody_wants() -> None:
    two = branch([make("Relu", ["x"], ["a"]), make("Identity", ["x"], ["b"])], ["a", "b"])
    other = branch([make("Identity", ["x"], ["a"]), make("Relu", ["x"], ["b"])], ["a", "b"])
    session = Session(choice(two, other, ("", "y")))
    assert (session.run({"x": X, "c": np.array(False)})["y"] == [0, 2]).all()


def test_what_a_branch_reads_exists_in_float() -> None:
    """G3: the branch is a second consumer of the convolution's sum."""
    model = qdq_conv(np.ones((2, 1, 1, 1), np.int8), outputs=("y", "z"))
    model.graph.input.append(helper.make_tensor_value_info("c", TensorProto.BOOL, []))
    reads = branch([make("Relu", ["cf"], ["p"])], ["p"])
    model.graph.node.append(
        make("If", ["c"], ["z"], name="i", then_branch=reads, else_branch=reads)
    )
    kept = {each.node: each.reason for each in Session(model).plan().kept}
    assert kept["c1"] == "'cf' has 2 consumers: qy, i, so it must exist in float"
    x = np.ones((1, 1, 8, 8), np.uint8)
    feeds = {"x": x, "c": np.array(True)}
    on, off = (Session(model, fusion=each).run(feeds) for each in ("on", "off"))
    assert all((on[name] == off[name]).all() for name in ("y", "z"))


def test_an_input_with_a_default_is_no_constant_of_a_branch() -> None:
    model = choice(ADD, MUL)
    model.graph.input.append(helper.make_tensor_value_info("k", TensorProto.FLOAT, [1]))
    session = Session(model)
    given = {"x": X, "c": np.array(True)}
    assert (session.run(given)["y"] == [3, 5]).all()
    assert (session.run({**given, "k": np.array([9], np.float32)})["y"] == [9, 11]).all()


@pytest.mark.parametrize(
    ("then", "error", "words"),
    [
        (branch([make("Relu", ["nothing"], ["t"])], ["t"]), InvalidModel, "reads 'nothing'"),
        (branch([], ["t"]), InvalidModel, "If 'i' reads 't'"),
        (branch([make("Relu", ["x"], ["t"])], ["t", "t"]), InvalidModel, "listed twice"),
        (branch([make("Relu", ["x"], ["t"])], []), InvalidModel, "no outputs"),
        (
            branch([make("Relu", ["x"], ["t"]), make("Relu", ["x"], ["u"])], ["t", "u"]),
            InvalidModel,
            "If 'i' has 1 output(s), its then_branch 2",
        ),
        (
            branch([make("Relu", ["b"], ["a"], name="n"), make("Relu", ["a"], ["b"])], ["a"]),
            InvalidModel,
            "'n' reads 'b' before it is computed",
        ),
        (branch([make("Loop", ["", ""], ["t"])], ["t"]), Unsupported, "operator Loop"),
    ],
)
def test_branches_that_are_refused(
    then: onnx.GraphProto, error: type[EngineError], words: str
) -> None:
    with pytest.raises(error) as caught:
        Session(choice(then, MUL))
    assert words in str(caught.value)


def test_a_branch_takes_no_inputs() -> None:
    then = branch([make("Relu", ["a"], ["t"])], ["t"])
    then.input.append(helper.make_tensor_value_info("a", TensorProto.FLOAT, [1]))
    with pytest.raises(InvalidModel, match="then_branch of If 'i' has inputs"):
        Session(choice(then, MUL))


def test_a_missing_branch() -> None:
    model = choice(ADD, MUL)
    del model.graph.node[1].attribute[0]
    with pytest.raises(
        InvalidModel, match=r"If .i. has no .*_branch; .*_branch must be a graph"
    ):
        Session(model)


@pytest.mark.parametrize("condition", [np.array([True, False]), np.zeros(0, np.bool_)])
def test_conditions_that_are_none(condition: Array) -> None:
    with pytest.raises(EngineError, match=r"If .i.: cond is bool.*; it must be one bool"):
        Session(choice(ADD, MUL)).run({"x": X, "c": condition})


def test_graphs_that_lie_too_deep_in_each_other() -> None:
    """Made in place; what is stored or copied stops at the limit of the protobuf library."""
    model = choice(ADD, MUL)
    node = model.graph.node[1]
    for _ in range(10_000):
        inside = node.attribute[0].g
        node = inside.node.add(op_type="If", input=["c"], output=["v"])
        node.attribute.add(name="then_branch", type=onnx.AttributeProto.GRAPH)
    with pytest.raises(Unsupported, match="more than 50 deep"):
        Session(model)
