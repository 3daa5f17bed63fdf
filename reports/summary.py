"""``summary.json``: the campaign in numbers, for tools."""

import json
from dataclasses import asdict
from typing import Any

from harness.events import SCHEMA, finite
from reports.model import Report


def summary(report: Report) -> dict[str, Any]:
    """Plain JSON types; the keys are the contract of ``summary.json``."""
    document = {
        "schema": SCHEMA,
        "seed": report.started.seed,
        "family": report.started.family,
        "cases": report.cases,
        "seconds": round(report.seconds, 3),
        "cases_per_second": round(report.cases_per_second, 1),
        "comparisons": report.comparisons,
        "backends": {
            engine.name: {"version": engine.version, **asdict(counts)}
            for engine, counts in report.backends
        },
        "coverage": coverage(report),
        "findings": [each.finding.to_dict() for each in report.findings],
    }
    plain: dict[str, Any] = finite(document)
    return plain


def coverage(report: Report) -> dict[str, Any]:
    """How many of the coverage cells were reached, and the names of those that were not."""
    missing = sorted(set(report.started.cells) - report.cells)
    return {"reached": len(report.cells), "missing": missing}


def render(report: Report) -> str:
    """The text of ``summary.json``."""
    return json.dumps(summary(report), indent=2) + "\n"
