"""Every family reaches all its cells and declares the shapes that its models have."""

import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generators.choices import HypothesisChoices, RandomChoices
from generators.operators.node import CELLS, FAMILIES, build, node_case

SEEDS = 150
DRAWS = {"elementwise": 9_000, "pool": 6_000, "movement": 6_000}
FEWER = 4_000  # of families with fewer operators


@pytest.mark.parametrize("family", FAMILIES)
def test_all_cells_are_reached(family: str) -> None:
    seen: set[str] = set()
    for seed in range(DRAWS.get(family, FEWER)):
        _, cells = FAMILIES[family](RandomChoices(seed), "any")
        seen |= cells
    assert seen == set(CELLS[family])
    assert len(CELLS[family]) == len(seen)


@pytest.mark.parametrize("family", FAMILIES)
def test_results_have_the_shape_that_is_declared(family: str) -> None:
    for seed in range(SEEDS):
        spec, _ = FAMILIES[family](RandomChoices(seed), "any")
        proto = build(spec).proto()
        inferred = onnx.shape_inference.infer_shapes(proto, strict_mode=True, data_prop=True)
        for info, result in zip(inferred.graph.output, spec.results, strict=True):
            shape = tuple(each.dim_value for each in info.type.tensor_type.shape.dim)
            assert shape == result.shape


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_hypothesis_draws_the_families_too(data: st.DataObject) -> None:
    for family in FAMILIES:
        case = node_case(family, HypothesisChoices(data.draw), "any")
        onnx.checker.check_model(case.proto())
