"""The ledger: differences of a backend that are known, each with a reason and a link.

One file a backend, ``ledger/<backend>.toml``, with one ``[[known]]`` table a difference::

    [[known]]
    case = "forum_convolution"   # a case of the corpus
    kind = "divergent"           # the oracle's verdict
    reason = "uint8 x int8 products are added in pairs that saturate to int16"
    link = "https://github.com/microsoft/onnxruntime/issues/16105"
    without_cpu = ["avx_vnni", "avx512_vnni"]   # optional: expected only where all are absent

An entry that is expected here and matches nothing is stale; a stale entry fails a replay.
"""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

LEDGER = Path(__file__).parent / "ledger"


@dataclass(frozen=True, slots=True)
class Known:
    """One known difference of ``backend`` on one case of the corpus."""

    backend: str
    case: str
    kind: str
    reason: str
    link: str
    without_cpu: tuple[str, ...] = ()

    def is_expected_on(self, cpu: frozenset[str]) -> bool:
        """Whether a machine with these CPU features shows the difference."""
        return not cpu & frozenset(self.without_cpu)


def known_differences(backend: str, folder: Path = LEDGER) -> tuple[Known, ...]:
    """Every entry for a backend, given without its options; none where there is no file."""
    path = folder / f"{backend}.toml"
    if not path.is_file():
        return ()
    document = tomllib.loads(path.read_text())
    return tuple(
        Known(backend=backend, **{**each, "without_cpu": tuple(each.get("without_cpu", ()))})
        for each in document["known"]
    )


def cpu_features(lines: Iterable[str] | None = None) -> frozenset[str]:
    """The features the CPU names in Linux's ``/proc/cpuinfo``; empty elsewhere."""
    if lines is None:
        path = Path("/proc/cpuinfo")
        lines = path.read_text().splitlines() if path.is_file() else ()
    flags = (
        line.partition(":")[2] for line in lines if line.startswith(("flags", "Features"))
    )
    return frozenset(next(flags, "").split())
