"""A prefix may round a doubtful code in one way and the graph in the other: nobody's fault."""

import numpy as np
import onnx
import pytest

from corpus.case import Case
from harness.borne_out import at_fault_alone, borne_out
from harness.locate import Judged, culprits, locate
from harness.observe import PREFIXES, units
from harness.oracle import Oracle
from harness.outcome import Tapped
from tests.harness.benches import bench_of

DOUBTFUL = """<ir_version: 8, opset_import: ["" : 13]>
doubtful (float[1] x) => (int8[1] y) <float k = {0.1}, float s = {0.04}, int8 z = {0}>
{
   f = Mul (x, k)
   q = QuantizeLinear (f, s, z)
   d = DequantizeLinear (q, s, z)
   n = Neg (d)
   y = QuantizeLinear (n, s, z)
}"""
CASE = Case(
    onnx.parser.parse_model(DOUBTFUL).SerializeToString(), {"x": np.ones(1, np.float32)}
)


def rows(q: int, y: int) -> tuple[Judged, ...]:
    """What is judged where the prefix gave ``q`` and the graph ``y``."""
    codes = {"q": np.array([q], np.int8), "y": np.array([y], np.int8)}
    tapped = Tapped({**CASE.inputs, **codes}, units(CASE.proto()), PREFIXES, confirmed=True)
    return locate(CASE.proto(), tapped)


def test_the_code_between_is_2_or_3() -> None:
    allowed = Oracle(CASE.proto()).allowed(CASE.inputs, ["q", "y"])
    assert (allowed["q"].low.item(), allowed["q"].high.item()) == (2, 3)
    assert (allowed["y"].low.item(), allowed["y"].high.item()) == (-3, -2)


@pytest.mark.parametrize(
    ("q", "y", "method", "blamed"),
    [
        (2, -3, PREFIXES, []),  # the graph had a 3 there
        (2, -3, "native", ["y"]),  # it had this 2
        (2, -4, PREFIXES, ["y"]),  # neither gives that
        (4, -3, PREFIXES, ["q"]),  # the prefix is a wrong case itself
    ],
)
def test_what_only_looks_wrong_beside_another_run_is_left_out(
    q: int, y: int, method: str, blamed: list[str]
) -> None:
    seen = rows(q, y)
    assert culprits(seen)
    with bench_of("tests.fakes:perfect") as bench:
        found = borne_out(bench, bench.specs[0], CASE, seen, method)
    assert [each.tensor for each in culprits(found)] == blamed


def test_an_operation_that_is_wrong_alone_is_blamed_all_the_same() -> None:
    seen = rows(2, -3)
    with bench_of("tests.fakes:takes_options:add=-1") as bench:
        found = borne_out(bench, bench.specs[0], CASE, seen, PREFIXES)
    assert [each.tensor for each in culprits(found)] == ["y"]


@pytest.mark.parametrize(
    ("backend", "q", "y", "blamed"),
    [
        (
            "perfect",
            9,
            -3,
            [],
        ),  # other codes than the model's, of which what is right was made
        ("perfect", 2, -3, []),  # another run's code
        ("takes_options:add=-1", 2, -3, ["y"]),
    ],
)
def test_where_the_graph_ends_right_an_operation_is_at_fault_that_is_wrong_alone(
    backend: str, q: int, y: int, blamed: list[str]
) -> None:
    seen = rows(q, y)
    assert culprits(seen)
    with bench_of(f"tests.fakes:{backend}") as bench:
        found = at_fault_alone(bench, bench.specs[0], CASE, culprits(seen), seen)
    assert [each.tensor for each in found] == blamed
