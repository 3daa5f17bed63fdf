"""Hypothesis under the plug-in: profiles, no deadline, and when an example is only a try."""

from collections.abc import Iterable
from typing import Any

import hypothesis
import pytest
from hypothesis import Phase, control, settings
from hypothesis.errors import InvalidArgument

EXAMPLES = {"quantdiff-dev": 50, "quantdiff-ci": 300, "quantdiff-nightly": 5000}
NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)


def register_profiles() -> None:
    """quantdiff-dev, -ci (the same examples every time) and -nightly; those of the project stay.

    Hypothesis does not shrink in them: it slips from one bug to another on the way, and what is
    told of a wrong case is the smallest anyway.
    """
    for name, examples in EXAMPLES.items():
        try:
            settings.get_profile(name)
        except InvalidArgument:
            settings.register_profile(
                name,
                max_examples=examples,
                deadline=None,
                derandomize=name.endswith("-ci"),
                phases=NO_SHRINKING,
            )


def settle(items: Iterable[pytest.Item]) -> None:
    """Give settings to those Hypothesis tests that have none of their own.

    No deadline: the first example starts an engine's worker, and what hangs is told as such. No
    shrinking, as in our profiles.
    """
    for item in items:
        test: Any = getattr(item, "function", None)
        has_own = hasattr(test, "_hypothesis_internal_settings_applied")
        if hypothesis.is_hypothesis_test(test) and not has_own:
            current = settings.get_profile(settings.get_current_profile_name())
            phases = [each for each in current.phases if each in NO_SHRINKING]
            settings(current, deadline=None, phases=phases)(test)


def is_trying() -> bool:
    """Whether Hypothesis runs the test and will run it again before it tells of a failure."""
    context = hypothesis.currently_in_test_context()
    return context and not control.current_build_context().is_final


def pass_over() -> None:
    """Have Hypothesis, where it runs the test, take another example instead of this one."""
    if hypothesis.currently_in_test_context():
        hypothesis.reject()
