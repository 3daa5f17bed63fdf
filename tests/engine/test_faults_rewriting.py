"""Faults of rewriting show where they are placed and nowhere else, and do what they say."""

import numpy as np
import onnx
import pytest

from corpus.case import Case
from engine import EngineError, Session
from engine.faults import find, initializers, reordering, rewriting, sharing
from engine.faults.fault import Fault
from generators.graphs import draw_case
from tests.engine.models import Array
from tests.engine.rewriting_models import (
    IMAGE,
    Net,
    activated,
    constant,
    convolved,
    joined,
    one_pair,
    output_inside,
    pair,
    pair_before,
    pair_behind_a_concat,
    pooled,
    product,
    residual,
    shared_bias,
    shared_dequantize,
    shared_result,
    turned,
    two_pairs,
    two_quantizers,
)

FAULTS = (
    *rewriting.FAULTS,
    *reordering.FAULTS,
    *sharing.FAULTS,
    *initializers.FAULTS,
)
SIGNED, CHANGED = (np.int8, np.int8), (np.int8, np.uint8)

PAIRS = {
    "F55": (pair((1e-7, 10), (7e-7, 10)), pair((0.1, 10), (0.1000005, 10))),
    "F56": (pair((1e5, 10), (2e5, 10)), pair((0.1, 10), (0.100001, 10))),
    "F104": (pair((0.1, 10), (0.2, 10)), pair((0.1, 10), (0.1000005, 10))),
    "F104.zero": (pair((0.1, 10), (0.1, 12)), pair((0.1, 10), (0.2, 12))),
    "F112": (two_pairs((0.04, 100), (0.05, 30)), two_pairs((0.04, 100), (0.04, 100))),
    "F78": (two_pairs((0.04, 100), (0.05, 30)), two_pairs((0.04, 100), (0.04, 100))),
    "F151": (pair_before("Add"), pair_before("Mul")),
    "F157": (
        pair_behind_a_concat(0.5, 3, np.int8),
        pair_behind_a_concat(0.5, 3, np.int8, "Relu"),
    ),
    "F129": (one_pair(0.04, 0.04), one_pair(0.04, 0.05)),
    "F117": (two_quantizers((0.3, 5), (0.3, 50)), two_quantizers((0.3, 5), (0.2, 50))),
    "F60f": (two_quantizers((0.3, 5), (0.2, 50)), two_quantizers((0.3, 5), (0.3, 5))),
    "F122": (pair((0.1, 0), (0.1, 100), CHANGED), pair((0.1, 0), (0.1, 128), CHANGED)),
    "F32": (turned(np.int8, None, (4, 4)), turned(np.uint8, None, (4, 4))),
    "F106": (
        turned(np.int8, 0, (4, 4), (0.5, 1, 2, 4)),
        turned(np.int8, 0, (4, 5), (0.5, 1, 2, 4)),
    ),
    "F113": (pooled("Conv"), pooled("Relu")),
    "F120": (joined("x"), joined("z")),
    "F81": (activated("Relu", 50, np.uint8), activated("Relu", 0, np.uint8)),
    "F85": (activated("Clip", 0, np.uint8, 0.05, 50), activated("Clip", 0, np.uint8, 0.1, 50)),
    "F105": (activated("Relu", 20, np.int8), activated("Relu", 20, np.uint8)),
    "F86e": (residual(is_conv=True), residual(is_conv=False)),
    "F108": (shared_dequantize(shared=True), shared_dequantize(shared=False)),
    "F109": (shared_result("Conv"), shared_result("Conv", late=True)),
    "F86g": (shared_result("Relu"), shared_result("Relu", read="n1_t")),
    "F110": (shared_result("Relu", read="n1_t"), shared_result("Relu")),
    "F107": (output_inside(is_output=True), output_inside(is_output=False)),
    "F107.rounded": (output_inside(is_output=True), output_inside(is_output=False)),
    "F119": (shared_result("Relu", read="n1_t", zero=0), shared_result("Conv")),
    "F68": (shared_bias(7), shared_bias(0)),
    "F114": (constant(None), constant(0)),
    "F122.weights": (convolved(np.int8), convolved(np.uint8)),
    "F115": (product(4, None), product(4, 1)),
}


