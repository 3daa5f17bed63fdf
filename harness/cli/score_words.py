"""A score as a line while it comes, as a table and as a document."""

from typing import Any

from rich.table import Table

from harness.score.decoys import Lured
from harness.score.score import AMBIGUOUS, CLASS, RIGHT, Score, Scored

MARKS = {RIGHT: "yes", CLASS: "yes, as one that is the same", AMBIGUOUS: "not first"}


def line(each: Scored | Lured) -> str:
    """One result in one line."""
    if isinstance(each, Lured):
        where = f"flagged in {each.flagged} of {each.cases} cases"
        return f"{each.decoy.key:16} {where}  {each.decoy.title}"
    if each.cases is None:
        return f"{each.fault.key:16} not detected  {each.fault.title}"
    named = ", ".join(each.named) or "nothing"
    return (
        f"{each.fault.key:16} case {_cases(each)}  located {each.located}  "
        f"diagnosed {each.diagnosed} ({named})  {each.seconds:.1f} s"
    )


def _cases(each: Scored) -> str:
    return f"{each.cases}" if each.fusion == "on" else f"{each.cases}, unfused"


def table(found: Score) -> Table:
    """Every fault, in red where the harness fell short."""
    rows = Table("fault", "cases", "located", "diagnosed", "named", "seconds", box=None)
    for each in found.faults:
        good = each.located == RIGHT and each.diagnosed in (RIGHT, CLASS)
        rows.add_row(
            each.fault.key,
            "not detected" if each.cases is None else _cases(each),
            MARKS.get(each.located, each.located),
            MARKS.get(each.diagnosed, each.diagnosed),
            ", ".join(each.named),
            f"{each.seconds:.1f}",
            style="" if good else "red",
        )
    return rows


def decoy_table(found: Score) -> Table:
    """Every decoy, in red where it was flagged."""
    rows = Table("decoy", "flagged", "of cases", "what is no fault", box=None)
    for each in found.decoys:
        words = (each.decoy.key, str(each.flagged), str(each.cases), each.decoy.title)
        rows.add_row(*words, style="red" if each.flagged else "")
    return rows


def sums(found: Score) -> str:
    """The score in one line."""
    return (
        f"{found.detected} of {len(found.faults)} detected, {found.located} located, "
        f"{found.diagnosed} diagnosed, {found.flagged} of {len(found.decoys)} decoys flagged"
    )


def document(
    found: Score, *, seed: int, family: str, scales: str, cases: int
) -> dict[str, Any]:
    """The score as others script against it."""
    return {
        "schema": 1,
        "seed": seed,
        "family": family,
        "scales": scales,
        "cases": cases,
        "total": len(found.faults),
        "detected": found.detected,
        "located": found.located,
        "diagnosed": found.diagnosed,
        "decoys_flagged": found.flagged,
        "per_fault": [_scored(each) for each in found.faults],
        "per_decoy": [
            {
                "decoy": each.decoy.key,
                "title": each.decoy.title,
                "cases": each.cases,
                "flagged": each.flagged,
            }
            for each in found.decoys
        ],
    }


def _scored(each: Scored) -> dict[str, Any]:
    return {
        "fault": each.fault.key,
        "id": each.fault.id,
        "title": each.fault.title,
        "source": each.fault.source,
        "cases": each.cases,
        "fusion": each.fusion,
        "located": each.located,
        "diagnosed": each.diagnosed,
        "nodes": list(each.nodes),
        "named": list(each.named),
        "seconds": round(each.seconds, 3),
    }
