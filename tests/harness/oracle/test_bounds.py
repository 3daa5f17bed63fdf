"""The interval never misses: exact rationals, float32 in any order, every engine's fused formula."""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from corpus.case import Array
from harness.oracle import Allowed, Oracle, judge
from harness.oracle.bounds import UNIT, gamma, is_power_of_two
from tests.harness.oracle import reference
from tests.harness.oracle.models import SCALES, Spec, draw, qdq, qlinear

Form = Callable[[Spec], Allowed]

CONFIGURATIONS: tuple[dict[str, Any], ...] = (
    {},
    {"inputs": 6, "outputs": 6, "groups": 6},
    {"inputs": 4, "outputs": 6, "groups": 2, "per_channel": True},
    {"image": (9,), "kernel": (4,)},
    {"image": (3, 4, 4), "kernel": (2, 2, 2), "inputs": 2},
    {"kernel": (1, 1), "inputs": 1, "outputs": 2, "per_channel": True},
    {"w_dtype": "uint8"},
    {"bias": False},
    {"bits": 8},
)


def specs(seed: int, count: int, **fixed: Any) -> list[Spec]:
    rng = np.random.default_rng(seed)
    found = []
    for i in range(count):
        chosen = {**CONFIGURATIONS[i % len(CONFIGURATIONS)], **fixed}
        x_dtype = ("uint8", "int8")[i // len(CONFIGURATIONS) % 2]
        kind = SCALES[int(rng.integers(len(SCALES)))]
        found.append(draw(rng, kind, x_dtype=x_dtype, **chosen))
    return found


def of_qlinear(spec: Spec) -> Allowed:
    return Oracle(qlinear(spec)).allowed({"x": spec.x})["y"]


def of_qdq(spec: Spec) -> Allowed:
    return Oracle(qdq(spec)).allowed({"x": spec.x})["y"]


def outside(allowed: Allowed, codes: Array) -> int:
    return int(((codes < allowed.low) | (codes > allowed.high)).sum())


def test_gamma_is_the_relative_error_of_k_roundings() -> None:
    assert gamma(1) >= UNIT
    assert gamma(10) == pytest.approx(10 * UNIT, rel=1e-5)
    assert gamma(20) >= (1 + UNIT) ** 20 - 1


def test_powers_of_two_are_recognised_and_their_neighbours_are_not() -> None:
    powers = 2.0 ** np.arange(-126, 127)
    assert np.all(is_power_of_two(powers))
    assert not np.any(is_power_of_two(np.nextafter(powers, np.inf)))
    assert all(is_power_of_two(float(p)) for p in powers)
    assert not is_power_of_two(2.0**-130)


@pytest.mark.parametrize("form", [of_qlinear, of_qdq])
def test_exact_rationals_lie_inside_and_ties_go_to_even(form: Form) -> None:
    ties = 0
    for spec in [*specs(1, 45), *specs(7, 90, small=True)]:
        allowed = form(spec)
        steps = reference.exact_steps(spec)
        codes = [round(v) + spec.y_zero for v in steps.ravel()]
        want = reference.saturate(np.array(codes).reshape(steps.shape), spec.y_dtype)
        assert outside(allowed, want) == 0
        for index in np.argwhere(allowed.other != allowed.centre):
            where = tuple(index)
            distance = steps[where] - math.floor(steps[where])
            assert distance == Fraction(1, 2)
            assert abs(allowed.other[where] - allowed.centre[where]) == 1
            assert allowed.low[where] == allowed.high[where] == want[where]
            ties += 1
    assert ties > 100


@pytest.mark.parametrize("engine", reference.FUSED, ids=lambda each: each.__name__)
def test_fused_formulas_are_allowed(engine: Callable[[Spec], Array]) -> None:
    # A zero point added inside decides odd ties the other way: judged apart, where ties are exact.
    for spec in specs(2, 180):
        codes = engine(spec)
        for allowed in (of_qlinear(spec), of_qdq(spec)):
            verdict = judge(allowed, codes)
            assert verdict.kind in ("exact", "tie", "rounding-mode"), (verdict, spec)
            if engine in (reference.onnxruntime, reference.fbgemm, reference.qnnpack):
                assert verdict.kind != "rounding-mode", (verdict, spec)


@pytest.mark.parametrize("order", reference.ORDERS)
def test_float32_sums_in_any_order_are_allowed(order: str) -> None:
    for index, spec in enumerate(specs(3, 180)):
        codes = reference.unfused(spec, order, reciprocal=bool(index % 2))
        verdict = judge(of_qdq(spec), codes)
        assert verdict.kind in ("exact", "tie"), (verdict, spec)


def test_long_sums_in_the_worst_order_are_allowed() -> None:
    rng = np.random.default_rng(4)
    for kind in SCALES:
        spec = draw(rng, kind, inputs=64, outputs=2, image=(4, 4), kernel=(3, 3))
        for order in reference.ORDERS:
            assert not judge(of_qdq(spec), reference.unfused(spec, order)).is_wrong


def theorem(spec: Spec, *, fused: bool) -> tuple[Array, Array]:
    """The stated bounds: 10 roundings of the sum, or n + 6 of every product; ends in steps."""
    xs, ws = reference.terms(spec)
    acc, b = (xs * ws).sum(-1), reference.bias(spec)
    unit = (
        float(spec.x_scale) * reference.w_scales(spec).astype(np.float64) / float(spec.y_scale)
    )
    if fused:
        spread = gamma(10) * (np.abs(acc) + np.abs(b)) * unit
    else:
        spread = gamma(xs.shape[-1] + 6) * (np.abs(xs * ws).sum(-1) + np.abs(b)) * unit
    v = (acc + b) * unit + spec.y_zero
    delta = spread + UNIT * (np.abs(v) + spread)
    return np.ceil(v - delta - 0.5), np.floor(v + delta + 0.5)


@pytest.mark.parametrize("fused", [True, False])
def test_the_interval_holds_the_theorems_and_little_more(fused: bool) -> None:
    ours = wanted = 0
    for spec in specs(8, 270):
        allowed = of_qlinear(spec) if fused else of_qdq(spec)
        low, high = (
            reference.saturate(end, spec.y_dtype) for end in theorem(spec, fused=fused)
        )
        # Where float32 is exact there is one right answer, and the general bound is not needed.
        decided = allowed.other != allowed.centre
        assert np.all((allowed.low <= low) | decided)
        assert np.all((allowed.high >= high) | decided)
        ours += int((allowed.high > allowed.low).sum())
        wanted += int(((high > low) & ~decided).sum())
    assert wanted > 20
    assert ours <= 1.25 * wanted


def test_few_elements_have_more_than_one_allowed_code() -> None:
    """The share of doubtful elements for random scales, near the table of the tolerance theorem."""
    rng = np.random.default_rng(5)
    plain = [draw(rng, "random", inputs=8, outputs=8, image=(10, 10)) for _ in range(25)]
    depthwise = [
        draw(rng, "random", inputs=16, outputs=16, groups=16, image=(10, 10))
        for _ in range(25)
    ]
    assert _slack(plain, of_qlinear) < 0.0005
    assert 0.0005 < _slack(plain, of_qdq) < 0.008
    assert 0.0001 < _slack(depthwise, of_qdq) < 0.002


def _slack(cases: list[Spec], form: Form) -> float:
    return float(np.mean([form(spec).slack for spec in cases]))


def test_powers_of_two_leave_no_doubt_at_all() -> None:
    rng = np.random.default_rng(6)
    for chosen in CONFIGURATIONS:
        spec = draw(rng, "power", small=True, **chosen)
        assert of_qdq(spec).slack == of_qlinear(spec).slack == 0.0
