"""What is wrong of an operation among its neighbours is known by the operation before it, too."""

import numpy as np
import onnx

from corpus.case import Case
from harness.in_graph import diagnose_in_graph
from harness.observe import units
from tests.harness.benches import bench_of


def two_convolutions() -> Case:
    """Sums that are read in float, and quantized for a second convolution."""
    model = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["" : 13]>
g (int8[N, 1, 1, 4] x) => (float[N, 1, 1, 4] t, int8[N, 1, 1, 4] y)
<float s = {0.25}, int8 z = {0}, int8[1, 1, 1, 1] w = {100}, float r = {0.5}> {
  [a] d = DequantizeLinear (x, s, z) [b] v = DequantizeLinear (w, s, z) [c] t = Conv (d, v)
  [e] q = QuantizeLinear (t, r, z) [f] p = DequantizeLinear (q, r, z)
  [h] k = Conv (p, v) [i] y = QuantizeLinear (k, s, z)
}""")
    x = np.array([-4, 1, 2, 5], np.int8).reshape(1, 1, 1, 4)
    return Case(model.SerializeToString(), {"x": x})


def test_a_rewrite_may_show_in_the_operation_behind_it() -> None:
    case = two_convolutions()
    (last,) = (unit for unit in units(case.proto()) if "y" in unit.outputs)
    (first,) = (unit for unit in units(case.proto()) if "q" in unit.outputs)
    with bench_of("engine:fault=F172") as bench:
        spec = bench.specs[0]
        for unit in (last, first):
            found = diagnose_in_graph(bench, spec, case, unit)
            assert [each.fault for each in found] == ["F172"]
