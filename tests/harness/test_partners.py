"""Fakes with one flaw each where the oracle has no word: their own answers to a partner give them away."""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from corpus.case import Array, Case
from engine import Session
from generators.choices import RandomChoices
from generators.partners import PARTNERS, Pair, pair_with
from harness.backends.spec import parse
from harness.oracle import Oracle, Silent, judge
from harness.outcome import Outcome, Refused, Values
from harness.partners import (
    Disagreement,
    binds,
    bound_pairs,
    disagreement,
    first_disagreement,
    left_by_partner,
    moved_by,
)
from tests.harness.benches import grouped

BY_NAME = {each.name: each for each in PARTNERS}
SPEC = parse("tests.fakes:perfect")
Codes = npt.NDArray[np.int64]
Fake = Callable[[onnx.ModelProto, Mapping[str, Array]], Array]


def overflowing() -> Case:
    """ConvInteger 1x1 over 70,000 channels: sums of two thirds of the filters leave int32."""
    channels, filters = 70_000, 12
    w = np.full((filters, channels, 1, 1), 127, np.int8)
    w[::3] = 1
    model = helper.make_model(
        helper.make_graph(
            [helper.make_node("ConvInteger", ["x", "w", "xz"], ["y"], "conv")],
            "g",
            [helper.make_tensor_value_info("x", TensorProto.UINT8, (2, channels, 1, 2))],
            [helper.make_tensor_value_info("y", TensorProto.INT32, (2, filters, 1, 2))],
            [
                numpy_helper.from_array(w, "w"),
                numpy_helper.from_array(np.array(0, np.uint8), "xz"),
            ],
        ),
        opset_imports=[helper.make_opsetid("", 13)],
        ir_version=8,
    )
    x = np.full((2, channels, 1, 2), 255, np.uint8)
    x[1] = 254
    x[:, :, :, 1] = 3
    return Case(bytes(model.SerializeToString()), {"x": x})


def denormal() -> Case:
    """A grouped QLinearConv whose scale of x is no normal float32 number: the oracle is silent."""
    case = grouped(out_per_group=5)
    model = case.proto()
    (node,) = model.graph.node
    for each in model.graph.initializer:
        if each.name in (node.input[1], node.input[6]):
            each.CopyFrom(numpy_helper.from_array(np.float32(1e-40), each.name))
    silent = case.with_model(model)
    with pytest.raises(Silent):
        Oracle(silent.proto()).allowed(silent.inputs)
    return silent


def sums(model: onnx.ModelProto, inputs: Mapping[str, Array]) -> Codes:
    """The exact sums of the one convolution of these cases."""
    (node,) = model.graph.node
    known = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    is_qlinear = node.op_type == "QLinearConv"
    x = inputs["x"].astype(np.int64) - int(known[node.input[2]])
    w = known[node.input[3 if is_qlinear else 1]].astype(np.int64)[:, :, 0, 0]
    groups = next((each.i for each in node.attribute if each.name == "group"), 1)
    parts = np.split(x, groups, axis=1)
    rows = np.split(w, groups)
    return np.concatenate(
        [np.einsum("nchw,mc->nmhw", a, b) for a, b in zip(parts, rows, strict=True)], axis=1
    )


def wraps(model: onnx.ModelProto, inputs: Mapping[str, Array]) -> Array:
    """Right as far as anybody can say: sums wrap around."""
    return sums(model, inputs).astype(np.int32)


def saturates_at_the_end(model: onnx.ModelProto, inputs: Mapping[str, Array]) -> Array:
    """Filters beyond the last block of eight saturate where others wrap around."""
    exact = sums(model, inputs)
    wrapped = exact.astype(np.int32)
    full = exact.shape[1] // 8 * 8
    wrapped[:, full:] = np.clip(exact[:, full:], -(2**31), 2**31 - 1)
    return wrapped


def saturates_the_second_sample(model: onnx.ModelProto, inputs: Mapping[str, Array]) -> Array:
    """Every sample but the first is computed by a kernel that saturates."""
    exact = sums(model, inputs)
    wrapped = exact.astype(np.int32)
    wrapped[1:] = np.clip(exact[1:], -(2**31), 2**31 - 1)
    return wrapped


