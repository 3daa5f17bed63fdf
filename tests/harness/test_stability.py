"""Whose fault several answers to one case are."""

import numpy as np
import onnx
import pytest

from corpus.case import Case
from harness.outcome import Values
from harness.stability import is_stable
from harness.suspect import nondeterministic, suspects
from tests.harness.benches import bench_of

PAIR = """<ir_version: 11, opset_import: ["" : 23]>
pair (float[3] x) => (float[3] y) <float a = {0.5}, int8 b = {3}>
{
   q = QuantizeLinear (x, a, b)
   r = DequantizeLinear (q, a, b)
   s = Abs (r)
   y = Neg (s)
}"""
X = {"x": np.array([1, -2, 3], np.float32)}
CASE = Case(onnx.parser.parse_model(PAIR).SerializeToString(), X)


@pytest.mark.parametrize(("fake", "nodes"), [("random", 1), ("random_reals", 2)])
def test_the_first_operator_with_several_answers_is_named(fake: str, nodes: int) -> None:
    """Nobody is at fault who reads codes that nobody wrote; nor where the codes cannot be had."""
    with bench_of(f"tests.fakes:{fake}") as bench:
        spec = bench.specs[0]
        outcome = bench.run(CASE, spec)
        (suspect,) = suspects(bench, spec, CASE, outcome)
    assert suspect.signature.kind == "nondeterministic"
    assert suspect.signature.op == "QuantizeLinear"
    assert len(suspect.case.proto().graph.node) == nodes
    assert suspect.whole == CASE


def test_all_of_a_graph_whose_parts_have_one_answer_each() -> None:
    with bench_of("tests.fakes:perfect") as bench:
        spec = bench.specs[0]
        outcome = bench.run(CASE, spec)
        assert isinstance(outcome, Values)
        assert is_stable(bench, spec, CASE, outcome)
        suspect = nondeterministic(bench, spec, CASE, "crashed in one run, not in another")
    assert suspect.case == CASE
    assert suspect.signature.op == "Abs"


@pytest.mark.parametrize(
    ("codes", "op"),
    [
        ("", "QuantizeLinear"),
        ("q = QuantizeLinear (x, a, b) r = DequantizeLinear (q, a, b)", "Abs"),
    ],
)
def test_a_quantize_linear_behind_reals_alone_is_named_itself(codes: str, op: str) -> None:
    """OpenCV's reads beside its blocks where something is computed in front of it."""
    read = "r" if codes else "x"
    text = f"""<ir_version: 11, opset_import: ["" : 23]>
    g (float[3] x) => (int8[3] y) <float a = {{0.5}}, int8 b = {{3}}>
    {{ {codes} s = Abs ({read}) y = QuantizeLinear (s, a, b) }}"""
    case = Case(onnx.parser.parse_model(text).SerializeToString(), X)
    with bench_of("tests.fakes:perfect") as bench:
        suspect = nondeterministic(bench, bench.specs[0], case)
    assert suspect.signature.op == op
