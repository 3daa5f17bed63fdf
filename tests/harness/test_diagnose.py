"""Diagnosing and confirming: the fault behind wrong values, and not one that only looks alike."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import onnx
import pytest

from corpus.case import Array, Case
from engine.faults import CATALOGUE, find
from generators.operators.conv import ConvSpec, build
from harness.backends.spec import parse
from harness.bench import Bench
from harness.confirm import confirmed
from harness.diagnose import diagnose, emulate, explain, foresee, is_triggered
from harness.oracle import Oracle
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


def named(bench: Bench, case: Case, fault: str) -> list[tuple[str, str]]:
    """Diagnosed and confirmed: id and title, the best first."""
    spec = parse(f"engine:fault={fault}")
    actual = emulate(case, "spec", find(fault))
    matches = diagnose(case, actual, Oracle(case.proto()).allowed(case.inputs), "spec")
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
    assert diagnose(case, emulate(case, "spec", None), allowed, "spec") == ()


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