def places(case: Case, fault: Fault) -> tuple[str, ...]:
    return fault.places(Session(case.model, faults=[fault.key]).plan())


def run(case: Case, *faults: str, profile: str = "spec") -> dict[str, Array]:
    return Session(case.model, profile=profile, faults=faults).run(case.inputs)


def same(case: Case, *faults: str, profile: str = "spec") -> bool:
    right, wrong = (run(case, *keys, profile=profile) for keys in ((), faults))
    return all(np.array_equal(right[name], wrong[name]) for name in right)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda each: each.key)
def test_it_shows_where_it_is_placed_and_not_outside(fault: Fault) -> None:
    shows, decoy = PAIRS[fault.key]
    assert places(shows, fault)
    assert not same(shows, fault.key)
    assert not places(decoy, fault)
    assert same(decoy, fault.key)


@pytest.mark.parametrize("profile", ["ort", "fbgemm", "qnnpack", "opencv"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda each: each.key)
def test_it_shows_in_every_profile(fault: Fault, profile: str) -> None:
    assert not same(PAIRS[fault.key][0], fault.key, profile=profile)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda each: each.key)
def test_it_never_shows_where_it_has_no_place(fault: Fault) -> None:
    quiet = 0
    for seed in range(60):
        case = draw_case("graphs", "any", seed)
        try:
            right = run(case)
        except EngineError:
            continue
        session = Session(case.model, faults=[fault.key])
        if not fault.places(session.plan()):
            quiet += 1
            wrong = session.run(case.inputs)
            assert all(np.array_equal(wrong[name], right[name]) for name in right)
    assert quiet > 10


def test_a_dropped_pair_copies_its_codes() -> None:
    for key in ("F104", "F104.zero", "F55", "F56"):
        case = PAIRS[key][0]
        assert (run(case, key)["y"] == case.inputs["x"]).all()


SEVERAL = """<ir_version: 8, opset_import: ["" : 21]>
g (float[4] x) => (float[4] y) <float s = {1}, float t = {1}, int16 z = {3}> {
  q = QuantizeLinear (x, s, z) a = DequantizeLinear (q, s, z) b = DequantizeLinear (q, %s, z)
  y = Add (a, b)
}"""


@pytest.mark.parametrize(("scale", "dropped"), [("s", True), ("t", False)])
def test_a_pair_is_dropped_with_all_that_undo_it(scale: str, dropped: bool) -> None:
    """Only where they read the same constant; an equal one of another name keeps the pair."""
    model = onnx.parser.parse_model(SEVERAL % scale).SerializeToString()
    case = Case(model, {"x": np.array([-0.3, 0, 1.4, 7.25], np.float32)})
    assert bool(places(case, find("F129"))) == dropped
    expected = case.inputs["x"] * 2 if dropped else run(case)["y"]
    assert run(case, "F129")["y"].tolist() == expected.tolist()


def test_merged_pairs_have_the_range_that_both_have() -> None:
    """-4 to 6.2 and -1.5 to 11.25 have -1.5 to 6.2 in common."""
    case = PAIRS["F112"][0]
    scale = np.float32(7.7) / np.float32(255)
    codes = np.clip(np.rint(case.inputs["x"] / scale) + np.rint(1.5 / scale), 0, 255)
    expected = (codes - np.rint(1.5 / scale)) * float(scale)
    assert np.abs(run(case, "F112")["y_r"] - expected).max() < scale / 100


def test_a_dropped_rounding_is_that_of_the_first_pair() -> None:
    case = PAIRS["F78"][0]
    codes = np.clip(np.rint(case.inputs["x"] / np.float32(0.05)) + 30, 0, 255)
    assert (
        run(case, "F78")["y_r"] == (codes - 30).astype(np.float32) * np.float32(0.05)
    ).all()


