"""Faults that give the same values on one small case are told apart by other data and parameters."""

from typing import Any

import numpy as np
import onnx
import pytest

from corpus.case import Case
from corpus.finding import Match
from engine.faults import CATALOGUE, find
from harness import confirm
from harness.confirm import Candidate
from harness.diagnose import diagnoses
from harness.oracle import Oracle
from harness.outcome import Values
from harness.requantized import requantized
from harness.suspect import suspects
from tests.engine.fusion.pools import behind
from tests.engine.models import Array, graph_model, qdq_conv, qlinear_conv
from tests.harness.benches import bench_of


def quantized(op: str, x: Array, read: float, written: float, **given: Any) -> Case:
    """One operator of com.microsoft with zero points of 0."""
    zero = np.array(0, x.dtype)
    constants: dict[str, Any] = {"xs": np.float32(read), "xz": zero}
    constants |= {"ys": np.float32(written), "yz": zero}
    names = ["x", "xs", "xz", "ys", "yz"]
    node = onnx.helper.make_node(op, names, ["y"], domain="com.microsoft", **given)
    inputs: dict[str, Any] = {"x": (x.dtype, list(x.shape))}
    model = graph_model([node], inputs, {"y": x.dtype}, constants, 13)
    model.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    return Case(model.SerializeToString(), {"x": x})


def causes(fault: str, case: Case) -> list[str]:
    with bench_of(f"engine:fault={fault}") as bench:
        spec = bench.specs[0]
        found = suspects(bench, spec, case, bench.run(case, spec))
        return [each.signature.cause for each in found]


ONE = quantized("QLinearSoftmax", np.zeros((1, 1), np.uint8), 1.0, 1 / 256, axis=1, opset=13)
TWO = quantized("QLinearSigmoid", np.array([[1, 0]], np.int8), 1.0, 1.0)


@pytest.mark.parametrize("fault", ["F128.softmax", "F38.softmax"])
def test_a_single_element_that_is_full_is_told_by_other_parameters(fault: str) -> None:
    """256 of 256 steps becomes code 0, by a cast or for want of clipping, whatever the input."""
    assert causes(fault, ONE) == [fault.removesuffix(".softmax")]


@pytest.mark.parametrize("fault", ["F128.table", "F86"])
def test_a_sigmoid_of_two_codes_is_told_by_codes_near_them(fault: str) -> None:
    """Random codes are far off, where the answer is right whatever the fault."""
    assert causes(fault, TWO) == [fault.removesuffix(".table")]


def blocks(fault: str) -> list[str]:
    """What is found for rows of their own, one zero point of which is another."""
    scale, zero = np.ones((3, 4), np.float32), np.eye(1, 12, 2, np.uint8).reshape(3, 4)
    node = onnx.helper.make_node(
        "QuantizeLinear", ["x", "s", "z"], ["y"], axis=0, block_size=1
    )
    constants: dict[str, Any] = {"s": scale, "z": zero}
    model = graph_model([node], {"x": (np.float32, [3, 4])}, {"y": np.uint8}, constants, 21)
    return causes(fault, Case(model.SerializeToString(), {"x": np.ones((3, 4), np.float32)}))


@pytest.mark.parametrize("fault", ["F102", "F149"])
def test_blocks_are_told_by_parameters_that_all_differ(fault: str) -> None:
    assert blocks(fault) == [fault]


FRAMED = """<ir_version: 8, opset_import: ["" : 21]>
g (int8[1,4,2,1] x) => (int8[1,4,1,3] y) <float s = {1}, float t = {0.03125}, float v = {-0.0234375},
  int8 z = {0}, int64[8] p = {0, 0, 0, 2, 0, 0, 0, 1}> {
  r = DequantizeLinear (x, s, z) f = Pad (r, p, v)
  a = AveragePool <kernel_shape: ints = [2, 2]> (f) y = QuantizeLinear (a, t, z) }"""


