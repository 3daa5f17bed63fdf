"""What fails in a graph is named after the operator that makes it fail, whatever stands before it."""

import numpy as np
import onnx
import pytest

from corpus.case import Case
from harness.suspect import suspects
from tests.harness.benches import bench_of

HEAD = """<ir_version: 8, opset_import: ["" : 17]>
g (float[2] x) => (uint8[2] y) <float s = {0.1}, uint8 z = {3}, float c = {1.5}> {
"""
GELUS = [
    "a = Div (x, c) b = Erf (a) d = Add (b, c) e = Mul (x, d) y = QuantizeLinear (e, s, z)",
    "a = Add (x, c) b = Mul (a, c) d = Erf (b) e = Mul (d, c) y = QuantizeLinear (e, s, z)",
    """q = QuantizeLinear (x, s, z) r = DequantizeLinear (q, s, z) b = Erf (r) d = Mul (b, c)
    e = Relu (d) y = QuantizeLinear (e, s, z)""",
]


@pytest.mark.parametrize("text", GELUS)
def test_a_crash_is_named_after_what_completes_the_fusion(text: str) -> None:
    model = onnx.parser.parse_model(f"{HEAD}{text} }}")
    case = Case(model.SerializeToString(), {"x": np.ones(2, np.float32)})
    with bench_of("tests.fakes:crashes_over_what_it_fuses") as bench:
        spec = bench.specs[0]
        (suspect,) = suspects(bench, spec, case, bench.run(case, spec))
    assert suspect.signature.text.endswith("| crashed | Mul | signal SIGABRT")
