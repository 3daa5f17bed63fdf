"""Our plain package names are ours alone."""

import importlib.metadata
import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = ("harness", "engine", "generators", "corpus", "reports")


@pytest.mark.parametrize("name", OURS)
def test_our_plain_names_are_ours_alone(name: str) -> None:
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    assert Path(spec.origin).is_relative_to(ROOT)
    assert set(importlib.metadata.packages_distributions().get(name, [])) <= {"quantdiff"}
