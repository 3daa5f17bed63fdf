"""R25: codes from one scale to another, the real quotient rounded once."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import PROFILES, Session
from tests.engine.fusion.checks import assert_inside, fired, refusals
from tests.engine.fusion.pairs import every_code, pair_model

BYTES = [np.int8, np.uint8]
SCALES = st.one_of(
    st.floats(2.0**-20, 2.0**20, width=32), st.integers(-12, 12).map(lambda k: 2.0**k)
)


@given(
    st.sampled_from(BYTES),
    st.sampled_from(BYTES),
    SCALES,
    SCALES,
    st.integers(0, 127),
    st.integers(0, 127),
)
def test_every_code_is_the_rounded_rational(
    first: Any, second: Any, s1: float, s2: float, z1: int, z2: int
) -> None:
    codes = every_code(first)
    model = pair_model((first, second), (s1, s2), (z1, z2))
    if "R25" not in fired(model):
        return
    info = np.iinfo(second)
    wanted = [
        min(max(round((int(q) - z1) * Fraction(s1) / Fraction(s2)) + z2, info.min), info.max)
        for q in codes
    ]
    assert Session(model).run({"x": codes})["y"].tolist() == wanted


@pytest.mark.parametrize("scales", [(0.3, 0.1), (0.5, 2.0), (0.7, 1.4000001), (1e-30, 1e-20)])
@pytest.mark.parametrize("dtypes", [(a, b) for a in BYTES for b in BYTES])
def test_it_stays_inside_the_oracles_set(
    dtypes: tuple[Any, Any], scales: tuple[float, float]
) -> None:
    model = pair_model(dtypes, scales, (3, 100))
    assert fired(model) == {"R25"}
    assert_inside(model, {"x": every_code(dtypes[0])})


IN_INTEGERS = ("spec", "tflite", "tflite-single")


@pytest.mark.parametrize("profile", [each for each in PROFILES if each not in IN_INTEGERS])
def test_engines_do_it_in_float(profile: str) -> None:
    """The scales give ties beside ties, where one rounding and two differ."""
    model = pair_model(scales=(0.7, 1.4), zeros=(3, 100))
    x = {"x": every_code(np.uint8)}
    on, off = (
        Session(model, profile=profile, fusion=each).run(x)["y"] for each in ("on", "off")
    )
    assert (on == off).all()


def test_shapes_without_elements_and_without_dimensions() -> None:
    for shape in ((0, 3), ()):
        x = np.full(shape, 9, np.uint8)
        y = Session(pair_model(scales=(0.5, 0.25), shape=shape)).run({"x": x})["y"]
        assert y.shape == shape
        assert (y == 11).all()


ROW = np.linspace(0.1, 0.9, 4)


@pytest.mark.parametrize(
    ("given_", "reason"),
    [
        (
            {"scales": (-0.5, 0.25)},
            "G6: the scale of D is -0.5; a scale must be positive and finite",
        ),
        (
            {"scales": (0.5, -0.25)},
            "G6: the scale of Q is -0.25; a scale must be positive and finite",
        ),
        ({"scales": (ROW, 0.25), "zeros": None}, "G2: D has 4 scales, the kernel takes 1"),
        ({"scales": (0.25, ROW), "zeros": None}, "G2: Q has 4 scales, the kernel takes 1"),
        (
            {"dtypes": (np.uint8, np.int16)},
            "G7: Q has int16 codes, the kernels int8 and uint8",
        ),
        (
            {"scales": (0.5, 0.25), "real": np.float16},
            "G7: D has a float16 scale, the kernels float32",
        ),
    ],
)
def test_it_does_not_fire_and_says_why(given_: dict[str, Any], reason: str) -> None:
    model = pair_model(**{"shape": (4, 4), **given_})
    assert refusals(model, "R25") == {reason}
    assert "R25" not in fired(model)


def test_a_pair_that_cancels_is_not_its_pattern() -> None:
    assert refusals(pair_model(), "R25", ["R40"]) == set()
    assert fired(pair_model(), off=["R40"]) == set()