def test_several_quantizers_of_one_tensor() -> None:
    """F117 copies the codes of the first, F60f gives the first those of the last."""
    first, last = (PAIRS[key][0] for key in ("F117", "F60f"))
    merged, right = run(first, "F117"), run(first)
    assert (merged["v"] == right["y"]).all()
    taken, right = run(last, "F60f"), run(last)
    assert (taken["y"] == taken["v"]).all()
    assert np.abs(taken["v"].astype(int) - right["v"]).max() <= 1


def test_codes_that_change_their_sign_or_lose_it() -> None:
    flipped = PAIRS["F122"][0]
    assert (run(flipped, "F122")["y"] == flipped.inputs["x"].astype(np.int16) + 128).all()
    clipped = PAIRS["F32"][0]
    codes = np.maximum(clipped.inputs["x"], 0).T
    assert (run(clipped, "F32")["n0_t"] == codes * np.float32(0.1)).all()


def test_scales_keep_the_number_of_their_axis() -> None:
    case = PAIRS["F106"][0]
    columns = case.inputs["x"].T * np.array([[0.5], [1], [2], [4]], np.float32)
    assert (run(case, "F106")["n0_t"].T == columns.T).all()


def test_the_last_quantizer_wins() -> None:
    y = run(PAIRS["F120"][0], "F120")["y"]
    assert (y[:4] == y[4:]).all()
    assert (y[4:] == run(PAIRS["F120"][0])["y"][4:]).all()


def test_activations_in_front_of_behind_and_nowhere() -> None:
    for key, low in (("F105", 0), ("F81", None)):
        case = PAIRS[key][0]
        dtype = run(case)["y"].dtype
        info, zero = np.iinfo(dtype), 20 if key == "F105" else 50
        codes = np.rint(case.inputs["x"] / np.float32(0.05)) + zero
        expected = np.clip(codes, info.min if low is None else low, info.max)
        assert (run(case, key)["y"] == expected).all()


def test_what_second_readers_read() -> None:
    shared = PAIRS["F108"][0]
    assert (run(shared, "F108")["n9_t"] == -shared.inputs["x"].astype(np.float32)).all()
    case = PAIRS["F109"][0]
    codes, reals = run(case)["y"], run(case)["n9_t"]
    rounded = -(codes.astype(np.float32) - 120) * np.float32(0.4)
    assert (run(case, "F109")["n9_t"] == rounded).all()
    inside = PAIRS["F107"][0]
    assert (run(inside, "F107")["n0_t"] == codes).all()
    assert (run(inside, "F107.rounded")["n0_t"] == -rounded).all()
    activated_ = run(PAIRS["F86g"][0], "F86g")["n9_t"]
    assert (activated_ == np.minimum(reals, 0)).all()
    assert (run(PAIRS["F110"][0], "F110")["n9_t"] == reals).all()
    assert not run(PAIRS["F119"][0], "F119")["n9_t"].any()


@pytest.mark.parametrize("sharing", ["F109", "F119"])
def test_codes_whose_pair_is_dropped_are_not_made_of_themselves(sharing: str) -> None:
    """The pair goes for the one who reads its reals; the Conv of codes keeps it."""
    net = Net()
    pair = net.quantize(net.floats(*IMAGE), "a", 0.4, 100)
    reals = net.real("a", pair, "a_r")
    net.out(reals, IMAGE, np.float32)
    net.quantize(net.conv(reals), "y", 0.4, 120)
    net.out("y")
    case = net.graph.case()
    found = run(case, sharing, "F129")
    assert np.array_equal(found["a_r"], case.inputs["x"])
    assert np.array_equal(found["y"], run(case)["y"])


def test_a_shared_bias_is_written_to() -> None:
    case = PAIRS["F68"][0]
    right, wrong = run(case), run(case, "F68")
    assert (right["y"] == wrong["y"]).all()
    assert (right["v"] != wrong["v"]).any()


