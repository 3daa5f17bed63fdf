"""Every kind of network is drawn, is right in our engine, and is what its cells say."""

from collections import Counter
from time import process_time

import onnx
import pytest

from corpus.case import Case
from engine import Session
from generators.choices import RandomChoices
from generators.operators.networks import ALL_CELLS, NETWORKS, draw, networks
from generators.qparams import POLICIES
from harness.oracle import Oracle, is_outside

CONVERSIONS = ("QuantizeLinear", "DequantizeLinear", "Constant")


def drawn(name: str, count: int) -> list[Case]:
    return [draw(RandomChoices(i), POLICIES[i % len(POLICIES)], name) for i in range(count)]


@pytest.mark.parametrize("name", NETWORKS)
def test_our_engine_is_right_and_the_oracle_never_silent(name: str) -> None:
    for case in drawn(name, 24):
        allowed = Oracle(case.proto()).allowed(case.inputs)
        for fusion in ("on", "off"):
            found = Session(case.model, fusion=fusion).run(case.inputs)
            for output, right in allowed.items():
                assert found[output].shape == right.low.shape
                assert not is_outside(right, found[output]).any(), (case.origin, fusion)


@pytest.mark.parametrize("name", NETWORKS)
def test_they_are_small(name: str) -> None:
    for case in drawn(name, 40):
        operators = [node.op_type for node in case.proto().graph.node]
        assert sum(op not in CONVERSIONS for op in operators) <= 15
        assert sum(array.size for array in case.inputs.values()) <= 3000


def test_every_cell_is_drawn_and_every_cell_is_known() -> None:
    hits: Counter[str] = Counter()
    for seed in range(120):
        hits.update(
            c for name in NETWORKS for c in draw(RandomChoices(seed), "any", name).cells
        )
    assert set(hits) == set(ALL_CELLS)


def test_a_draw_costs_less_than_a_millisecond() -> None:
    for seed in range(200):
        networks(RandomChoices(seed), "any")
    start = process_time()
    for seed in range(400):
        networks(RandomChoices(seed), "any")
    assert (process_time() - start) / 400 < 1e-3


def test_an_open_batch_is_open_in_every_input_and_output_and_takes_any_size() -> None:
    seen = 0
    for name in NETWORKS:
        for case in drawn(name, 24):
            if f"graphs {name} open batch" in case.cells:
                seen += 1
                _is_open(case)
    assert seen > 40


def _is_open(case: Case) -> None:
    """The first row of the batch, run alone by the session that ran all, is the same."""
    graph = case.proto().graph
    constants = {each.name for each in graph.initializer}
    rows = {n: x[:1] for n, x in case.inputs.items() if n not in constants and x.ndim}
    for each in (*graph.input, *graph.output):
        if each.name in rows or each in graph.output:
            assert each.type.tensor_type.shape.dim[0].dim_param == "N", case.origin
    session = Session(case.model)
    together = session.run(case.inputs)
    for name, each in session.run({**case.inputs, **rows}).items():
        assert each.tobytes() == together[name][:1].tobytes(), (case.origin, name)


def test_models_are_as_the_classes_of_onnx_would_write_them() -> None:
    for name in NETWORKS:
        for case in drawn(name, 8):
            parsed = onnx.ModelProto.FromString(case.model)
            assert parsed.SerializeToString(deterministic=True) == case.model
