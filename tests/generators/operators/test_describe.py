import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from corpus.case import Case
from generators.operators.conv import ConvSpec, build, describe, parameters
from tests.generators.operators.variants import VARIANTS


@pytest.mark.parametrize("spec", VARIANTS, ids=range(len(VARIANTS)))
def test_a_described_case_builds_the_same_bytes(spec: ConvSpec) -> None:
    case = build(spec)
    described = describe(case)
    assert described is not None
    assert build(described).digest == case.digest
    assert parameters(described) == parameters(spec)


def renamed(case: Case) -> Case:
    """The case as a user might bring it: other names, constants in nodes, notes."""
    model = case.proto()
    graph = model.graph
    names = {
        each: f"net/{each}:0" for node in graph.node for each in (*node.input, *node.output)
    }
    for node in graph.node:
        node.name = ""
        node.input[:] = [names[each] for each in node.input]
        node.output[:] = [names[each] for each in node.output]
    for each in (*graph.initializer, *graph.input, *graph.output):
        each.name = names[each.name]
    constants = [
        helper.make_node("Constant", [], [each.name], value=each) for each in graph.initializer
    ]
    nodes = [*constants, *graph.node]
    del graph.initializer[:], graph.node[:]
    graph.node.extend(nodes)
    model.metadata_props.add(key="author", value="somebody")
    inputs = {names[name]: array for name, array in case.inputs.items()}
    return Case(model.SerializeToString(), inputs)


@pytest.mark.parametrize("spec", VARIANTS, ids=range(len(VARIANTS)))
def test_names_and_constant_nodes_do_not_matter(spec: ConvSpec) -> None:
    case = build(spec)
    assert describe(renamed(case)) == describe(case)


def with_node(op: str, output: str = "y") -> Case:
    """A case with one more node after its output."""
    model = build(ConvSpec(form="QDQ", missing="y")).proto()
    model.graph.node.append(helper.make_node(op, [output], ["z"]))
    model.graph.output[0].name = "z"
    return Case(model.SerializeToString(), build(ConvSpec(form="QDQ", missing="y")).inputs)


def test_other_models_are_none() -> None:
    assert describe(with_node("Sigmoid")) is None
    case = build(ConvSpec())
    assert describe(case.with_inputs({})) is None
    model = case.proto()
    del model.graph.node[:]
    assert describe(case.with_model(model)) is None


def test_a_pair_that_does_not_undo_itself_is_none() -> None:
    case = build(ConvSpec(form="QDQ", x_float=True))
    model = case.proto()
    model.graph.initializer.append(numpy_helper.from_array(np.array(0.5, np.float32), "other"))
    model.graph.node[0].input[1] = "other"
    assert describe(case.with_model(model)) is None


def test_a_weight_that_is_an_input_is_none() -> None:
    case = build(ConvSpec())
    model = case.proto()
    model.graph.input.append(
        helper.make_tensor_value_info("w", TensorProto.UINT8, [1, 1, 1, 1])
    )
    w = next(each for each in model.graph.initializer if each.name == "w")
    model.graph.initializer.remove(w)
    inputs = {**case.inputs, "w": numpy_helper.to_array(w)}
    assert describe(Case(model.SerializeToString(), inputs)) is None


def test_clip_with_one_bound_has_an_infinite_other_one() -> None:
    case = build(ConvSpec(form="QDQ", activation="Clip"))
    model = case.proto()
    clip = next(each for each in model.graph.node if each.op_type == "Clip")
    del clip.input[2:]
    described = describe(case.with_model(model))
    assert described is not None
    assert described.clip == (0.0, float("inf"))