def steps(model: onnx.ModelProto, inputs: Mapping[str, Array]) -> Array:
    """A requantization by a factor of one in 900, to int8."""
    return np.clip(np.rint(sums(model, inputs) / 900), -128, 127).astype(np.int8)


def flushes_at_the_end(model: onnx.ModelProto, inputs: Mapping[str, Array]) -> Array:
    """The rest of a block of eight takes a denormal scale for 0."""
    codes = steps(model, inputs)
    codes[:, codes.shape[1] // 8 * 8 :] = 0
    return codes


def drops_last_channel(model: onnx.ModelProto, inputs: Mapping[str, Array]) -> Array:
    """The last channel of every group is not summed."""
    (node,) = model.graph.node
    for each in model.graph.initializer:
        if each.name == node.input[3]:
            w = numpy_helper.to_array(each).copy()
            w[:, -1] = 0
            each.CopyFrom(numpy_helper.from_array(w, each.name))
    return steps(model, inputs)


def rounds_otherwise_at_the_end(model: onnx.ModelProto, inputs: Mapping[str, Array]) -> Array:
    """The rest of a block of eight is rounded towards zero: no bug that codes alone can prove."""
    exact, codes = sums(model, inputs) / 900, steps(model, inputs)
    full = codes.shape[1] // 8 * 8
    codes[:, full:] = np.clip(np.trunc(exact[:, full:]), -128, 127)
    return codes


def run(fake: Fake) -> Callable[[Case, object], Values]:
    return lambda case, spec: Values({"y": fake(case.proto(), case.inputs)})


def found_by(name: str, case: Case, fake: Fake) -> list[str]:
    """What five draws of one kind of partner show."""
    answer = run(fake)
    drawn = [pair_with(BY_NAME[name], case, RandomChoices(seed)) for seed in range(5)]
    pairs = [each for each in drawn if each is not None and binds(each)]
    told = (
        disagreement(each, SPEC, answer(case, SPEC), answer(each.partner, SPEC))
        for each in pairs
    )
    return [each.pattern for each in told if each is not None]


@pytest.mark.parametrize(
    ("name", "case", "fake"),
    [
        ("filters permuted", overflowing, saturates_at_the_end),
        ("fewer filters", overflowing, saturates_at_the_end),
        ("samples reversed", overflowing, saturates_the_second_sample),
        ("one sample alone", overflowing, saturates_the_second_sample),
        ("filters permuted", denormal, flushes_at_the_end),
        ("one group alone", denormal, flushes_at_the_end),
        ("channels permuted", denormal, drops_last_channel),
    ],
)
def test_a_flaw_that_the_oracle_cannot_see(
    name: str, case: Callable[[], Case], fake: Fake
) -> None:
    patterns = found_by(name, case(), fake)
    assert patterns
    assert all(each.startswith(f"differs from its partner: {name}; ") for each in patterns)


@pytest.mark.parametrize("name", BY_NAME)
@pytest.mark.parametrize(
    ("case", "fake"),
    [(overflowing, wraps), (denormal, steps), (denormal, rounds_otherwise_at_the_end)],
)
def test_what_may_be_right_is_no_finding(
    name: str, case: Callable[[], Case], fake: Fake
) -> None:
    given = case()
    if pair_with(BY_NAME[name], given, RandomChoices(0)) is not None:
        assert not found_by(name, given, fake)


def test_sums_that_overflow_are_not_compared_in_another_order() -> None:
    pair = pair_with(BY_NAME["channels permuted"], overflowing(), RandomChoices(1))
    assert pair is None or not binds(pair)


def test_where_the_oracle_speaks_it_alone_judges() -> None:
    pair = pair_with(BY_NAME["filters permuted"], grouped(), RandomChoices(1))
    assert pair is not None
    assert not binds(pair)


def test_a_failure_is_not_compared() -> None:
    pair = pair_with(BY_NAME["filters permuted"], denormal(), RandomChoices(1))
    assert pair is not None
    refused = Refused("no", documented=False)
    assert disagreement(pair, SPEC, refused, refused) is None


def test_the_first_kind_that_tells_is_the_same_every_time() -> None:
    case, answer = denormal(), run(flushes_at_the_end)
    found = first_disagreement(answer, SPEC, case, answer(case, SPEC))
    assert found is not None
    assert found.pair.name == "filters permuted"
    assert found.verdict.kind == "divergent"
    again = first_disagreement(answer, SPEC, case, answer(case, SPEC), "filters")
    assert again is not None
    assert again.pair.partner.digest == found.pair.partner.digest
    assert found.cause == "differs from its partner: other filters"
    assert moved_by(found.cause) == "filters"
    assert not first_disagreement(answer, SPEC, case, answer(case, SPEC), "samples")
    assert not first_disagreement(answer, SPEC, case, Refused("no", documented=True))


@pytest.mark.parametrize("name", ["one group alone", "filters permuted", "fewer filters"])
def test_what_a_partner_leaves_is_said_in_the_places_of_the_original(name: str) -> None:
    case, answer = denormal(), run(flushes_at_the_end)
    pairs = (each for each in bound_pairs(case) if each.name == name)
    told = (
        disagreement(each, SPEC, answer(case, SPEC), answer(each.partner, SPEC))
        for each in pairs
    )
    found = next(each for each in told if each)
    (allowed,) = left_by_partner(found).values()
    ours = found.original.arrays["y"]
    assert allowed.low.shape == ours.shape
    assert judge(allowed, ours).wrong == found.verdict.wrong
    assert found.pair.places["y"].of(allowed.high < 127).mean() > 0.5
    assert allowed.slack == 1.0  # one code apart, or anything


@pytest.mark.parametrize(
    "answer",
    [
        np.zeros((1, 1), np.int8),
        np.zeros((1, 10, 3, 3), np.float32),
        np.zeros((1, 10, 3, 3), np.uint64),
        np.int8(3),
    ],
)
def test_answers_of_any_shape_are_no_trouble(answer: Array) -> None:
    case = denormal()

    def odd(given: Case, spec: object) -> Outcome:
        return Values({"y": np.asarray(answer)})

    assert first_disagreement(odd, SPEC, case, odd(case, SPEC)) is None
    right = run(steps)(case, SPEC)
    found = first_disagreement(odd, SPEC, case, right)
    assert found is not None
    assert found.verdict.kind == "wrong-type-or-shape"
    assert not any(judge(a, right.arrays[n]).wrong for n, a in left_by_partner(found).items())


@pytest.mark.parametrize("case", [overflowing, denormal])
def test_our_engine_agrees_with_itself(case: Callable[[], Case]) -> None:
    given, bound = case(), 0
    for partner in PARTNERS:
        pair = pair_with(partner, given, RandomChoices(1))
        if pair is not None and binds(pair):
            bound += 1
            first, second = (_engine(each) for each in (pair.original, pair.partner))
            assert disagreement(pair, SPEC, first, second) is None, pair.partner.origin
    assert bound >= 3


def _engine(case: Case) -> Outcome:
    return Values(Session(case.model).run(case.inputs))


def test_every_kind_that_can_bind_has_words_for_its_cause() -> None:
    case = denormal()
    verdict = judge(Oracle(grouped().proto()).allowed(grouped().inputs)["y"], None)
    empty = Values({})
    for partner in PARTNERS:
        pair = Pair(partner.name, partner.claim, case, case, {})
        if partner.claim != "form":
            found = Disagreement(SPEC, pair, empty, empty, "y", 0, verdict)
            assert moved_by(found.cause)
            assert found.pattern.startswith(f"differs from its partner: {partner.name}; ")


def test_pairs_remember_both_cases() -> None:
    case = denormal()
    pair = pair_with(BY_NAME["fewer filters"], case, RandomChoices(4))
    assert isinstance(pair, Pair)
    assert pair.original is case
    assert pair.partner.inputs["x"].shape == case.inputs["x"].shape
