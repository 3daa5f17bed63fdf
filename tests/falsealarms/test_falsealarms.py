"""A small false-alarm run: our engine raises none, and what is really wrong is counted."""

from tests.falsealarms.count import ENGINE, ORT, count, operator_of
from tests.harness.benches import padded


def test_a_short_run_is_quiet() -> None:
    found = count(elements=2_000, seconds=4.0, start=0, inputs=4)
    assert len(found) > 5
    assert sum(each.ties for each in found.values()) > 10
    assert all(each.elements[ENGINE[1]] for each in found.values() if each.elements[ENGINE[0]])
    assert any(each.elements[ORT[0]] for each in found.values())
    assert not any(backend in each.alarms for each in found.values() for backend in ENGINE)


def test_the_operator_of_a_case() -> None:
    assert operator_of(padded()) == "Conv"