@pytest.mark.parametrize("fault", ["F22", "F98.real"])
def test_what_drops_a_border_is_told_from_what_cuts_it_off(fault: str) -> None:
    """Both make 0 of a border between -1 and 1; they differ in larger ones."""
    model = onnx.parser.parse_model(FRAMED).SerializeToString()
    case = Case(model, {"x": np.zeros((1, 4, 2, 1), np.int8)})
    assert causes(fault, case) == [fault.removesuffix(".real")]


BIASED = """<ir_version: 8, opset_import: ["" : 13]>
g (uint8[1,1,1,1] x) => (uint8[1,2,1,1] y) <float s = {1}, uint8 z = {0}, int8 o = {0},
  int8[2,1,1,1] w = {0, 0}, float[2] b = {-4123532, 3781880832}> {
  r = DequantizeLinear (x, s, z) f = DequantizeLinear (w, s, o)
  c = Conv <kernel_shape: ints = [1, 1]> (r, f, b) y = QuantizeLinear (c, s, z) }"""


@pytest.mark.parametrize("fault", ["F63.convert", "F76"])
def test_whether_the_bias_or_the_result_is_beyond_int32_is_told_by_another_scale(
    fault: str,
) -> None:
    """Of scale 1 both are the same number; convolutions around it have no such bias."""
    model = onnx.parser.parse_model(BIASED).SerializeToString()
    case = Case(model, {"x": np.zeros((1, 1, 1, 1), np.uint8)})
    assert causes(fault, case) == [fault.removesuffix(".convert")]


def test_of_two_faults_the_case_has_the_one_that_it_shows() -> None:
    """Zeros have no ties: that means are rounded up too is seen on other data only."""
    model = behind(
        "AveragePool",
        x=(1.0, 7),
        y=(1.0, 7),
        kernel_shape=[2],
        pads=[1, 0],
        count_include_pad=1,
    )
    zeros = Case(model.SerializeToString(), {"x": np.zeros((1, 1, 5), np.uint8)})
    both = zeros.with_inputs({"x": np.array([[[0, 7, 8, 200, 203]]], np.uint8)})
    assert causes("F90+F71.average", zeros) == ["F90"]
    assert causes("F90+F71.average", both) == ["F90+F71"]


def test_equal_parameters_stay_equal_in_one_draw_of_two_and_data_stay() -> None:
    case = Case(behind("Relu", x=(0.25, 5), y=(0.25, 5)).SerializeToString(), {})
    rng, seen = np.random.default_rng(0), []
    for _ in range(20):
        drawn = requantized(case, rng).proto().graph.initializer
        seen.append({each.name: onnx.numpy_helper.to_array(each).item() for each in drawn})
    equal = [each["xs"] == each["ys"] and each["xz"] == each["yz"] for each in seen]
    assert 5 < sum(equal) < 15
    assert len({(each["xs"], each["xz"]) for each in seen}) > 9
    data = behind("Add", constants={"c": np.ones(3, np.float32)})
    drawn = requantized(Case(data.SerializeToString(), {}), rng).proto().graph.initializer
    assert next(onnx.numpy_helper.to_array(each) for each in drawn if each.name == "c").all()
    assert {each.name for each in drawn} == {"xs", "xz", "ys", "yz", "c"}


def test_extreme_scales_become_usual_in_one_draw_of_two() -> None:
    case = Case(behind("Relu", x=(1.0, 5), y=(2.0**-60, 5)).SerializeToString(), {})
    rng, seen = np.random.default_rng(0), []
    for _ in range(20):
        drawn = requantized(case, rng).proto().graph.initializer
        scale = next(each for each in drawn if each.name == "ys")
        seen.append(float(onnx.numpy_helper.to_array(scale)))
    assert 5 < sum(each > 2.0**-20 for each in seen) < 15


