"""Each profile, bit for bit, against the engine it imitates; ``spec`` against rationals.

Activations have 7 bits, so that kernels without VNNI do not saturate their int16 pairs.
"""

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from corpus.case import Case
from engine import PROFILES, EngineError, Session
from engine.kernels.convolution import prepare_rescaling
from engine.kernels.parameters import ConvParameters
from engine.kernels.stages import correct_stages
from engine.profiles import find_profile
from generators.illegal import breach_of
from harness.campaign.plan import Plan
from tests.engine.cases import Array, draw
from tests.engine.models import qlinear_conv
from tests.engine.runtimes import Run, onnxruntime_run, opencv_run, torch_run


def assert_bit_exact(run: Run, profile: str, count: int, **options: object) -> None:
    r = np.random.default_rng(7)
    wrong = total = 0
    for _ in range(count):
        case = draw(r, **options)  # type: ignore[arg-type]
        expected = run(case.model, case.x)
        actual = Session(case.model, profile=profile).run({"x": case.x})["y"]
        assert actual.dtype == expected.dtype
        wrong += int((actual != expected).sum())
        total += expected.size
    assert (wrong, total > 10_000) == (0, True)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
def test_ort(dtype: type) -> None:
    assert_bit_exact(onnxruntime_run(), "ort", 150, x_dtype=dtype)


@pytest.mark.parametrize("engine", ["fbgemm", "qnnpack", "onednn"])
def test_torch(engine: str) -> None:
    # groups of 4 to 4 channels are left out: fbgemm reads past the last group when their number
    # is odd, and what it then writes is different in each run
    sizes = (1, 1, 2, 3, 5, 8)
    assert_bit_exact(torch_run(engine), engine, 150, sizes=sizes)


def test_onednn_groups_of_multiples_of_4() -> None:
    assert_bit_exact(torch_run("onednn"), "onednn", 60, sizes=(4, 8), groups=(2, 4))


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
def test_opencv(dtype: type) -> None:
    # one group: on others OpenCV 5.0 has faults of its own (F01, F11.tail) or does not fuse
    assert_bit_exact(
        opencv_run(),
        "opencv",
        150,
        x_dtype=dtype,
        groups=(1,),
        ranks=(2,),
        sizes=(3, 8, 9, 16),
    )


def parameters(w_scales: list[float], x_scale: float, y_scale: float) -> ConvParameters:
    w = np.ones((len(w_scales), 1, 1), np.int8)
    model = qlinear_conv(
        w, x=(x_scale, 0), w_scale=np.array(w_scales), y=(y_scale, 0), image=(1,)
    )
    found: ConvParameters = Session(model).plan().steps[0].parameters
    assert found is not None
    return found


def rescaled(p: ConvParameters, acc: Array) -> Array:
    scales = p.w_scales.reshape(-1, 1)
    spec = PROFILES["spec"]
    return prepare_rescaling(p, correct_stages(spec), spec, scales, None).steps(acc)


TIE_RICH: list[Callable[[np.random.Generator], float]] = [
    lambda r: 2.0 ** -int(r.integers(0, 9)),
    lambda r: float(
        np.nextafter(np.float32(2.0 ** -int(r.integers(0, 9))), np.float32(r.choice([0, 9])))
    ),
    lambda r: float(np.float32(r.choice([0.1, 0.05, 0.3, 0.7, 1.5, 3.0]))),
    lambda r: float(np.float32(r.uniform(0.01, 2))),
]


def test_spec_is_exact_on_ties_and_beside_them() -> None:
    r = np.random.default_rng(3)
    ties = 0
    for _ in range(400):
        kind = TIE_RICH[int(r.integers(0, 4))]
        xs, ws, ys = kind(r), kind(r), kind(r)
        if r.random() < 0.3:
            ys = ws
        p = parameters([ws], xs, ys)
        m = (
            Fraction(float(p.x_scale))
            * Fraction(float(p.w_scales[0]))
            / Fraction(float(p.y_scale))
        )
        halves = [round(Fraction(2 * k + 1, 2) / m) for k in r.integers(-150, 150, 8).tolist()]
        acc = np.array([each for each in halves if abs(each) < 2**31] or [0], np.int32)
        steps = rescaled(p, acc.reshape(1, 1, -1)).reshape(-1)
        for value, sum_ in zip(steps, acc.tolist(), strict=True):
            exact = sum_ * m
            assert np.rint(value) == round(exact)
            is_tie = (2 * exact).denominator == 1 and exact.denominator == 2
            ties += is_tie
            assert (Fraction(float(value)) == exact) if is_tie else (2 * value % 2 != 1)
    assert ties > 200


def test_spec_settles_what_float64_cannot() -> None:
    """acc * xs*ws needs 79 bits; make it miss a tie by less than float64 can see."""
    xs, ws = np.float32(1 + 2.0**-23), np.float32(1 + 2.0**-23)
    p = parameters([float(ws)], float(xs), 2.0**22)
    m = Fraction(float(xs)) * Fraction(float(ws)) / 2**22
    acc = np.arange(2**27 - 40, 2**27 + 40, dtype=np.int32)
    expected = [round(each * m) for each in acc.tolist()]
    assert np.rint(rescaled(p, acc.reshape(1, 1, -1))).reshape(-1).tolist() == expected


def test_an_unknown_profile_is_refused_with_the_list() -> None:
    with pytest.raises(
        EngineError, match="profile 'arm' is unknown; known: spec, ort, fbgemm"
    ):
        find_profile("arm")


@pytest.mark.parametrize("profile", list(PROFILES))
def test_huge_sums_saturate_as_the_engine_does(profile: str) -> None:
    """v far above 2**31: clamping first gives the highest code, converting first the lowest."""
    w = np.full((1, 1, 1), 127, np.int8)
    model = qlinear_conv(w, x=(1e6, 0), w_scale=1e6, y=(1.0, 5), image=(1,))
    y = Session(model, profile=profile).run({"x": np.full((1, 1, 1), 255, np.uint8)})["y"]
    assert y.item() == (255 if PROFILES[profile].saturate_first else 0)


@pytest.mark.parametrize("profile", [each for each in PROFILES if each != "spec"])
def test_every_profile_runs_whatever_the_exact_one_runs(profile: str) -> None:
    plan = Plan(seed=9, family="all", scales="any", out="")
    for number in (*range(300), 671):  # the last has 4-bit codes of a scalar
        case = plan.case(number)
        if not breach_of(case):
            assert _runs(case, profile) == _runs(case, "spec")


def _runs(case: Case, profile: str) -> bool:
    try:
        Session(case.model, profile=profile).run(case.inputs)
    except EngineError:
        return False
    return True
