"""Open sizes are closed and computed shapes folded, unless the bug needs them."""

import numpy as np
from onnx import parser

from corpus.case import Case
from harness.reduce.problem import Problem
from harness.reduce.reducer import reduce
from harness.reduce.shapes import close_sizes, fold_sizes
from tests.harness.reduce.models import ops

MODEL = """
<ir_version: 8, opset_import: ["": 17]>
g (float[N, 3, 2] x) => (float[N, M, K] y) <int64[2] rest = {-1, 1}> {
  sizes = Shape(x)
  index = Constant <value_ints: ints = [0]> ()
  batch = Gather <axis: int = 0> (sizes, index)
  target = Concat <axis: int = 0> (batch, rest)
  z = Reshape(x, target)
  y = Sigmoid(z)
}
"""


def case() -> Case:
    given = {"x": np.ones((2, 3, 2), np.float32)}
    return Case(parser.parse_model(MODEL).SerializeToString(), given)


def sizes_of(candidate: Case) -> list[list[int]]:
    graph = candidate.proto().graph
    return [
        [dim.dim_value for dim in each.type.tensor_type.shape.dim]
        for each in (graph.input[0], graph.output[0])
    ]


def test_an_open_size_becomes_that_of_the_data() -> None:
    problem = Problem(case(), lambda _: True)
    close_sizes(problem)
    assert sizes_of(problem.best) == [[2, 3, 2], [2, 6, 1]]


def test_what_is_computed_from_sizes_becomes_a_constant() -> None:
    problem = Problem(case(), lambda _: True)
    fold_sizes(problem)
    assert ops(problem.best) == ["Shape", *ops(case())[1:]]  # the batch is open yet
    close_sizes(problem)
    fold_sizes(problem)
    assert ops(problem.best) == ["Reshape", "Sigmoid"]
    (target,) = problem.best.proto().graph.initializer
    assert list(np.frombuffer(target.raw_data, np.int64)) == [2, -1, 1]


def test_a_bug_behind_a_computed_shape_ends_as_one_node() -> None:
    assert ops(reduce(case(), lambda each: "Sigmoid" in ops(each)).case) == ["Sigmoid"]


def test_what_is_needed_stays() -> None:
    def is_open(candidate: Case) -> bool:
        return "N" in str(candidate.proto().graph.input)

    assert is_open(reduce(case(), is_open).case)
    small = reduce(case(), lambda each: "Gather" in ops(each)).case
    assert ops(small) == ["Constant", "Gather"]
