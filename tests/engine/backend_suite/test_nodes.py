"""Every case of the suite whose operators are all ours: codes exactly, floats as the suite asks."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from engine import EngineError
from tests.engine.backend_suite.skipped import REASONS, why_skipped
from tests.engine.backend_suite.suite import (
    check_case,
    covered_cases,
    differing,
    load_cases,
    outside,
)


@pytest.mark.parametrize("fusion", ["on", "off"])
@pytest.mark.parametrize("case", covered_cases(), ids=lambda each: each.name)
def test_node(case: Any, fusion: str) -> None:
    reason = why_skipped(case.name)
    if not reason:
        check_case(case, fusion)
        return
    with pytest.raises((AssertionError, EngineError)):  # stale where it passes
        check_case(case, fusion)
    pytest.xfail(reason)


def test_what_is_skipped_is_printed(record_property: Callable[[str, object], None]) -> None:
    names = [each.name for each in covered_cases()]
    for pattern, reason in REASONS.items():
        count = sum(why_skipped(name) == reason for name in names)
        assert count, f"{pattern} matches no case: remove it"
        record_property("said", f"ONNX node suite: {pattern} skipped, {count} cases: {reason}")
    skipped = sum(bool(why_skipped(name)) for name in names)
    record_property(
        "said",
        f"ONNX node suite: {len(names) - skipped} cases run, {skipped} skipped, "
        f"{len(load_cases()) - len(names)} need one of {len(set(outside()))} other operators",
    )


def test_the_comparison_sees_what_it_must() -> None:
    """Codes and quantized results bit for bit, other floats by the tolerance of the case."""
    exact = SimpleNamespace(name="test_dequantizelinear", rtol=1e-3, atol=1e-7)
    float_case = SimpleNamespace(name="test_exp", rtol=1e-3, atol=1e-7)
    one, near, far = (np.array([each], np.float32) for each in (1, 1.0005, 1.01))
    assert differing(exact, near, one).all()
    assert not differing(exact, one, one).any()
    assert not differing(float_case, near, one).any()
    assert differing(float_case, far, one).all()
    assert differing(float_case, np.array([1]), np.array([2])).all()
    assert not differing(float_case, one * np.nan, one * np.nan).any()
    assert differing(float_case, one * np.nan, one).all()
