from collections.abc import Iterator

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from corpus.case import Case
from harness.backends.description import Description
from harness.backends.pool import Pool
from harness.backends.spec import parse
from harness.errors import BadInput
from harness.outcome import Refused, Tapped, Values
from tests.harness.backends.models import dequantized_convolution, pixels

CASE = pixels(5, 7, 9, 3)
Y = [2, 3, 4, 1]
WITHOUT_ZERO_POINT = [
    4,
    4,
    5,
    2,
]  # x / 2 + 1, the halves 2.5, 3.5, 4.5, 1.5 rounded to even + 1


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool() as opened:
        yield opened


@pytest.mark.parametrize(
    "text",
    [
        "engine",
        "engine:fusion=off",
        "engine:disable=R01+R02",
        "engine:profile=qnnpack",
        "engine:profile=ort,fusion=on",
    ],
)
def test_options_reach_the_session(pool: Pool, text: str) -> None:
    outcome = pool.run_one(CASE, parse(text))
    assert isinstance(outcome, Values)
    assert [int(each) for each in outcome.arrays["y"].ravel()] == Y


def test_a_fault_changes_the_answer(pool: Pool) -> None:
    outcome = pool.run_one(CASE, parse("engine:fault=F25"))
    assert isinstance(outcome, Values)
    assert [int(each) for each in outcome.arrays["y"].ravel()] == [3, 5, 5, 3]


def test_an_unknown_fault_is_bad_input(pool: Pool) -> None:
    with pytest.raises(BadInput, match="fault=F999 is not one of F01"):
        pool.run_one(CASE, parse("engine:fault=F999"))


def test_its_taps_are_native(pool: Pool) -> None:
    case = Case(dequantized_convolution([[[[2]]]]), CASE.inputs)
    tapped = pool.tap(case, parse("engine"))
    assert isinstance(tapped, Tapped)
    assert (tapped.method, tapped.confirmed) == ("native", True)
    (step,) = tapped.plan
    assert (step.nodes, step.inputs, step.outputs) == (("dx", "dw", "c", "q"), ("x",), ("y",))
    np.testing.assert_array_equal(tapped.arrays["x"], CASE.inputs["x"])


def pooled(op: str) -> onnx.ModelProto:
    """x -> D "d" -> a pool "m" -> Sin "n" -> y."""
    graph = helper.make_graph(
        [
            helper.make_node("DequantizeLinear", ["x", "s"], ["f"], name="d"),
            helper.make_node(op, ["f"], ["p"], name="m", kernel_shape=[2, 2]),
            helper.make_node("Sin", ["p"], ["y"], name="n"),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, [1, 1, 2, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.array(0.5, np.float32), "s")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


PIXELS = {"x": np.array([[[[1, 2], [3, 4]]]], np.uint8)}


def test_steps_that_meet_in_a_tensor_of_a_rule_are_one_unit(pool: Pool) -> None:
    """R26 pools the codes first; the codes behind the pool are nobody's in the source graph."""
    tapped = pool.tap(Case(pooled("MaxPool").SerializeToString(), PIXELS), parse("engine"))
    assert isinstance(tapped, Tapped)
    assert sorted(tapped.arrays) == ["p", "x", "y"]
    assert [(unit.kind, unit.nodes, unit.inputs, unit.outputs) for unit in tapped.plan] == [
        ("MaxPool+DequantizeLinear", ("d", "m"), ("x",), ("p",)),
        ("Sin", ("n",), ("p",), ("y",)),
    ]


def test_rules_that_change_values_run_where_they_are_enabled(pool: Pool) -> None:
    """R56 rounds the average 2.5 to code 2."""
    case = Case(pooled("AveragePool").SerializeToString(), PIXELS)
    plain, tapped = (
        pool.tap(case, parse(f"engine{each}")) for each in ("", ":enable=R56+R52")
    )
    assert isinstance(plain, Tapped)
    assert isinstance(tapped, Tapped)
    assert (plain.arrays["p"].item(), tapped.arrays["p"].item()) == (1.25, 1)
    with pytest.raises(BadInput, match=r"enable=R01 is not one of .*R41"):
        pool.run_one(case, parse("engine:enable=R01"))


def test_what_it_does_not_support_is_a_limit(pool: Pool) -> None:
    proto = onnx.ModelProto.FromString(CASE.model)
    proto.graph.node[0].op_type = "Det"
    outcome = pool.run_one(CASE.with_model(proto), parse("engine"))
    assert isinstance(outcome, Refused)
    assert outcome.documented


def test_it_describes_itself(pool: Pool) -> None:
    said = pool.describe(parse("engine"))
    assert isinstance(said, Description)
    assert said.taps
    assert "R01" in said.switches
    assert "QLinearConv" in said.operators


@pytest.mark.parametrize("name", ["INT4", "UINT4", "FLOAT8E4M3FN", "FLOAT8E5M2"])
def test_codes_that_numpy_has_no_type_for_are_tapped(pool: Pool, name: str) -> None:
    element = getattr(TensorProto, name)
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s"], ["q"], output_dtype=element),
        helper.make_node("DequantizeLinear", ["q", "s"], ["y"]),
    ]
    x, y = (helper.make_tensor_value_info(each, TensorProto.FLOAT, [2]) for each in "xy")
    scale = numpy_helper.from_array(np.array(1, np.float32), "s")
    graph = helper.make_graph(nodes, "g", [x], [y], [scale])
    opsets = [helper.make_opsetid("", 21)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    case = Case(model.SerializeToString(), {"x": np.array([1, 2], np.float32)})
    tapped = pool.tap(case, parse("engine:fusion=off"))
    assert isinstance(tapped, Tapped)
    assert tapped.arrays["q"].dtype == helper.tensor_dtype_to_np_dtype(element)
    assert tapped.arrays["q"].astype(np.float32).tolist() == [1, 2]
