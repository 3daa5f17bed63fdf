"""Every partner is a valid case, and by the exact judge its answer is the original's."""

from collections.abc import Iterator
from functools import cache
from itertools import islice

import numpy as np
import onnx
import pytest

from corpus.case import Case
from engine import Session
from generators.choices import RandomChoices
from generators.graphs import FAMILIES, draw_case
from generators.operators.conv import ConvSpec, build
from generators.partners import (
    PARTNERS,
    Pair,
    Partner,
    Place,
    pair_with,
    partner_cells,
    partner_of,
)
from harness.oracle import Oracle, Silent
from tests.harness.benches import grouped, padded

NAMES = {each.name: each for each in PARTNERS}
SEEDS = 60
ENOUGH = 8


@cache
def drawn(family: str, seed: int) -> Case:
    return draw_case(family, "any", seed)


def pairs(partner: Partner) -> Iterator[Pair]:
    for seed in range(SEEDS):
        for family in FAMILIES[:-1]:
            pair = pair_with(partner, drawn(family, seed), RandomChoices(7))
            if pair is not None and is_valid(pair.original):
                yield pair


def is_valid(case: Case) -> bool:
    try:
        onnx.checker.check_model(case.proto(), full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError):
        return False
    return True


@pytest.mark.parametrize("partner", PARTNERS, ids=lambda each: each.name)
def test_the_oracle_says_the_same_of_both(partner: Partner) -> None:
    found = list(islice(pairs(partner), ENOUGH))
    assert len(found) == ENOUGH
    for pair in found:
        assert is_valid(pair.partner), pair.original.origin
        assert pair.partner.digest != pair.original.digest
        _must_agree(pair)


def _must_agree(pair: Pair) -> None:
    try:
        ours = Oracle(pair.original.proto()).allowed(pair.original.inputs)
        theirs = Oracle(pair.partner.proto()).allowed(pair.partner.inputs)
    except Silent:
        return
    for name, other in theirs.items():
        place = pair.places.get(name, Place())
        low, high = place.of(ours[name].low), place.of(ours[name].high)
        assert other.low.shape == low.shape, pair.partner.origin
        assert (np.maximum(low, other.low) <= np.minimum(high, other.high)).all()


@pytest.mark.parametrize("name", [name for name in NAMES if "form" not in name])
@pytest.mark.parametrize("case", [grouped(), padded()], ids=["grouped", "padded"])
def test_our_engine_gives_the_same_codes(name: str, case: Case) -> None:
    pair = pair_with(NAMES[name], case, RandomChoices(3))
    if pair is None:
        return
    before = Session(case.model).run(case.inputs)
    after = Session(pair.partner.model).run(pair.partner.inputs)
    for output, array in after.items():
        assert np.array_equal(array, pair.places.get(output, Place()).of(before[output]))


def test_one_group_alone_has_its_own_filters() -> None:
    pair = pair_with(NAMES["one group alone"], grouped(), RandomChoices(1))
    assert pair is not None
    (node,) = pair.partner.proto().graph.node
    assert next(each.i for each in node.attribute if each.name == "group") == 1
    assert pair.partner.inputs["x"].shape[1] == 8
    (place,) = pair.places.values()
    assert place.indices in (tuple(range(9)), tuple(range(9, 18)))


def test_transposing_exchanges_what_is_said_of_rows_and_columns() -> None:
    spec = ConvSpec(
        image=(5, 7), kernel=(3, 2), strides=(1, 2), pads=(1, 0, 0, 2), x_kind="random"
    )
    pair = pair_with(NAMES["image transposed"], build(spec), RandomChoices(1))
    assert pair is not None
    (node,) = pair.partner.proto().graph.node
    said = {each.name: list(each.ints) for each in node.attribute}
    assert said["strides"] == [2, 1]
    assert said["pads"] == [0, 1, 2, 0]
    assert pair.partner.inputs["x"].shape == (1, 1, 7, 5)


def test_what_saturates_is_not_shifted() -> None:
    full = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    case = build(ConvSpec(image=(16, 16))).with_inputs({"x": full})
    assert pair_with(NAMES["zero point shifted with the data"], case, RandomChoices(1)) is None


