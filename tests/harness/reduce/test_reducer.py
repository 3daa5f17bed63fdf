"""The whole reducer: what it ends on, what it asks, and what it never does."""

import time

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.case import Case
from generators.operators.conv import ConvSpec, build, describe
from harness.reduce import reduce
from harness.reduce.problem import size_key
from tests.harness.reduce.models import (
    asked_only_valid,
    chain,
    constant,
    ops,
    residual,
    wrapped,
)


def has_bad_groups(case: Case) -> bool:
    """The trigger of the blocked kernel's clobbering, wherever the convolution sits."""
    model = case.proto()
    for node in model.graph.node:
        if node.op_type == "QLinearConv":
            groups = next((a.i for a in node.attribute if a.name == "group"), 1)
            outputs = constant(case, node.input[3]).shape[0] // groups
            return bool(groups > 1 and outputs > 8 and outputs % 8)
    return False


@pytest.mark.parametrize("culprit", [(), ("the_conv",)])
def test_a_wrapped_convolution_ends_as_one_small_node(culprit: tuple[str, ...]) -> None:
    small = reduce(wrapped(), asked_only_valid(has_bad_groups), culprit=culprit)
    spec = describe(small.case)
    assert spec is not None
    assert spec == ConvSpec(
        groups=2, out_per_group=9, x_dtype="int8", w_dtype="int8", x=spec.x, w=spec.w
    )
    assert not constant(small.case, "w").any()
    assert not small.case.inputs["x"].any()
    assert len(small.case.model) <= 300
    assert small.checks <= 60


def test_the_smallest_case_does_not_depend_on_the_start() -> None:
    start = build(
        ConvSpec(groups=3, out_per_group=20, image=(5, 5), x_dtype="int8", x_zero_point=9)
    )
    assert reduce(start, has_bad_groups).case.model != start.model
    ends = [reduce(case, has_bad_groups).case for case in (start, wrapped(3, 36))]
    specs = [describe(case) for case in ends]
    assert [(s.groups, s.out_per_group, s.image) for s in specs if s] == [(2, 9, (1, 1))] * 2


def test_another_bug_is_never_followed() -> None:
    def fails(case: Case) -> bool:
        return "Sigmoid" in ops(case) and "QLinearConv" in ops(case)

    small = reduce(wrapped(), fails).case
    assert sorted(ops(small)) in (
        ["DequantizeLinear", "QLinearConv", "Sigmoid"],
        ["QLinearConv", "QuantizeLinear", "Sigmoid"],
    )


def test_several_operators_keep_only_what_is_needed() -> None:
    def fails(case: Case) -> bool:
        return ops(case).count("Conv") == 2 and "Add" in ops(case)

    small = reduce(residual(), asked_only_valid(fails)).case
    assert ops(small).count("Conv") == 2
    assert [array.shape[0] for array in small.inputs.values()] == [1] * len(small.inputs)
    assert all(array.shape[2:] == (1, 1) for array in small.inputs.values())
    assert not any(array.any() for array in small.inputs.values())
    assert small.proto().graph.doc_string == small.proto().producer_name == ""


def test_data_that_matter_are_kept() -> None:
    def fails(case: Case) -> bool:
        return any((array > 100).any() for array in case.inputs.values())

    start = build(ConvSpec(in_per_group=4, image=(6, 6), x_kind="random", x_seed=3))
    (x,) = reduce(start, fails).case.inputs.values()
    assert x.size < 4 * 6 * 6
    assert (x > 100).any()


def test_a_case_that_does_not_fail_stays_as_it_is() -> None:
    start = chain(["Relu", "Neg"])
    assert reduce(start, lambda _: False).case is start


def test_no_case_is_asked_about_twice_and_none_is_larger() -> None:
    seen: set[str] = set()
    start = wrapped()

    def fails(case: Case) -> bool:
        assert case.digest not in seen
        assert size_key(case) < size_key(start)
        seen.add(case.digest)
        return has_bad_groups(case)

    assert reduce(start, fails).checks == len(seen)


def test_the_budget_ends_the_search_with_the_best_so_far() -> None:
    def slow(case: Case) -> bool:
        time.sleep(0.02)
        return has_bad_groups(case)

    small = reduce(wrapped(), slow, budget_s=0.1)
    assert small.seconds < 1
    assert has_bad_groups(small.case)
    assert len(small.case.model) < len(wrapped().model)


def test_known_values_become_the_input_of_a_cut_model() -> None:
    middle = np.full((1, 2, 4, 4), 7, np.float32)

    def fails(case: Case) -> bool:
        return ops(case)[-1:] == ["Abs"] and any((a == 7).any() for a in case.inputs.values())

    start = chain(["Relu", "Neg", "Abs"])
    small = reduce(start, fails, values={"middle_2": middle})
    assert ops(small.case) == ["Abs"]
    assert small.case.inputs["x"].shape == (1, 2, 1, 1)


def test_models_with_unknown_operators_are_reduced_too() -> None:
    case = chain(["Relu", "Neg", "Abs"])
    model = case.proto()
    model.graph.node[1].op_type, model.graph.node[1].domain = "Strange", "nobody.knows"
    model.opset_import.append(onnx.helper.make_opsetid("nobody.knows", 1))
    start = case.with_model(model)
    small = reduce(start, lambda case: "Strange" in ops(case)).case
    assert "Strange" in ops(small)
    assert len(small.model) < len(start.model)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_every_result_fails_and_is_valid(data: st.DataObject) -> None:
    operators = data.draw(
        st.lists(st.sampled_from(("Relu", "Neg", "Abs")), min_size=1, max_size=6)
    )
    needed = data.draw(st.sampled_from(operators))
    small = reduce(chain(operators), asked_only_valid(lambda case: needed in ops(case))).case
    assert ops(small) == [needed]
    assert small.inputs["x"].shape == (1, 2, 1, 1)
