"""Who judges the same: the versions of quantdiff and of every backend, here and elsewhere."""

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from harness.bench import Bench
from harness.errors import BadInput

Versions = Mapping[str, str]
OURS = "quantdiff"


def own_version() -> str:
    """The version of quantdiff, also in a checkout that is not installed."""
    try:
        return version(OURS)
    except PackageNotFoundError:
        return "0.1.0"


def versions_of(bench: Bench) -> Versions:
    """By name: ours, and that of every backend of a bench."""
    backends = {spec.text: bench.engine(spec).version for spec in bench.specs}
    return {OURS: own_version(), **backends}


def must_agree(expected: Versions, found: Versions, who: str) -> None:
    """Refuse verdicts of other versions: they would not be the same for the same seed.

    Raises:
        BadInput: names what differs first.
    """
    for name, wanted in expected.items():
        if found.get(name) != wanted:
            raise BadInput(
                f"{name} is {wanted} here, but {found.get(name, 'absent')} on {who}; "
                "install the same version"
            )
