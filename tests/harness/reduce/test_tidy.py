"""A cut model becomes whole: nothing dead, shapes that fit, the checker content."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from corpus.case import Case
from harness.reduce.tidy import inferred, is_static, is_valid, reads, tidy
from tests.harness.reduce.models import case_of, chain, ops, reals, residual


def tidied(case: Case) -> Case:
    found = tidy(case.proto(), case.inputs, "test")
    assert found is not None
    assert is_valid(found)
    return found


def test_dead_nodes_constants_and_inputs_go() -> None:
    case = residual()
    model = case.proto()
    model.graph.output[0].name = "left"
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT
    inputs = {**case.inputs, "unused": reals((1,))}
    found = tidy(model, inputs, "test")
    assert found is not None
    assert ops(found) == ["DequantizeLinear", "DequantizeLinear", "Conv"]
    assert {each.name for each in found.proto().graph.initializer} == {"s", "z", "w_left"}
    assert list(found.inputs) == ["codes"]


def test_shapes_follow_the_data() -> None:
    case = residual()
    cropped = case.with_inputs({"codes": case.inputs["codes"][:1, :, :2, :1].copy()})
    output = tidied(cropped).proto().graph.output[0].type.tensor_type
    assert [size.dim_value for size in output.shape.dim] == [1, 3, 2, 1]


def test_a_model_without_inputs_or_with_an_empty_output_is_refused() -> None:
    assert tidy(chain(["Neg"]).proto(), {}, "test") is None
    assert tidy(chain(["Neg"]).proto(), {"x": np.zeros((0, 2), np.float32)}, "test") is None


def test_a_model_that_no_longer_fits_together_is_refused() -> None:
    case = chain(["Neg"])
    model = case.proto()
    model.graph.node[0].input[0] = "nowhere"
    assert tidy(model, case.inputs, "test") is None


def test_initializers_that_are_also_inputs_are_constants() -> None:
    case = residual()
    model = case.proto()
    model.ir_version = 3
    for each in model.graph.initializer:
        model.graph.input.append(
            helper.make_tensor_value_info(each.name, each.data_type, each.dims)
        )
    found = tidied(case.with_model(model))
    assert [each.name for each in found.proto().graph.input] == ["codes"]


def test_what_a_subgraph_captures_is_read() -> None:
    outer, condition = reals((2,)), np.array(True)
    branches = {}
    for name, op in (("then_branch", "Neg"), ("else_branch", "Abs")):
        output = helper.make_tensor_value_info(f"{name}_y", TensorProto.FLOAT, [2])
        inner = helper.make_node(op, ["captured"], [f"{name}_y"])
        branches[name] = helper.make_graph([inner], name, [], [output])
    nodes = [
        helper.make_node("Relu", ["x"], ["captured"]),
        helper.make_node("Relu", ["x"], ["dead"]),
        helper.make_node("If", ["condition"], ["y"], **branches),
    ]
    inputs = {"x": outer, "condition": condition}
    case = case_of(nodes, inputs, {"y": (TensorProto.FLOAT, (2,))}, {})
    assert set(reads(case.proto().graph.node[2])) >= {"condition", "captured"}
    assert ops(tidied(case)) == ["Relu", "If"]


def test_inferred_knows_every_tensor() -> None:
    types = inferred(residual().proto())
    assert set(types) == {
        *("codes", "x", "r_left", "left", "r_right", "right", "sum", "y"),
        *("s", "z", "w_left", "w_right"),
    }
    assert all(map(is_static, types.values()))


def test_an_invalid_model_is_told_from_a_valid_one() -> None:
    case = chain(["Neg"])
    assert is_valid(case)
    model = case.proto()
    model.graph.initializer.append(numpy_helper.from_array(reals((1,)), "x2"))
    model.graph.node[0].op_type = "NoSuchOperator"
    assert not is_valid(case.with_model(model))
