"""Diagnosing and confirming: the fault behind wrong values, and not one that only looks alike."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import onnx
import pytest

from corpus.case import Array, Case
from engine.faults import CATALOGUE, Fault, find
from generators.operators.conv import ConvSpec, build
from harness.backends.spec import parse
from harness.bench import Bench
from harness.confirm import confirmed
from harness.diagnose import (
    Diagnosis,
    diagnose,
    explain,
    foresee,
    is_triggered,
    variants,
)
from harness.emulate import Emulator
from harness.oracle import Oracle, is_outside
from tests.harness.benches import bench_of, grouped, padded

TIED = ConvSpec(
    image=(4, 4),
    w_dtype="int8",
    y_zero_point=1,
    y_scale=2.0,
    x_kind="random",
    x_seed=1,
    w_kind="constant",
)
PAIRED = ConvSpec(
    image=(6, 6),
    in_per_group=4,
    out_per_group=6,
    kernel=(3, 3),
    w_dtype="int8",
    x_zero_point=40,
    x_scale=0.02,
    w_scales=(0.01, 0.013, 0.02, 0.03, 0.017, 0.011),
    w_zero_points=(0,) * 6,
    y_scale=3.7,
    y_zero_point=100,
    x_kind="random",
    w_kind="random",
)
SAME = ConvSpec(
    image=(5, 5),
    kernel=(3, 3),
    strides=(2, 2),
    dilations=(2, 2),
    auto_pad="SAME_LOWER",
    w_dtype="int8",
    x_zero_point=9,
    y_scale=301.0,
    y_zero_point=99,
    x_kind="random",
    w_kind="random",
)


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    names = ("F01", "F02", "F12", "F16", "F70", "F75", "F79a", "F79a.channels")
    with bench_of(*(f"engine:fault={name}" for name in names)) as found:
        yield found


def emulate(case: Case, profile: str, fault: Fault | None) -> dict[str, Array]:
    return Emulator(case, profile).outputs(fault)


def named(bench: Bench, case: Case, fault: str) -> list[tuple[str, str]]:
    """Diagnosed and confirmed: id and title, the best first."""
    spec = parse(f"engine:fault={fault}")
    actual = emulate(case, "spec", find(fault))
    matches = diagnose(case, actual, Oracle(case.proto()).allowed(case.inputs), "spec").matches
    return [(each.fault, each.title) for each in confirmed(bench, spec, case, matches)]


@pytest.mark.parametrize(
    ("fault", "case"),
    [
        ("F01", grouped(9)),
        ("F02", grouped(9)),
        ("F12", padded()),
        ("F16", build(SAME)),
        ("F70", build(TIED)),
        ("F75", build(TIED)),
    ],
)
def test_the_true_fault_comes_first(bench: Bench, fault: str, case: Case) -> None:
    assert named(bench, case, fault)[0][0] == fault


@pytest.mark.parametrize("fault", ["F79a", "F79a.channels"])
def test_of_the_variants_the_true_one_gives_its_title(bench: Bench, fault: str) -> None:
    spec = ConvSpec(
        in_per_group=2,
        w_dtype="int8",
        y_scale=800.0,
        x=np.full((1, 2, 1, 1), 255, np.uint8),
        w=np.full((1, 2, 1, 1), 127, np.int8),
    )
    assert named(bench, build(spec), fault)[0] == ("F79a", find(fault).title)


def test_a_fault_that_only_looks_alike_on_one_element_does_not_hold(bench: Bench) -> None:
    """One saturated pixel agrees with many faults; fresh data leave those that predict them."""
    spec = ConvSpec(
        groups=2,
        out_per_group=9,
        x_dtype="int8",
        w_dtype="int8",
        x_zero_point=5,
        x=np.array([[[[127]], [[-128]]]], np.int8),
        w=np.arange(18, dtype=np.int8).reshape(18, 1, 1, 1),
        y_scale=300.0,
    )
    assert {fault for fault, _ in named(bench, build(spec), "F01")} <= {"F01", "F02"}


@pytest.mark.parametrize("fault", ["F70", "F75"])
def test_a_lonely_quantize_linear_is_confirmed_on_other_reals(
    bench: Bench, fault: str
) -> None:
    """Ties at even steps alone go the same way under both; multiples of them do not."""
    case = _quantize(np.array([0.5, 2.5, -1.5, 82.5], np.float32))
    assert named(bench, case, fault)[0][0] == fault


def _quantize(x: Array) -> Case:
    node = onnx.helper.make_node("QuantizeLinear", ["x", "s", "z"], ["y"])
    value = onnx.helper.make_tensor_value_info
    constants = [
        onnx.numpy_helper.from_array(np.float32(1), "s"),
        onnx.numpy_helper.from_array(np.int8(1), "z"),
    ]
    graph = onnx.helper.make_graph(
        [node], "g", [value("x", 1, x.shape)], [value("y", 3, x.shape)], constants
    )
    opset = onnx.helper.make_opsetid("", 13)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8)
    return Case(model.SerializeToString(), {"x": x})


def test_what_the_profile_does_by_itself_is_no_faults_doing() -> None:
    """OpenCV's arithmetic rounds ties like F75; a fault without effect explains nothing there."""
    case = build(TIED)
    actual = emulate(case, "opencv", None)
    allowed = Oracle(case.proto()).allowed(case.inputs)
    assert explain(case, actual, allowed, "opencv", find("F75")) is not None
    for fault in CATALOGUE:
        if fault.id not in ("F70", "F75"):
            assert explain(case, actual, allowed, "opencv", fault) is None


