"""Every flaw gets its verdict and its words."""

from dataclasses import replace

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import helper

from corpus.case import Array
from harness.evidence import distance
from harness.oracle import Allowed, Oracle, is_outside, judge
from tests.harness.oracle import reference
from tests.harness.oracle.models import Spec, constant, draw, qdq, qlinear


def judged(spec: Spec) -> Allowed:
    return Oracle(qlinear(spec)).allowed({"x": spec.x})["y"]


def correct(allowed: Allowed) -> Array:
    return allowed.centre.astype(allowed.dtype)


def with_ties(y_zero: int) -> Spec:
    """A convolution of small numbers and powers of two whose zero point has a given parity."""
    spec = draw(np.random.default_rng(11), "power", small=True, image=(8, 8))
    return replace(spec, y_zero=y_zero)


@pytest.fixture
def allowed() -> Allowed:
    spec = draw(np.random.default_rng(10), "random", outputs=6, image=(7, 7))
    found = judged(replace(spec, y_scale=spec.y_scale * np.float32(6), y_zero=128))
    assert 3 <= found.centre.min() < found.centre.max() <= 252
    return found


def test_the_centre_is_exact(allowed: Allowed) -> None:
    verdict = judge(allowed, correct(allowed))
    assert (verdict.kind, verdict.wrong, verdict.is_wrong) == ("exact", 0, False)
    assert verdict.total == allowed.centre.size


def test_the_other_allowed_code_is_a_tie() -> None:
    rng = np.random.default_rng(12)
    wide = next(
        a for a in (judged(draw(rng, "below", small=True)) for _ in range(99)) if a.slack > 0
    )
    other = np.where(wide.low < wide.centre, wide.low, wide.high).astype(wide.dtype)
    verdict = judge(wide, other)
    assert verdict.kind == "tie"
    assert verdict.ties == np.count_nonzero(wide.low < wide.high)
    assert not verdict.is_wrong


def test_one_element_off_by_one_is_divergent(allowed: Allowed) -> None:
    codes = correct(allowed)
    codes[1, 4, 2, 3] -= 1
    verdict = judge(allowed, codes)
    assert (verdict.kind, verdict.wrong, verdict.max_steps) == ("divergent", 1, 1.0)
    assert verdict.where == (1, 4, 2, 3)
    assert verdict.pattern == "channel 4 of 6, one step off"


def test_a_wrong_zero_point_is_a_constant_offset(allowed: Allowed) -> None:
    verdict = judge(allowed, (allowed.centre - 3).astype(allowed.dtype))
    assert verdict.kind == "divergent"
    assert verdict.pattern == "all elements, constant offset -3"


@pytest.mark.parametrize("y_zero", [100, 101])
def test_half_away_from_zero_is_a_rounding_mode(y_zero: int) -> None:
    spec = with_ties(y_zero)
    steps = reference.exact_steps(spec).astype(np.float64)
    away = np.sign(steps) * np.floor(np.abs(steps) + 0.5)
    verdict = judge(judged(spec), reference.saturate(away + y_zero, spec.y_dtype))
    assert verdict.kind == "rounding-mode"
    assert verdict.is_wrong
    assert verdict.max_steps == 1.0


@pytest.mark.parametrize(("y_zero", "kind"), [(100, "exact"), (101, "rounding-mode")])
def test_a_zero_point_added_before_rounding_shows_on_odd_zero_points(
    y_zero: int, kind: str
) -> None:
    spec = with_ties(y_zero)
    steps = reference.exact_steps(spec).astype(np.float64)
    inside = reference.saturate(np.rint(steps + y_zero), spec.y_dtype)
    assert judge(judged(spec), inside).kind == kind
    of_floats = Oracle(qdq(spec, dequantized=True)).allowed({"x": spec.x})["z"]
    reals = ((inside.astype(np.float64) - y_zero) * spec.y_scale).astype(np.float32)
    assert judge(of_floats, reals).kind == kind


def test_nothing_another_type_or_another_shape(allowed: Allowed) -> None:
    codes = correct(allowed)
    for actual, words in (
        (None, "got missing"),
        (codes.astype(np.int8), "got int8 (2, 6, 5, 5)"),
        (codes.reshape(2, 6, 25), "got uint8 (2, 6, 25)"),
    ):
        verdict = judge(allowed, actual)
        assert verdict.kind == "wrong-type-or-shape"
        assert verdict.pattern == f"expected uint8 (2, 6, 5, 5), {words}"


