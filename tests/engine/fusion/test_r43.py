"""R43: codes of the other sign."""

from typing import Any

import numpy as np
import pytest

from engine import Session
from tests.engine.fusion.checks import assert_same_bits, fired, refusals
from tests.engine.fusion.pairs import every_code, pair_model

EIGHT, SIXTEEN = (np.int8, np.uint8), (np.int16, np.uint16)


@pytest.mark.parametrize("scale", [1e-40, 0.3, 1.0, -0.7, 2.0**20])
@pytest.mark.parametrize(
    ("dtypes", "zeros"),
    [
        (EIGHT, (-128, 0)),
        (EIGHT, (5, 133)),
        (EIGHT[::-1], (133, 5)),
        (SIXTEEN, (-7, 2**15 - 7)),
        (SIXTEEN[::-1], (2**16 - 1, 2**15 - 1)),
    ],
)
def test_every_code_flips_its_highest_bit(
    dtypes: tuple[Any, Any], zeros: tuple[int, int], scale: float
) -> None:
    codes = every_code(dtypes[0])
    model = pair_model(dtypes, (scale, scale), zeros, codes.shape)
    assert fired(model) == {"R43"}
    assert_same_bits(model, {"x": codes})
    flipped = Session(model).run({"x": codes})["y"]
    assert flipped.dtype == dtypes[1]
    assert (flipped.astype(np.int64) - codes == zeros[1] - zeros[0]).all()


def test_one_scale_a_channel() -> None:
    scales, zeros = np.linspace(0.1, 0.9, 4), np.arange(4)
    axis = {"axis": 0}
    model = pair_model(EIGHT, (scales, scales), (zeros - 128, zeros), (4, 64), axis, axis)
    assert fired(model) == {"R43"}
    assert_same_bits(model, {"x": every_code(np.int8).reshape(4, 64)})


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"zeros": (5, 5)}, "G5: D and Q differ: shifted zero point 133 and 5"),
        (
            {"zeros": (5, 133), "scales": (0.5, 0.25)},
            "G5: D and Q differ: scale 0.5 and 0.25",
        ),
        (
            {"zeros": (5, 133), "scales": (3e38, 3e38)},
            "G6: the scale 3.0000000054977558e+38 of D overflows float32 times 255",
        ),
        (
            {"dtypes": SIXTEEN, "zeros": (0, 2**15), "real": np.float16},
            "G7: float16 between D and Q is too short for int16",
        ),
    ],
)
def test_it_does_not_fire_and_says_why(given: dict[str, Any], reason: str) -> None:
    model = pair_model(**{"dtypes": EIGHT, **given})
    assert refusals(model, "R43", ["R25"]) == {reason}
    assert "R43" not in fired(model)


def test_equal_signs_are_not_its_pattern() -> None:
    assert refusals(pair_model(), "R43", ["R40"]) == set()
