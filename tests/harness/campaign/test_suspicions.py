"""What a closer look makes of an answer that nothing explains."""

import numpy as np
import onnx
import pytest

from corpus.case import Case
from harness.campaign.suspicions import Knowledge, Suspicion, how_flaky, looked_into
from harness.suspect import Suspect
from tests.harness.benches import bench_of

QUANTIZE = """<ir_version: 8, opset_import: ["" : 13]>
one (float[3] x) => (int8[3] y) <float a = {0.5}, int8 b = {3}>
{
   y = QuantizeLinear (x, a, b)
}"""
CASE = Case(
    onnx.parser.parse_model(QUANTIZE).SerializeToString(),
    {"x": np.array([1, -2, 3], np.float32)},
)


@pytest.mark.parametrize(
    ("fake", "kind", "largest"),
    [("random_of_large", "nondeterministic", 21), ("flips_a_bit", "divergent", 3)],
)
def test_several_answers_on_other_data_are_what_is_wrong(
    fake: str, kind: str, largest: int
) -> None:
    """The wrong value is one of them, by chance the same twice; the case is one that shows it."""
    with bench_of(f"tests.fakes:{fake}") as bench:
        spec = bench.specs[0]
        outcome = bench.run(CASE, spec)
        assert how_flaky(bench, spec, CASE, outcome) == ""
        looked = looked_into(bench, CASE, Suspicion(1, spec, outcome, 0), Knowledge())
    (suspect,) = looked.suspects or ()
    assert isinstance(suspect, Suspect)
    assert suspect.signature.kind == kind
    assert np.abs(suspect.case.inputs["x"]).max() <= largest
    assert suspect.signature.op == "QuantizeLinear"
