"""Broken models: each is one that the standard forbids, and our engine says why in one line."""

import numpy as np
import onnx
import pytest

from corpus.case import Case
from engine import EngineError, Session, load
from generators.choices import RandomChoices
from generators.graphs import draw_case
from generators.illegal import (
    ALL_CELLS,
    BREACHES,
    CELL,
    FALLBACK,
    Illegal,
    breach_of,
    broken,
    draw_illegal,
    illegal_cases,
)
from generators.operators import conv as convolutions
from generators.operators import node as nodes

MANY = 8
SEEDS = 800
UNSEEN = (
    *("an operator set of the future", "too many scales for the axis"),
    *("more zero points than scales", "scales along an axis beyond the rank"),
    *("blocks that do not fit", "blocks of negative size", "weights for other channels"),
    *("a group that does not divide the channels", "a bias that is too short"),
    *("weights of another rank", "a kernel_shape other than the weights'"),
    *("an index out of bounds", "an initializer of an unknown type"),
)
"""What ONNX's own checker lets pass, now and then or always."""


@pytest.fixture(scope="module")
def found() -> dict[str, list[Illegal]]:
    """A few models for each breach, of all that are drawn."""
    by_name: dict[str, list[Illegal]] = {name: [] for name in BREACHES}
    for seed in range(SEEDS):
        case = draw_illegal("any", seed)
        name = breach_of(case)
        by_name[name].append(Illegal(name, BREACHES[name][0], case))
    return by_name


def refusal(case: Case, fusion: str = "on") -> str:
    """What our engine says no with; nothing where it does not."""
    try:
        Session(load(case.model), fusion=fusion).run(case.inputs)
    except EngineError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", BREACHES)
def test_our_engine_refuses_it_in_one_line(name: str, found: dict[str, list[Illegal]]) -> None:
    assert found[name]
    for each in found[name][:MANY]:
        for fusion in ("on", "off"):
            line = refusal(each.case, fusion)
            assert line, each.case.origin
            assert "\n" not in line


@pytest.mark.parametrize("name", [name for name in BREACHES if name not in UNSEEN])
def test_the_checker_of_onnx_agrees(name: str, found: dict[str, list[Illegal]]) -> None:
    standard = [each for each in found[name] if not _has_unchecked(each.case)]
    for each in standard[:MANY]:
        with pytest.raises(
            (onnx.checker.ValidationError, onnx.shape_inference.InferenceError)
        ):
            onnx.checker.check_model(each.case.proto(), full_check=True)


def _has_unchecked(case: Case) -> bool:
    """Operators of contrib, and one whose attributes ONNX's checker does not look at."""
    nodes = case.proto().graph.node
    return any(node.domain or node.op_type == "LayerNormalization" for node in nodes)


def test_a_broken_case_says_how_and_keeps_its_inputs() -> None:
    case = draw_case("conv", "any", 1)
    each = broken(FALLBACK, case, RandomChoices(1))
    assert each is not None
    assert each.case.inputs is case.inputs
    assert each.case.model != case.model
    assert each.case.cells == (f"{CELL}{FALLBACK}",)
    assert breach_of(each.case) == FALLBACK
    assert breach_of(case) == ""


def test_one_model_is_broken_in_every_way_that_it_has_a_place_for() -> None:
    names = [each.name for each in illegal_cases(draw_case("conv", "any", 2), 2)]
    assert len(names) == len(set(names)) > 20
    assert "a perm that repeats an axis" not in names


def test_all_ways_are_drawn_and_a_seed_is_a_case(found: dict[str, list[Illegal]]) -> None:
    assert {
        cell for every in found.values() for each in every for cell in each.case.cells
    } == (set(ALL_CELLS))
    assert min(map(len, found.values())) > 3
    assert draw_illegal("any", 3).digest == draw_illegal("any", 3).digest
    assert draw_illegal("any", 3).origin == "illegal any 3"


def test_a_node_that_reads_nothing_is_left_alone() -> None:
    """A graph that begins with constants is broken in its other nodes."""
    text = """<ir_version: 8, opset_import: ["" : 17]>
    g (float[2] x) => (float[2] y) {
        a = Constant <value: tensor = float[2] {1, 2}> ()
        b = Constant <value: tensor = float[2] {3, 4}> ()
        c = Add (a, b)
        y = Add (x, c)
    }"""
    x = np.zeros(2, np.float32)
    case = Case(onnx.parser.parse_model(text).SerializeToString(), {"x": x})
    for seed in range(30):
        found = {each.name for each in illegal_cases(case, seed)}
        assert "a required input left out" in found


@pytest.mark.parametrize("name", BREACHES)
def test_what_describes_models_is_not_broken_by_it(
    name: str, found: dict[str, list[Illegal]]
) -> None:
    """A campaign asks of every model that is wrong somewhere what it is."""
    for each in found[name]:
        convolutions.describe(each.case)
        nodes.describe(each.case)