def test_constants_are_misread() -> None:
    case = PAIRS["F114"][0]
    added = run(case, "F114")["n0_t"] - run(case)["n0_t"]
    steps = np.rint(added / np.float32(25.6))
    assert set(np.unique(steps)) == {0, 1}


def test_weights_move_without_their_zero_point() -> None:
    """128 steps of every x less its zero point are added."""
    case = PAIRS["F122.weights"][0]
    more = 128 * (case.inputs["x"].astype(int) - 3).sum(1, keepdims=True)
    right, wrong = (run(case, *keys)["y"].astype(int) for keys in ((), ("F122.weights",)))
    expected = np.clip(right - 120 + np.rint(more / 2**15), -120, 135) + 120
    assert np.abs(wrong - expected)[(right > 0) & (right < 255)].max() <= 1


def test_guards_are_named_in_the_plan() -> None:
    case = PAIRS["F104"][0]
    removed = Session(case.model, faults=["F104"]).plan().removed
    assert [each.guards for each in removed] == [("R40.G5/scale",)]
    assert find("F104").acts_on_rules


def clipped(case: Case, low: int, high: int) -> Array:
    """What is added where the pair of steps of 0.3 only clips the Conv before it."""
    (w,) = (
        onnx.numpy_helper.to_array(each)
        for each in case.proto().graph.initializer
        if each.name == "w"
    )
    convolved = np.einsum("oi,nihw->nohw", w[..., 0, 0], case.inputs["x"])
    ends = np.array([low, high], np.float32) * np.float32(0.3)
    assert (convolved != np.clip(convolved, *ends)).any()
    return np.asarray(np.clip(convolved, *ends) + w)


def whole(case: Case) -> Case:
    """Sums that are exact in whatever order."""
    return case.with_inputs({"x": 4 * np.rint(case.inputs["x"])})


@pytest.mark.parametrize("opset", [10, 17])
def test_a_pair_between_a_conv_and_an_add_clips_only(opset: int) -> None:
    """OpenVINO 2026.4.1 adds the reals of its Conv, clipped to those of codes 0 to 255."""
    case = whole(pair_before("Add", opset))
    (y,) = run(case, "F151").values()
    assert np.array_equal(y, clipped(case, -100, 155))


@pytest.mark.parametrize(
    ("after", "zero", "low", "high"), [("Clip", 100, -2, 7), ("Relu", 0, 0, 255)]
)
def test_of_a_clip_behind_the_conv_the_codes_of_its_bounds_are_left(
    after: str, zero: int, low: int, high: int
) -> None:
    """OpenVINO 2026.4.1; bounds of -0.7 and 2.2 are -2.3 and 7.3 steps. A Relu goes that changes no code."""
    case = whole(pair_before("Add", after=after, zero=zero))
    (y,) = run(case, "F151").values()
    assert np.array_equal(y, clipped(case, low, high))


def test_a_pair_of_two_codings_becomes_the_range_of_the_second() -> None:
    """OpenVINO 2026.4.1: reals between -30 and 46.5 become twice as many, and 15 less."""
    case = whole(pair_before("Add", second=(0.6, 125)))
    (y,) = run(case, "F151").values()
    w = onnx.numpy_helper.to_array(case.proto().graph.initializer[0])
    added = clipped(case, -100, 155) - w
    assert np.abs(y - (added * 2 - np.float32(15) + w)).max() < 1e-4
    assert all(map(np.array_equal, run(case).values(), run(case, "F129").values()))


@pytest.mark.parametrize(("after", "zero"), [("Relu", 1), ("Abs", 0)])
def test_a_pair_behind_what_openvino_keeps_rounds(after: str, zero: int) -> None:
    case = pair_before("Add", after=after, zero=zero)
    assert all(map(np.array_equal, run(case).values(), run(case, "F151").values()))
