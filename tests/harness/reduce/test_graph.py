"""Each graph pass alone, on a graph made for it."""

from collections.abc import Callable

import numpy as np
import pytest
from onnx import TensorProto, helper

from corpus.case import Case
from generators.operators.conv import ConvSpec, build
from harness.reduce import graph
from harness.reduce.problem import Pass, Problem
from tests.harness.reduce.models import case_of, chain, ops, reals, residual, wrapped


def after(shrink: Pass, case: Case, fails: Callable[[Case], bool], *culprit: str) -> Case:
    problem = Problem(case, fails, culprit=culprit)
    shrink(problem)
    return problem.best


def needs(*operators: str) -> Callable[[Case], bool]:
    return lambda case: all(op in ops(case) for op in operators)


def test_the_culprit_is_cut_out_with_the_constants_it_reads() -> None:
    small = after(graph.cut_to_culprit, residual(), needs("Conv"), "right")
    assert ops(small) == ["DequantizeLinear", "Conv"]
    assert list(small.inputs) == ["x"]


def test_the_culprit_is_cut_out_with_its_conversions_where_they_matter() -> None:
    small = after(
        graph.cut_to_culprit, wrapped(), needs("QLinearConv", "DequantizeLinear"), "dq"
    )
    assert ops(small) == ops(wrapped())  # a conversion has no conversions around it
    fails = needs("Conv", "QuantizeLinear")
    small = after(graph.cut_to_culprit, residual(), fails, "left", "right", "add")
    assert ops(small).count("Conv") == 2


def test_a_culprit_that_is_not_there_changes_nothing() -> None:
    case = residual()
    assert after(graph.cut_to_culprit, case, needs("Conv"), "elsewhere") is case


def test_the_unit_of_a_convolution_is_found_without_a_culprit() -> None:
    small = after(graph.cut_to_unit, residual(), needs("Conv"))
    assert ops(small) == ["DequantizeLinear", "DequantizeLinear", "Conv"]
    assert list(small.inputs) == ["codes"]


def test_ends_are_cut_to_what_is_needed() -> None:
    small = after(
        graph.cut_ends, chain(["Relu", "Neg", "Abs", "Tanh", "Sigmoid"]), needs("Abs")
    )
    assert ops(small) == ["Abs"]
    assert small.inputs["middle_2"].dtype == np.float32


def test_drawn_codes_have_the_type_of_the_cut_tensor() -> None:
    small = after(graph.cut_ends, wrapped(), needs("QLinearConv"))
    assert ops(small) == ["QLinearConv"]
    assert small.inputs["codes"].dtype == np.int8
    assert len(np.unique(small.inputs["codes"])) > 200


def test_one_output_is_kept() -> None:
    model = residual().proto()
    model.graph.output.append(
        helper.make_tensor_value_info("left", TensorProto.FLOAT, (2, 3, 6, 6))
    )
    small = after(graph.cut_outputs, residual().with_model(model), needs("Add"))
    assert [each.name for each in small.proto().graph.output] == ["y"]


@pytest.mark.parametrize("needed", ["Relu", "Abs", "Sigmoid"])
def test_nodes_are_gone_round(needed: str) -> None:
    small = after(
        graph.bypass_nodes, chain(["Relu", "Neg", "Abs", "Tanh", "Sigmoid"]), needs(needed)
    )
    assert ops(small) == [needed]
    assert [each.name for each in small.proto().graph.output] == ["y"]
    assert list(small.inputs) == ["x"]


def test_both_branches_of_a_sum_may_become_one() -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Neg", ["a"], ["b"]),
        helper.make_node("Add", ["a", "b"], ["y"]),
    ]
    case = case_of(nodes, {"x": reals((2,))}, {"y": (TensorProto.FLOAT, (2,))}, {})
    small = after(graph.bypass_nodes, case, needs("Add"))
    assert ops(small) == ["Add"]
    assert list(small.proto().graph.node[0].input) == ["x", "x"]


def test_strip_shortens_names_and_forgets_notes() -> None:
    small = after(graph.strip, residual(), lambda _: True)
    proto = small.proto()
    assert list(small.inputs) == ["x"]
    assert [each.name for each in proto.graph.output] == ["y"]
    names = {name for node in proto.graph.node for name in (*node.input, *node.output)}
    assert all(len(name) == 1 for name in names)
    assert proto.producer_name == proto.graph.doc_string == proto.graph.node[0].name == ""


def test_strip_keeps_the_names_that_matter() -> None:
    def fails(case: Case) -> bool:
        return "codes" in case.inputs

    small = after(graph.strip, residual(), fails)
    assert list(small.inputs) == ["codes"]
    assert small.proto().producer_name == ""


def test_strip_leaves_a_generated_case_alone() -> None:
    case = build(ConvSpec(groups=2))
    assert after(graph.strip, case, lambda _: True) is case