def test_float_outputs_are_measured_in_steps() -> None:
    spec = draw(np.random.default_rng(13), "random")
    float_allowed = Oracle(qdq(spec, float_output=True)).allowed({"x": spec.x})["c"]
    reals = float_allowed.centre.astype(np.float32)
    assert judge(float_allowed, reals).kind == "exact"
    step = float(spec.x_scale) * float(spec.w_scale)
    reals[0, 1, 2, 0] += 1000 * step
    verdict = judge(float_allowed, reals)
    assert (verdict.kind, verdict.wrong, verdict.where) == ("divergent", 1, (0, 1, 2, 0))
    assert verdict.max_steps == pytest.approx(1000, rel=0.01)
    reals[1, 0, 0, 0] = np.nan
    reals[1, 0, 0, 1] = np.inf
    verdict = judge(float_allowed, reals)
    assert (verdict.kind, verdict.wrong, verdict.where) == ("nonfinite", 2, (1, 0, 0, 0))


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ((slice(None), slice(1, 4)), "channels 1..3 of 6"),
        ((slice(None), slice(None), slice(4, 5), slice(3, 5)), "last pixels"),
        ((slice(None), slice(None), slice(0, 1)), "pixels of the first row"),
        ((slice(None), slice(None), slice(None), slice(4, 5)), "pixels of the last column"),
        ((slice(None), slice(None), slice(None), slice(3, 5)), "pixels of the last columns"),
        ((slice(None), slice(None), slice(0, 5, 4)), "border pixels"),
        ((slice(0, 1),), "image 0 of 2"),
        ((slice(None), slice(3, 6, 4)), "channel 3 of 6"),
        ((slice(None), slice(0, 5, 4)), "channels 0 of each 4"),
        ((slice(None), slice(0, 6, 2), slice(1, 2)), "30 of 300 elements"),
    ],
)
def test_the_pattern_names_the_place(
    allowed: Allowed, place: tuple[slice, ...], words: str
) -> None:
    codes = correct(allowed)
    codes[place] ^= 0x40
    codes[place] ^= (np.arange(codes[place].size, dtype=np.uint8) & 1).reshape(
        codes[place].shape
    )
    assert judge(allowed, codes).pattern == words


def of_codes(centre: list[list[int]]) -> Allowed:
    codes = np.array(centre)
    return Allowed("y", np.dtype(np.uint8), codes, codes, codes, codes, 1, 0.0)


@pytest.mark.parametrize(
    ("right", "found", "words"),
    [
        ([[1, 2, 3, 4, 5]], [[1, 2, 4, 5, 3]], "columns 2..4 of 5"),
        ([[1, 2], [3, 4], [5, 6]], [[1, 2], [3, 9], [9, 6]], "rows 1..2 of 3"),
        (
            [[1, 2, 3, 4, 5]],
            [[2, 3, 4, 5, 1]],
            "all elements, the right values in other places",
        ),
        ([[9, 60, 70, 80, 90]], [[9, 1, 2, 3, 5]], "columns 1..4 of 5, all too low"),
        (
            [[9, 60, 70, 80, 90]],
            [[9, 1, 99, 3, 5]],
            "columns 1..4 of 5, only codes from 60 up",
        ),
        ([[9, 6, 7, 8, 90]], [[1, 11, 2, 33, 90]], "columns 0..3 of 5, only codes up to 9"),
        ([[9, 6, 7, 8, 5]], [[8, 7, 8, 7, 5]], "columns 0..3 of 5, one step off"),
    ],
)
def test_the_pattern_of_a_matrix(
    right: list[list[int]], found: list[list[int]], words: str
) -> None:
    assert judge(of_codes(right), np.array(found, np.uint8)).pattern == words


def test_only_saturated_values_wrong() -> None:
    spec = draw(np.random.default_rng(14), "random")
    spec = replace(spec, y_scale=np.float32(spec.y_scale / 4))
    found = judged(spec)
    codes = correct(found)
    assert 0 < (codes == 255).sum() < codes.size
    codes[codes == 255] = 0
    assert "only saturated values" in judge(found, codes).pattern


def test_an_empty_tensor_is_exact() -> None:
    spec = draw(np.random.default_rng(15), "random")
    got = Oracle(qlinear(spec)).allowed({"x": spec.x[:0]})["y"]
    assert judge(got, np.zeros((0, 4, 4, 3), np.uint8)).kind == "exact"


