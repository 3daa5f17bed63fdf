"""Versions as a person writes them."""

import pytest

from harness.errors import BadInput
from harness.releases.environments import Missing
from harness.releases.packages import companions, in_version_order, is_release
from harness.releases.versions import asked_for

LISTED = ("1.9.0", "1.17.3", "1.18.0", "1.18.1", "1.20.1")


def never() -> tuple[str, ...]:
    raise AssertionError("a list of versions needs no index")


def test_a_list_is_taken_as_it_is_and_put_in_order() -> None:
    assert asked_for("1.18.1, 1.9.0,1.18.1", never) == ("1.9.0", "1.18.1")


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("all", LISTED),
        ("1.17..1.18.0", ("1.17.3", "1.18.0")),
        ("1.18..", ("1.18.0", "1.18.1", "1.20.1")),
        ("..1.17.3", ("1.9.0", "1.17.3")),
    ],
)
def test_a_range_is_of_what_can_be_had(text: str, chosen: tuple[str, ...]) -> None:
    assert asked_for(text, lambda: LISTED) == chosen


@pytest.mark.parametrize(
    "text", ["", "new", "1.0,,2.0", "a..b", "1..2..3", "2.0..3.0", "-r x"]
)
def test_anything_else_is_one_line(text: str) -> None:
    with pytest.raises(BadInput, match="--versions"):
        asked_for(text, lambda: LISTED)


def test_an_index_that_does_not_answer_is_one_line() -> None:
    with pytest.raises(BadInput, match="--versions all: no network"):
        asked_for("all", lambda: Missing("no network"))


def test_versions_are_ordered_as_numbers() -> None:
    assert in_version_order(["1.10", "1.9", "2.0rc1", "2.0", "junk"]) == (
        "1.9",
        "1.10",
        "2.0rc1",
        "2.0",
    )


def test_a_build_of_a_release_is_that_release() -> None:
    assert is_release("2.13.0+cpu", "2.13.0")
    assert not is_release("2.13.0+cpu", "2.13.0+cu121")
    assert not is_release("2.13.1", "2.13.0")
    assert not is_release("", "2.13.0")


def test_old_releases_get_the_numpy_that_they_were_built_for() -> None:
    assert companions("onnxruntime", "1.18.1") == ("numpy<2", "onnx")
    assert companions("onnxruntime", "1.19.0") == ("numpy", "onnx")
    assert companions("onnx", "1.16.0") == ("numpy<2",)
    assert companions("of_somebody", "0.1") == ("numpy", "onnx")
