"""The branch that runs takes the place of an If, and a bug in it is blamed on what is wrong there."""

import numpy as np
from onnx import parser

from corpus.case import Case
from engine import Session
from generators.choices import RandomChoices
from generators.operators.networks import draw
from harness.opened import opened
from harness.suspect import suspects
from tests.harness.benches import bench_of

MODEL = """
<ir_version: 8, opset_import: ["": 17]>
g (float[2] x, bool c) => (float[2] y) {
  u = If(c) <
    then_branch = a () => (float[2] p) { k = Exp(x) p = Abs(k) },
    else_branch = b () => (float[2] q) <float s = {2.0}> { q = Mul(x, s) }
  >
  y = Relu(u)
}
"""


def case(condition: bool, text: str = MODEL) -> Case:
    inputs = {"x": np.ones(2, np.float32), "c": np.array(condition)}
    return Case(parser.parse_model(text).SerializeToString(), inputs)


def test_the_branch_that_runs_is_chosen_by_the_data() -> None:
    for condition, kept in ((True, ["Exp", "Abs", "Relu"]), (False, ["Mul", "Relu"])):
        found = opened(case(condition))
        assert found is not None
        assert [node.op_type for node in found.proto().graph.node] == kept
        assert list(found.inputs) == ["x"]
        before, after = (
            Session(each.model).run(each.inputs) for each in (case(condition), found)
        )
        assert before["y"].tolist() == after["y"].tolist()


def test_our_engine_tells_a_computed_condition() -> None:
    found = opened(case(True, MODEL.replace("u = If(c)", "n = Not(c) u = If(n)")))
    assert found is not None
    assert [node.op_type for node in found.proto().graph.node] == ["Mul", "Relu"]


def test_unknown_conditions_and_graphs_without_branches_are_left_alone() -> None:
    assert opened(case(True, MODEL.replace("u = If(c)", "n = Unknown(c) u = If(n)"))) is None
    found = opened(case(True))
    assert found is not None
    assert opened(found) is None


def test_a_bug_in_a_branch_is_blamed_on_the_operation_inside() -> None:
    drawn = draw(RandomChoices(9), "tie-free", "If")
    assert {"graphs If QLinear", "graphs If on an input"} <= {*drawn.cells}
    with bench_of("engine:fault=F25") as bench:
        spec = bench.specs[0]
        (found,) = suspects(bench, spec, drawn, bench.run(drawn, spec))
    assert (found.signature.op, found.signature.cause) == ("QLinearConv", "F25")
