"""What Hypothesis shrinks a failing case to: the simplest case that still fails."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, find, settings

from corpus.case import Case
from generators.graphs import cases
from generators.operators.conv import ConvSpec, describe

QUICK = settings(
    max_examples=1000,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)


def simplest(fails: Callable[[ConvSpec], bool]) -> dict[str, Any]:
    """How the shrunk case differs from the plainest spec, data and scales left out."""

    def case_fails(case: Case) -> bool:
        spec = describe(case)
        return spec is not None and fails(spec)

    spec = describe(find(cases("conv"), case_fails, settings=QUICK, random=Random(1)))
    assert spec is not None
    ignored = {"x", "w", "b", "y_scale", "w_scales"}
    return {
        name: getattr(spec, name)
        for name in ConvSpec.__slots__
        if name not in ignored and getattr(spec, name) != getattr(ConvSpec(), name)
    }


def has_ungainly_groups(spec: ConvSpec) -> bool:
    return spec.groups > 1 and spec.out_per_group > 8 and spec.out_per_group % 8 != 0


@pytest.mark.parametrize(
    ("fails", "expected"),
    [
        (lambda spec: True, {}),
        (lambda spec: spec.groups > 1, {"groups": 2}),
        (lambda spec: spec.form == "QDQ", {"form": "QDQ"}),
        (has_ungainly_groups, {"groups": 2, "out_per_group": 9}),
        (lambda spec: spec.bias == "int32", {"bias": "int32"}),
        (
            lambda spec: spec.activation == "Relu" and spec.opset > 15,
            {"form": "QDQ", "activation": "Relu", "opset": 16},
        ),
        (lambda spec: max(spec.image) > 2, {"image": (1, 3)}),
    ],
)
def test_the_simplest_failing_case_is_found(
    fails: Callable[[ConvSpec], bool], expected: dict[str, Any]
) -> None:
    assert simplest(fails) == expected
