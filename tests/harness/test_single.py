"""What is wrong by itself takes the name of what it is fused into."""

import numpy as np
import onnx
import pytest

from corpus.case import Case
from harness.single import each_operator
from harness.suspect import suspects
from tests.harness.benches import bench_of

MODEL = """<ir_version: 8, opset_import: ["" : 17]>
g (uint8[64] x) => (uint8[64] y)
<float s = {0.5}, uint8 z = {3}, float c = {1.5}, float t = {0.00390625}> {
    a = DequantizeLinear (x, s, z) b = Mul (a, c) d = Softsign (b) e = Relu (d)
    y = QuantizeLinear (e, t, z)
}"""
CASE = Case(
    onnx.parser.parse_model(MODEL).SerializeToString(),
    {"x": np.arange(64, dtype=np.uint8)},
)


def test_every_operator_is_fed_exact_values() -> None:
    parts = list(each_operator(CASE))
    assert [part.proto().graph.node[0].op_type for part in parts] == [
        "Mul",
        "Softsign",
        "Relu",
    ]
    (mul, soft, _) = (next(iter(part.inputs.values())).tolist() for part in parts)
    assert mul[:4] == [-1.5, -1, -0.5, 0]
    assert soft[:4] == [-2.25, -1.5, -0.75, 0]


def test_what_has_one_operator_has_no_parts() -> None:
    (part, *_) = each_operator(CASE)
    assert list(each_operator(part)) == []


def test_a_fused_operator_that_is_wrong_by_itself_is_named_alone() -> None:
    with bench_of("tests.fakes:halves_softsign") as bench:
        spec = bench.specs[0]
        (suspect,) = suspects(bench, spec, CASE, bench.run(CASE, spec))
    assert suspect.signature.text.endswith("| divergent | Softsign | unexplained")


@pytest.mark.parametrize(("fault", "op"), [("F163", "Tanh"), ("F164", "Softplus")])
def test_what_is_no_finite_number_is_one_bug_as_a_code_and_as_a_real(
    fault: str, op: str
) -> None:
    """Where a QuantizeLinear follows, NaN and infinity are codes."""
    head = '<ir_version: 8, opset_import: ["" : 17]> g (float[8] x) =>'
    texts = (
        f"{head} (float[8] y) {{ y = {op} (x) }}",
        f"{head} (int8[8] y) <float s = {{0.5}}, int8 z = {{3}}> "
        f"{{ a = {op} (x) y = QuantizeLinear (a, s, z) }}",
    )
    x = {"x": np.array([1, 20, 40, 100, 120, 90, 0, 3], np.float32)}
    with bench_of(f"engine:fault={fault}") as bench:
        spec = bench.specs[0]
        for text in texts:
            case = Case(onnx.parser.parse_model(text).SerializeToString(), x)
            (suspect,) = suspects(bench, spec, case, bench.run(case, spec))
            assert suspect.signature.text.endswith(f"| divergent | {fault}")
    assert len(suspect.case.proto().graph.node) == 1


FAR = """<ir_version: 8, opset_import: ["" : 17]>
g (uint8[9] x) => (uint8[9] y) <float s = {8}, uint8 z = {0}, float t = {1}> {
    a = DequantizeLinear (x, s, z) b = Softsign (a) y = QuantizeLinear (b, t, z)
}"""


def test_a_fault_that_always_breaks_what_is_right_is_none() -> None:
    """Codes far off all become 0, as with the scales of a table swapped (F86b); near ones do not."""
    model = onnx.parser.parse_model(FAR).SerializeToString()
    case = Case(model, {"x": np.array([7, 0, 0, 0, 0, 0, 0, 0, 0], np.uint8)})
    with bench_of("tests.fakes:drops_far_softsign") as bench:
        spec = bench.specs[0]
        (suspect,) = suspects(bench, spec, case, bench.run(case, spec))
    assert suspect.signature.text.endswith("| divergent | Softsign | unexplained")
