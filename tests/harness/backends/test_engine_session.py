from collections.abc import Iterator

import numpy as np
import onnx
import pytest

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
