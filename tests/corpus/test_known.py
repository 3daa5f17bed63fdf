"""The ledger: what it says, and where it applies."""

from pathlib import Path

import pytest

from corpus.known import LEDGER, cpu_features, known_differences
from generators.seeds import SEEDS


@pytest.mark.parametrize("path", sorted(LEDGER.glob("*.toml")), ids=lambda path: path.stem)
def test_every_entry_names_a_case_a_reason_and_a_link(path: Path) -> None:
    entries = known_differences(path.stem)
    assert entries
    for each in entries:
        assert each.case in SEEDS
        assert each.reason
        assert each.link.startswith("https://")


def test_a_backend_without_a_file_has_no_known_differences() -> None:
    assert known_differences("nonesuch") == ()


def test_an_entry_may_be_for_some_machines_only() -> None:
    entry = next(each for each in known_differences("ort") if each.case == "forum_convolution")
    assert entry.is_expected_on(frozenset({"avx2"}))
    assert not entry.is_expected_on(frozenset({"avx2", "avx512_vnni"}))


def test_cpu_features_are_read_from_the_first_processor() -> None:
    lines = ["model name\t: x", "flags\t\t: sse avx2", "flags\t\t: sse avx2"]
    assert cpu_features(lines) == {"sse", "avx2"}
    assert cpu_features([]) == frozenset()
