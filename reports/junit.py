"""``junit.xml``: what continuous integration shows; a suite for each backend, a test for each finding."""

import xml.etree.ElementTree as ET
from pathlib import PurePath

from corpus.finding import Engine
from harness.events import Counts, FindingSaved
from reports import words
from reports.model import Report
from reports.text import plural, visible

_DECLARATION = '<?xml version="1.0" encoding="utf-8"?>\n'
_ERRORS = frozenset({"crashed", "timed-out"})


def render(report: Report) -> str:
    """The document; a backend without findings is one test that passes, a skipped one is skipped."""
    root = ET.Element("testsuites", name="quantdiff", time=f"{report.seconds:.3f}")
    for engine, counts in report.backends:
        _suite(root, report, engine, counts)
    for each in report.skipped:
        suite = _element(root, "testsuite", name=each.name, tests="1", skipped="1")
        case = _element(suite, "testcase", classname=each.name, name="campaign")
        _element(case, "skipped", message=each.reason)
    ET.indent(root)
    return _DECLARATION + ET.tostring(root, encoding="unicode") + "\n"


def _suite(root: ET.Element, report: Report, engine: Engine, counts: Counts) -> None:
    findings = report.findings_of(engine.name)
    errors = sum(each.finding.kind in _ERRORS for each in findings)
    suite = _element(
        root,
        "testsuite",
        name=engine.name,
        tests=str(max(1, len(findings))),
        failures=str(len(findings) - errors),
        errors=str(errors),
        skipped="0",
        time=f"{report.seconds:.3f}",
    )
    properties = _element(suite, "properties")
    for name, value in (("version", engine.version), ("seed", str(report.started.seed))):
        _element(properties, "property", name=name, value=value)
    for each in findings:
        _failure(suite, each)
    if not findings:
        name = f"{plural(report.cases, 'case')}, {counts.exact + counts.tie:,} answers right"
        _element(suite, "testcase", classname=engine.name, name=name, time="0")


def _failure(suite: ET.Element, saved: FindingSaved) -> None:
    finding = saved.finding
    name = f"{finding.id} {words.culprit(finding)}"
    case = _element(suite, "testcase", classname=finding.backend.name, name=name, time="0")
    tag = "error" if finding.kind in _ERRORS else "failure"
    failure = _element(case, tag, type=finding.kind, message=words.headline(finding))
    lines = [f"law: {words.law(finding)}"]
    lines += [
        f"diagnosis: {words.fault(m)}: {words.match_score(m)}" for m in finding.diagnosis
    ]
    lines += [
        f"near miss: {words.fault(m)}: {words.near_score(m)}" for m in finding.near_misses
    ]
    lines += [f"smallest: {words.smallest(finding)}", f"folder: {visible(saved.folder)}"]
    lines += [f"script: {visible(str(PurePath(saved.folder, 'repro.py')))}"]
    failure.text = "\n".join([*lines, f"command: {visible(finding.command)}"])


def _element(parent: ET.Element, tag: str, **attributes: str) -> ET.Element:
    """A child whose attributes hold no character that XML forbids."""
    return ET.SubElement(parent, tag, {key: visible(each) for key, each in attributes.items()})
