"""Who agrees with whom, where nobody can be called wrong."""

import numpy as np

from harness.outcome import Crashed, Outcome, Refused, Values
from harness.parties import parties, told


def answers(*values: float, dtype: type[np.generic] = np.float32) -> Values:
    return Values({"y": np.array(values, dtype)})


def test_the_largest_party_first_and_nan_agrees_with_nan() -> None:
    nan = float("nan")
    found = parties({"a": answers(1, nan), "b": answers(2, nan), "c": answers(2, nan)})
    assert found == (("b", "c"), ("a",))
    assert told(found) == "b, c / a"


def test_who_gave_no_values_is_in_no_party() -> None:
    outcomes: dict[str, Outcome] = {
        "a": answers(1),
        "b": Refused("no", documented=False),
        "c": Crashed("exit", ""),
    }
    assert parties(outcomes) == (("a",),)
    assert parties({}) == ()


def test_types_shapes_and_names_are_part_of_an_answer() -> None:
    one = answers(1, dtype=np.uint8)
    others = {
        "type": answers(1, dtype=np.int8),
        "shape": answers(1, 1, dtype=np.uint8),
        "name": Values({"z": np.array([1], np.uint8)}),
    }
    assert len(parties({"one": one, **others})) == 4
    assert parties({"one": one, "again": answers(1, dtype=np.uint8)}) == (("one", "again"),)
