"""``summary.json``: the campaign in numbers, for tools."""

import json
from dataclasses import asdict
from typing import Any

from corpus.changes import Compared
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
        "unsettled": report.unsettled,
        "failures": list(report.failures),
        "silent": {"cases": report.silent, "parted": report.parted},
        "releases": [_changes(each) for each in report.compared],
        "findings": [each.finding.to_dict() for each in report.findings],
    }
    plain: dict[str, Any] = finite(document)
    return plain


def coverage(report: Report) -> dict[str, Any]:
    """Coverage cells: how many were reached, and which not; fusions seen, and in how many cases."""
    missing = sorted(set(report.started.cells) - report.cells)
    fusions = {
        backend: dict(sorted(taken.items(), key=lambda each: (-each[1], each[0])))
        for backend, taken in report.fusions.items()
    }
    return {"reached": len(report.cells), "missing": missing, "fusions": fusions}


def _changes(compared: Compared) -> dict[str, Any]:
    """Two releases: every bug, and the answers that changed, each with its change in a word."""
    return {
        **asdict(compared),
        "bugs": [{"change": each.change, **asdict(each)} for each in compared.bugs],
        "changed": [{"change": each.change, **asdict(each)} for each in compared.changed],
    }


def render(report: Report) -> str:
    """The text of ``summary.json``."""
    return json.dumps(summary(report), indent=2) + "\n"