@pytest.mark.parametrize("centre", [0, 7])
def test_constants_around_0_stay_so(centre: int) -> None:
    """Weights with a zero point other than 0 are fused by few engines, and then no bug of these shows."""
    w = np.ones((8, 8, 1, 1), np.int8)
    for model in (qlinear_conv(w, w_zero=centre), qdq_conv(w, w_zero=centre)):
        case, seen = Case(model.SerializeToString(), {}), set()
        for seed in range(8):
            drawn = requantized(case, np.random.default_rng(seed)).proto().graph.initializer
            zeros = {each.name: onnx.numpy_helper.to_array(each) for each in drawn}
            seen.add((int(zeros["wz"].max()) == centre, int(zeros["xz"]) == 3))
        assert {kept for kept, _ in seen} == ({True} if centre == 0 else {True, False})
        assert {kept for _, kept in seen} == {True, False}


def test_a_zero_point_keeps_its_shape_beside_an_equal_one_of_another() -> None:
    """A list of one and a scalar have the same bytes; engines ask for the shape of the scale."""
    constants = {"one": np.array([7], np.uint8), "none": np.array(7, np.uint8)}
    nodes = [
        onnx.helper.make_node("DequantizeLinear", ["x", "s", zero], [f"y{zero}"])
        for zero in constants
    ]
    given: dict[str, Any] = constants | {"s": np.float32(1)}
    model = graph_model(nodes, {"x": (np.uint8, [1])}, {"yone": np.float32}, given, 13)
    for seed in range(8):
        drawn = requantized(
            Case(model.SerializeToString(), {}), np.random.default_rng(seed)
        ).proto()
        shapes = {each.name: list(each.dims) for each in drawn.graph.initializer}
        assert shapes == {"one": [1], "none": [], "s": []}


@pytest.mark.parametrize(
    ("fault", "held"), [("F70", False), ("F76.wrap", True), ("F70+F76.wrap", False)]
)
def test_what_is_right_on_other_data_refutes_who_says_that_it_is_wrong(
    fault: str, held: bool
) -> None:
    """Ties there are; values of 2**31 there are none: F76 cannot show, which is nothing against it."""
    node = onnx.helper.make_node("QuantizeLinear", ["x", "s", "z"], ["y"])
    constants: dict[str, Any] = {"s": np.float32(1), "z": np.uint8(9)}
    model = graph_model([node], {"x": (np.float32, [2])}, {"y": np.uint8}, constants, 13)
    case = Case(model.SerializeToString(), {"x": np.array([0.5, 2.5], np.float32)})
    match = Match(find(fault).id, find(fault).title, 1, 1)
    with bench_of("engine") as bench:
        sure = confirm.confirmed(bench, bench.specs[0], case, (match,))
    assert [each.fault for each in sure] == ([match.fault] if held else [])


