"""A finding in words: each sentence about it is made here once, for every page and line."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from corpus.finding import Engine, Evidence, Finding, Match, Sample
from reports.text import number, plural, share, short, size

RIGHT = frozenset({"exact", "tie"})
_TONES = {
    "exact": "right",
    "tie": "tie",
    "refused": "",
    "gives values": "right",
    "values": "",
    "": "",
}


def engine(of: Engine) -> str:
    """``opencv 5.0.0.93``."""
    return f"{short(of.name)} {short(of.version)}".strip()


def culprit(finding: Finding, limit: int = 32, arrow: str = "<-") -> str:
    """The operation at fault: ``Conv2Int8 <- QLinearConv "c1"``."""
    source = f"{short(finding.op, limit)} {_quoted(finding.nodes, limit)}".strip()
    if finding.fused_as in ("", finding.op):
        return source
    return f"{short(finding.fused_as, limit)} {arrow} {source}"


def _quoted(nodes: Sequence[str], limit: int) -> str:
    names = ", ".join(f'"{short(each, limit)}"' for each in nodes[:3])
    return names if len(nodes) <= 3 else f"{names} and {len(nodes) - 3} more"


def headline(finding: Finding) -> str:
    """What is wrong: ``58 % of elements wrong, up to 255 steps``."""
    wrong = _elements(finding.steps.wrong, finding.steps.total)
    match finding.kind:
        case "rounding-mode":
            return f"{wrong} rounded to the wrong side of an exact tie"
        case "nonfinite":
            return f"NaN or infinity in {wrong}"
        case "nondeterministic":
            return (
                f"two runs of one case differ{f' in {wrong}' if finding.steps.wrong else ''}"
            )
        case "wrong-type-or-shape":
            return _with_message("the output has the wrong type or shape", finding)
        case "refused":
            return _with_message("refuses a valid model", finding)
        case "crashed":
            return _with_message("crashes", finding)
        case "timed-out":
            return _with_message("gives no answer", finding)
        case _:
            return f"{wrong} wrong, up to {steps(finding.steps.max)}"


def _elements(wrong: int, total: int) -> str:
    if wrong == total and total:
        return "all elements" if total > 1 else "the only element"
    return f"{share(wrong, total)} of elements"


def steps(distance: float) -> str:
    """``1 step``, ``255 steps``."""
    if distance == 1:
        return "1 step"
    is_round = math.isfinite(distance) and distance == int(distance) and distance < 1e6
    return (
        f"{number(distance) if is_round or math.isinf(distance) else f'{distance:.3g}'} steps"
    )


def _with_message(words: str, finding: Finding) -> str:
    detail = finding.message or finding.pattern
    return f"{words}: {short(detail, 100)}" if detail else words


def law(finding: Finding) -> str:
    """The law, or that there is none."""
    return short(finding.law, 300) if finding.law else "no law separates failing from passing"


def fails_when(finding: Finding) -> str:
    """``fails when``, or ``mostly fails when`` for a law with exceptions."""
    n = finding.law_counts
    is_exact = (n.failing, n.passing) == (n.called_failing, n.called_passing)
    return "fails when" if is_exact else "mostly fails when"


def law_score(finding: Finding) -> str:
    """``412 of 412 fail, 388 of 388 others pass``."""
    n = finding.law_counts
    failing = f"{n.failing:,} of {n.called_failing:,} fail"
    return f"{failing}, {n.passing:,} of {n.called_passing:,} others pass"


def fault(match: Match) -> str:
    """``F01 groups overwrite each other in one 8-lane block``."""
    return f"{short(match.fault)} {short(match.title, 120)}"


def match_score(match: Match) -> str:
    """How much of the wrong answer the fault explains."""
    if not match.total:
        return "the refusal, or the shape, reproduced"
    if match.matched == match.total:
        return "every wrong value reproduced"
    return f"wrong values reproduced, {match.matched:,} of {match.total:,} values in all"


def near_score(match: Match) -> str:
    """How much of the wrong answer a fault explains that misses some of it."""
    return f"{match.matched:,} of {match.total:,} wrong values reproduced"


def cause(finding: Finding) -> str:
    """In one phrase: the fault that explains it, else the passes to blame, else what is wrong."""
    if finding.diagnosis:
        return fault(finding.diagnosis[0])
    return switches(finding) if finding.switches else headline(finding)


def instruction_sets(finding: Finding) -> str:
    """``divergent with avx2, exact with sse41``; empty where the backend cannot be held to any."""
    by_level = finding.instruction_sets.items()
    return ", ".join(f"{short(word)} with {short(level)}" for level, word in by_level)


def smallest(finding: Finding) -> str:
    """``1 node, 611 bytes``."""
    return f"{plural(finding.size.nodes, 'node')}, {size(finding.size.bytes)}"


def switches(finding: Finding) -> str:
    """The minimal sets of passes whose removal restores the answer."""
    sets = (" + ".join(short(name) for name in each) for each in finding.switches)
    return ", or ".join(sets)


def actual(finding: Finding, evidence: Evidence) -> Sample | None:
    """The finding's own backend among the samples; a sample may be named by its whole spec."""
    name = finding.backend.name
    same = [s for s in evidence.samples if s.backend == name]
    alike = [s for s in evidence.samples if s.backend.split(":")[0] == name.split(":")[0]]
    return next(iter(same or [s for s in alike if s.verdict not in RIGHT] or alike), None)


def excess(value: float, low: float, high: float) -> float:
    """How far a value lies outside [low, high], signed; NaN stays NaN, inside is 0."""
    if low <= value <= high:
        return 0.0
    return value - high if value > high else value - low


def position(index: int, shape: Sequence[int]) -> str:
    """A flat index as coordinates: ``0,3,1,1``."""
    coordinates: list[int] = []
    for extent in reversed(shape):
        index, rest = divmod(index, extent)
        coordinates.insert(0, rest)
    return ",".join(map(str, coordinates)) or "0"


def parameters(of: Mapping[str, Any]) -> str:
    """Parameters of a case on one line: ``groups = 3, M/groups = 9``."""
    pairs = (f"{name} = {parameter(value)}" for name, value in of.items())
    return short(", ".join(pairs), 300)


def parameter(value: Any) -> str:
    """One parameter's value: ``2``, ``yes``, ``uint8``."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number(value) if isinstance(value, float) else short(str(value), 120)


def tone(verdict: str) -> str:
    """How a page shows a verdict or an outcome: ``right``, ``tie``, ``wrong``, or plainly."""
    return _TONES.get(verdict, "wrong")
