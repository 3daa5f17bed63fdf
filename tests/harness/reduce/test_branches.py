"""A bug in a branch is shown without the If; one of the If itself keeps it."""

from collections.abc import Callable

import numpy as np
from onnx import parser

from corpus.case import Case
from harness.reduce.branches import open_branches
from harness.reduce.problem import Problem
from harness.reduce.reducer import reduce
from tests.harness.reduce.models import ops

MODEL = """
<ir_version: 8, opset_import: ["": 17]>
g (float[3, 2] x, bool c) => (float[3, 2] y) {
  t = Neg(x)
  u = If(c) <
    then_branch = a () => (float[3, 2] p) { k = Exp(t) p = Abs(k) },
    else_branch = b () => (float[3, 2] q) <float s = {2.0}> { q = Mul(t, s) }
  >
  y = Relu(u)
}
"""


def case() -> Case:
    inputs = {"x": np.ones((3, 2), np.float32), "c": np.array(True)}
    return Case(parser.parse_model(MODEL).SerializeToString(), inputs)


def has(op: str) -> Callable[[Case], bool]:
    return lambda candidate: op in ops(candidate)


def test_a_branch_takes_the_place_of_an_if_with_its_constants() -> None:
    for op, kept in (("Abs", ["Neg", "Exp", "Abs", "Relu"]), ("Mul", ["Neg", "Mul", "Relu"])):
        problem = Problem(case(), has(op))
        open_branches(problem)
        assert ops(problem.best) == kept
        assert list(problem.best.inputs) == ["x"]


def test_an_if_that_is_needed_stays() -> None:
    problem = Problem(case(), has("If"))
    open_branches(problem)
    assert ops(problem.best) == ["Neg", "If", "Relu"]


def test_a_bug_in_a_branch_ends_as_one_node() -> None:
    assert ops(reduce(case(), has("Exp")).case) == ["Exp"]