def test_right_values_need_no_explanation() -> None:
    case = padded()
    allowed = Oracle(case.proto()).allowed(case.inputs)
    assert diagnose(case, emulate(case, "spec", None), allowed, "spec") == Diagnosis((), ())


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (replace(SAME, strides=(1, 1), dilations=(1, 1), kernel=(3, 3)), False),
        (SAME, True),
        (replace(SAME, x_kind="constant", x_zero_point=0, w_kind="constant", w_seed=-1), None),
    ],
)
def test_foreseeing(spec: ConvSpec, expected: bool | None) -> None:
    """False: it cannot show; True: it would; None: the data hide it."""
    case = build(spec)
    allowed = Oracle(case.proto()).allowed(case.inputs)
    assert foresee(case, allowed, "spec", find("F16")) is expected
    assert is_triggered(case, "spec", find("F16")) is (expected is not False)


def test_two_faults_at_once_are_named_together() -> None:
    case = build(replace(PAIRED, x_seed=3))
    both = find("F25+F50")
    allowed = Oracle(case.proto()).allowed(case.inputs)
    found = diagnose(case, emulate(case, "spec", both), allowed, "spec")
    assert "F25+F50" in {each.fault for each in found.matches}
    with bench_of("engine:fault=F25+F50") as bench:
        sure = confirmed(bench, parse("engine:fault=F25+F50"), case, found.matches)
    assert sure[0].fault == "F25+F50"
    assert sure[0].title == f"{find('F25').title}; {find('F50').title}"
    assert variants(sure[0]) == (both,)


def test_where_the_border_is_and_what_it_holds_are_two_faults() -> None:
    """The first explains most of it; alone, the second is farther off than many that do not act."""
    spec = replace(SAME, groups=3, image=(4, 6), strides=(2, 1), dilations=(1, 1), x_seed=7)
    same = replace(spec, auto_pad="SAME_UPPER", x_dtype="int8", y_scale=100.0, y_zero_point=0)
    case = build(same)
    allowed = Oracle(case.proto()).allowed(case.inputs)
    found = diagnose(case, emulate(case, "spec", find("F11.tail+F16")), allowed, "spec")
    assert [each.fault for each in found.matches] == ["F11+F16"]


def test_two_faults_do_not_pass_for_one() -> None:
    """What one fault explains needs no second; what no pair explains on fresh data is none."""
    case = build(PAIRED)
    allowed = Oracle(case.proto()).allowed(case.inputs)
    found = diagnose(case, emulate(case, "spec", find("F25")), allowed, "spec")
    assert found.matches
    assert not any("+" in each.fault for each in found.matches)
    with bench_of("engine") as bench:
        wrong = (replace(found.matches[0], fault="F25+F50", title=find("F25+F50").title),)
        assert confirmed(bench, parse("engine"), case, wrong) == ()


def test_a_near_miss_is_no_match() -> None:
    case = build(PAIRED)
    allowed = Oracle(case.proto()).allowed(case.inputs)
    (name,) = allowed
    actual = emulate(case, "spec", find("F25"))
    flat = actual[name].reshape(-1)
    strange = int(np.flatnonzero(is_outside(allowed[name], actual[name]))[0])
    flat[strange] ^= 0x55
    found = diagnose(case, actual, allowed, "spec")
    assert found.matches == ()
    assert "F25" in {each.fault for each in found.near}
    assert all(0.95 < each.matched / each.total < 1 for each in found.near)


AVERAGED = """<ir_version: 7, opset_import: ["" : 14]>
averaged (int8[1,2,5] x) => (float[1,2,2] f) <float a = {0.3}, int8 b = {0}>
{
   e = DequantizeLinear (x, a, b)
   f = AveragePool <kernel_shape: ints = [3], strides: ints = [3], auto_pad: string = "SAME_UPPER">
       (e)
}"""


def written(text: str, x: Array) -> Case:
    return Case(onnx.parser.parse_model(text).SerializeToString(), {"x": x})


def test_reals_may_be_summed_in_another_order() -> None:
    x = np.random.default_rng(1).integers(-128, 128, (1, 2, 5)).astype(np.int8)
    case = written(AVERAGED, x)
    allowed = Oracle(case.proto()).allowed(case.inputs)
    wrong = emulate(case, "spec", find("F16.average.side"))["f"]
    nudged = np.nextafter(wrong, np.float32(np.inf))
    assert (nudged != wrong).all()
    found = diagnose(case, {"f": nudged}, allowed, "spec").matches
    assert "F16" in {each.fault for each in found}
    far = wrong + np.float32(0.001)
    assert not diagnose(case, {"f": far}, allowed, "spec").matches


def test_a_fault_may_give_what_is_no_number() -> None:
    """An infinity is the highest code; where the pair is dropped it is subtracted from itself."""
    text = """<ir_version: 8, opset_import: ["" : 21]>
    g (uint8[2] x) => (float[2] y) <float s = {1}, float big = {3e38}, uint16 z = {0}> {
      r = DequantizeLinear (x, s) e = Mul (r, big) q = QuantizeLinear (e, s, z)
      d = DequantizeLinear (q, s, z) y = Sub (d, d) }"""
    case = written(text, np.array([1, 2], np.uint8))
    told = {"y": np.array([0, np.nan], np.float32)}
    allowed = Oracle(case.proto()).allowed(case.inputs)
    found = diagnose(case, told, allowed, "spec", [find("F129")])
    assert [(each.fault, each.matched) for each in found.matches] == [("F129", 2)]