def test_shared_weights_are_left_alone() -> None:
    case = grouped()
    model = case.proto()
    (node,) = model.graph.node
    twin = onnx.NodeProto()
    twin.CopyFrom(node)
    twin.name, twin.output[0] = "twin", "twin_y"
    model.graph.node.append(twin)
    output = model.graph.output.add()
    output.CopyFrom(model.graph.output[0])
    output.name = "twin_y"
    pair = pair_with(NAMES["filters permuted"], case.with_model(model), RandomChoices(1))
    assert pair is not None  # the constant is copied for the one that changes
    assert len(pair.places) == 1
    _must_agree(pair)
    assert (
        pair_with(NAMES["channels permuted"], case.with_model(model), RandomChoices(1)) is None
    )


def test_the_same_choices_make_the_same_partner() -> None:
    case = draw_case("conv", "any", 5)
    first, second = (partner_of(case, RandomChoices(9)) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.partner.digest == second.partner.digest
    assert first.partner.origin == f"{first.name}: conv any 5"
    assert first.partner.cells == (f"partner {first.name}",)


@pytest.mark.parametrize("partner", PARTNERS, ids=lambda each: each.name)
def test_nodes_without_inputs_are_no_trouble(partner: Partner) -> None:
    case = grouped()
    model = case.proto()
    value = onnx.numpy_helper.from_array(np.float32(1))
    constant = onnx.helper.make_node("Constant", [], ["one"], "one", value=value)
    model.graph.node.insert(0, constant)
    pair_with(partner, case.with_model(model), RandomChoices(1))


def test_a_graph_with_subgraphs_has_no_partner() -> None:
    case = grouped()
    model = case.proto()
    branch = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", ["x"], ["out"])],
        "branch",
        [],
        [onnx.ValueInfoProto(name="out")],
    )
    condition = onnx.numpy_helper.from_array(np.array(True), "condition")
    model.graph.initializer.append(condition)
    model.graph.node.append(
        onnx.helper.make_node(
            "If", ["condition"], ["seen"], "if", then_branch=branch, else_branch=branch
        )
    )
    assert partner_of(case.with_model(model), RandomChoices(1)) is None


def _checked(pair: Pair | None) -> Pair:
    assert pair is not None
    onnx.checker.check_model(pair.partner.proto(), full_check=True)
    return pair


def test_a_partner_of_an_open_batch_is_open_and_valid() -> None:
    case = grouped()
    model = case.proto()
    for info in (*model.graph.input, *model.graph.output):
        info.type.tensor_type.shape.dim[0].dim_param = "batch"
    pair = _checked(
        pair_with(NAMES["fewer filters"], case.with_model(model), RandomChoices(1))
    )
    dims = pair.partner.proto().graph.output[0].type.tensor_type.shape.dim
    assert dims[0].dim_param == "batch"
    assert dims[1].dim_value < 18


def test_constants_of_old_models_are_inputs_too() -> None:
    case = grouped()
    model = case.proto()
    model.ir_version = 3
    types = [
        onnx.helper.make_tensor_value_info(each.name, each.data_type, each.dims)
        for each in model.graph.initializer
    ]
    model.graph.input.extend(types)
    old = case.with_model(model)
    onnx.checker.check_model(old.proto(), full_check=True)
    pair = _checked(pair_with(NAMES["filters permuted"], old, RandomChoices(1)))
    graph = pair.partner.proto().graph
    assert {each.name for each in graph.input} == {
        "x",
        *(each.name for each in graph.initializer),
    }


@pytest.mark.parametrize("family", FAMILIES[:-1])
def test_partners_of_a_family_are_valid_and_have_its_cells(family: str) -> None:
    cells = set(partner_cells(family))
    assert cells <= set(partner_cells("all"))
    for seed in range(SEEDS):
        pair = partner_of(drawn(family, seed), RandomChoices(seed))
        if pair is not None and is_valid(pair.original):
            assert cells.issuperset(_checked(pair).partner.cells)