@pytest.mark.parametrize(("foretold", "heard"), [(1, False), (2, True)])
def test_neighbours_refute_nobody_where_nobody_foretells_most_of_them(
    foretold: int, heard: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most of four neighbours show another bug: that a fault foretells one of them is chance."""
    case = Case(behind("Relu").SerializeToString(), {"x": np.zeros((2, 4), np.uint8)})
    with bench_of("engine") as bench:
        right = bench.run(case, bench.specs[0])
        assert isinstance(right, Values)
        ((name, array),) = right.arrays.items()
        wrong, other = ({name: array + np.uint8(n)} for n in (1, 2))
        told = {
            Candidate(find("F70"), "fused"): right.arrays,
            Candidate(find("F71"), "fused"): wrong,
        }
        near = [(case, told)] * foretold + [(case, dict.fromkeys(told, other))] * 4
        monkeypatch.setattr(confirm, "_contested", lambda *_: near[:4])
        scores = confirm._scores(bench, bench.specs[0], iter(()), list(told), "spec")
    assert list(scores.values()) == ([(foretold, 0), (0, 0)] if heard else [])


def test_wrong_values_that_are_foretold_are_counted_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = Case(behind("Relu").SerializeToString(), {"x": np.zeros((2, 4), np.uint8)})
    with bench_of("engine", "tests.fakes:flips_a_bit") as bench:
        right, wrong = (bench.run(case, each) for each in bench.specs)
        assert isinstance(right, Values)
        assert isinstance(wrong, Values)
        told = {
            Candidate(find("F70"), "fused"): right.arrays,
            Candidate(find("F71"), "fused"): wrong.arrays,
        }
        monkeypatch.setattr(confirm, "_contested", lambda *_: [(case, told)])
        for spec, expected in zip(
            bench.specs, ([(1, 0), (0, 0)], [(0, 0), (1, 1)]), strict=True
        ):
            scores = confirm._scores(bench, spec, iter(()), list(told), "spec")
            assert list(scores.values()) == expected


def test_of_two_that_foretell_as_much_the_one_comes_first_that_foretells_wrong_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    node = onnx.helper.make_node("QuantizeLinear", ["x", "s"], ["y"])
    model = graph_model(
        [node], {"x": (np.float32, [2])}, {"y": np.uint8}, {"s": np.array(1, np.float32)}, 13
    )
    case = Case(model.SerializeToString(), {"x": np.array([2.0**31, 2.5], np.float32)})
    matches = [Match(each, find(each).title, 1, 1) for each in ("F76", "F152")]
    held = [Candidate(find(each), "fused") for each in ("F76", "F152")]
    monkeypatch.setattr(confirm, "_holding", lambda *_: held)
    monkeypatch.setattr(confirm, "_scores", lambda *_: {held[0]: (4, 1), held[1]: (4, 2)})
    with bench_of("engine") as bench:
        sure = confirm.confirmed(bench, bench.specs[0], case, matches)
    assert [each.fault for each in sure] == ["F152", "F76"]


def test_two_faults_at_once_must_hold_under_other_parameters() -> None:
    """The reference evaluator takes the scales of a 3-D QLinearConv along the depth of the image.

    Where one plane of five is no border, that is one scale for all: the first one, doubled.
    """
    text = """<ir_version: 7, opset_import: ["" : 13]>
    one (int8[1,5,1,1,1] x) => (int8[1,5,5,3,3] y)
    <float xs = {1}, int8 xz = {0}, uint8[5,1,1,1,1] w = {255, 0, 255, 0, 255}, uint8 wz = {0},
     float[5] ws = {0.015625, 0.015625, 0.03125, 0.03125, 0.03125}, float ys = {1024}, int8 yz = {0}>
    { y = QLinearConv <group: int = 5, pads: ints = [2, 1, 2, 2, 1, 0]> (x, xs, xz, w, ws, wz, ys, yz) }"""
    model = onnx.parser.parse_model(text)
    x = np.array([102, 0, 102, 0, 102], np.int8).reshape(1, 5, 1, 1, 1)
    case = Case(model.SerializeToString(), {"x": x})
    others = [each for each in CATALOGUE if each.key != "F176"]
    allowed = Oracle(case.proto()).allowed(case.inputs)
    with bench_of("onnx-reference") as bench:
        spec = bench.specs[0]
        outcome = bench.run(case, spec)
        assert isinstance(outcome, Values)
        found = [*diagnoses(case, outcome.arrays, allowed, "spec", others)][-1]
        assert [each.fault for each in found.matches if "+" in each.fault]
        assert not confirm.confirmed(bench, spec, case, found.matches)
        assert [each.signature.cause for each in suspects(bench, spec, case, outcome)] == [
            "F176"
        ]


def test_ties_are_told_apart_by_other_zero_points() -> None:
    """onnxruntime adds the zero point of a QLinearMul before it rounds: -1/2 + 1 is 0, and so is -1 + 1."""
    text = """<ir_version: 7, opset_import: ["" : 14, "com.microsoft" : 1]>
    g (uint8[4] x, uint8 k) => (uint8[4] y)
    <float a = {1}, uint8 b = {128}, float c = {0.25}, uint8 d = {0}, float e = {64}, uint8 f = {1}>
    { y = com.microsoft.QLinearMul (x, a, b, k, c, d, e, f) }"""
    model = onnx.parser.parse_model(text)
    inputs = {"x": np.zeros(4, np.uint8), "k": np.array(1, np.uint8)}
    case = Case(model.SerializeToString(), inputs)
    with bench_of("ort") as bench:
        spec = bench.specs[0]
        found = suspects(bench, spec, case, bench.run(case, spec))
    assert [each.signature.text for each in found] == ["ort | rounding-mode | F75"]
