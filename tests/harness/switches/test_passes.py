"""Which passes cause what: those whose removal restores the answer or, where there is none, gives one."""

import numpy as np
import onnx
import pytest

from corpus.case import Case
from harness import passes
from harness.backends.spec import parse
from tests.harness.benches import bench_of

FLOATS = """<ir_version: 10, opset_import: ["" : 21]>
g (float8e4m3fn[1, 2] x) => (float8e4m3fn[1, 1] y)
<float s = {1}, float8e4m3fn z = {0}, float8e4m3fn[2, 1] w = {1, 1}> {
  a = DequantizeLinear (x, s, z) b = DequantizeLinear (w, s, z) c = MatMul (a, b) y = QuantizeLinear (c, s, z)
}"""


@pytest.mark.backend("ort")
def test_where_there_is_no_answer_a_wrong_one_tells_the_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """onnxruntime has no QLinearMatMul of 8-bit floats; what it gives without it is another matter."""
    monkeypatch.setattr(passes, "is_right", lambda *_: False)
    x = np.ones((1, 2), onnx.helper.tensor_dtype_to_np_dtype(onnx.TensorProto.FLOAT8E4M3FN))
    case = Case(onnx.parser.parse_model(FLOATS).SerializeToString(), {"x": x})
    with bench_of("ort") as bench:
        found = passes.passes_of(bench, parse("ort"), case)
    assert found == (("QDQSelectorActionTransformer",),)