def test_an_infinity_is_inside_a_set_that_is_open() -> None:
    graph = helper.make_graph(
        [helper.make_node("Log", ["x"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", 1, None)],
        [helper.make_tensor_value_info("y", 1, None)],
    )
    x = np.array([0, 1, -1], np.float32)
    allowed = Oracle(helper.make_model(graph)).allowed({"x": x})["y"]
    right = np.array([-np.inf, 0, np.nan], np.float32)
    assert not judge(allowed, right).is_wrong
    assert judge(allowed, np.array([0, -np.inf, 0], np.float32)).kind == "nonfinite"


@pytest.mark.parametrize("axis", [0, -1])
@pytest.mark.parametrize(
    ("a", "b"), [((5,), (5, 5)), ((5, 5), (5,)), ((5,), (5,)), ((2, 5), (5, 3))]
)
def test_a_step_of_a_product_is_that_of_its_tensor(
    a: tuple[int, ...], b: tuple[int, ...], axis: int
) -> None:
    rng = np.random.default_rng(16)
    codes = rng.integers(1, 100, b).astype(np.int8)
    scales = (np.arange(b[axis]) + 1).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("DequantizeLinear", ["a", "s"], ["x"]),
            helper.make_node("DequantizeLinear", ["b", "t"], ["w"], axis=axis),
            helper.make_node("MatMul", ["x", "w"], ["y"]),
        ],
        "g",
        [helper.make_tensor_value_info("a", 3, None)],
        [helper.make_tensor_value_info("y", 1, None)],
        [constant("s", np.float32(1)), constant("b", codes), constant("t", scales)],
    )
    allowed = Oracle(helper.make_model(graph)).allowed({"a": np.ones(a, np.int8)})["y"]
    assert np.broadcast_shapes(np.shape(allowed.step), allowed.centre.shape) == (
        allowed.centre.shape
    )
    assert judge(allowed, (allowed.centre + 1000).astype(np.float32)).kind == "divergent"


@pytest.mark.parametrize("dtype", [np.float32, np.int8, ml_dtypes.float8_e4m3fn])
def test_what_is_outside_is_what_the_judge_counts(dtype: type) -> None:
    r = np.random.default_rng(3)
    reals = [0.0, 1.0, -2.0, 3.5, np.inf, -np.inf, np.nan, 1e60, -1e60, 448.0]
    for _ in range(300):
        low, high = np.sort(r.choice(reals[:4] + reals[7:], (2, 6)), axis=0)
        if np.dtype(dtype).kind == "i":
            low, high = np.clip(low, -128, 127), np.clip(high, -128, 127)
        centre = (low + high) / 2
        if np.dtype(dtype).kind == "i":
            low, centre, high = (
                np.rint(each).astype(np.int64) for each in (low, centre, high)
            )
        with np.errstate(over="ignore", invalid="ignore"):
            drawn = r.choice(reals if np.dtype(dtype).kind != "i" else [0, 1, -2, 100], 6)
            actual: Array = drawn.astype(dtype)
        allowed = Allowed("y", np.dtype(dtype), low, centre, high, centre, 1.0, 0.0)
        verdict = judge(allowed, actual)
        counted = is_outside(allowed, actual)
        assert counted.any() == verdict.is_wrong
        if verdict.kind != "nonfinite":
            assert int(counted.sum()) == verdict.wrong


ONE_IS_LOST = """<ir_version: 8, opset_import: ["" : 15]>
lost (int8[1,2] x) => (float[1,2] y)
   <float s = {0.5}, int8 z = {0}, float[2] k = {0,1}, float[2] b = {0,0}, float[2] v = {1,1}>
{
   d = DequantizeLinear (x, s, z)
   y = BatchNormalization (d, k, b, b, v)
}"""


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("away", "steps"), [([0, 1], [0, 2]), ([1, 0], [np.inf, 0]), ([1, 1], [np.inf, 2])]
)
def test_what_is_multiplied_by_0_has_no_steps(away: list[float], steps: list[float]) -> None:
    model = onnx.parser.parse_model(ONE_IS_LOST)
    allowed = Oracle(model).allowed({"x": np.array([[1, 3]], np.int8)})["y"]
    values = (allowed.centre + away).astype(np.float32)
    assert judge(allowed, values).max_steps == pytest.approx(max(steps), rel=1e-3)
    assert distance(allowed, values)[0] == pytest.approx(steps, rel=1e-3)
