"""``issue.md``: the finding as an issue that a maintainer of the engine can act on as it stands."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from corpus.finding import Evidence, Finding
from corpus.history import History
from harness.events import FindingSaved
from reports import timeline, words
from reports.nodes import NodeWords
from reports.text import plural, short, size, visible
from reports.values import table

_MOST_ROWS = 16

_SYMPTOMS = {
    "rounding-mode": "Exact ties rounded to the wrong side by",
    "nonfinite": "NaN or infinity from",
    "nondeterministic": "Different answers from run to run by",
    "wrong-type-or-shape": "Wrong output type or shape from",
    "refused": "Valid model refused because of",
    "crashed": "Crash in",
    "timed-out": "No answer from",
}


_PARTNER = (
    "The ONNX definition leaves open what is right here. But `partner/` holds another model whose "
    "answer must have the same elements, in the places that `partner/partner.json` says; expected "
    "are those of the engine's own answer to it."
)


def render(
    saved: FindingSaved, nodes: Sequence[NodeWords] = (), history: History | None = None
) -> str:
    """The issue's text; ``nodes`` are those of the finding's model file, where it is at hand.

    ``history`` is what other releases make of it, where they were asked.
    """
    finding, evidence = saved.finding, saved.evidence
    sections = (
        f"# {title(finding)}",
        _what_happens(finding, evidence),
        "## Environment\n\n" + _table(("what", "version"), _environment(finding, evidence)),
        _since(finding, history),
        _model(finding, evidence, nodes),
        _values(finding, evidence),
        _law(finding, evidence),
        _diagnosis(finding),
        _passes(finding),
        _reproduce(finding),
    )
    return "\n\n".join(each for each in sections if each) + "\n"


def title(finding: Finding) -> str:
    """One line for the issue's title."""
    run_as = (
        f" (run as {code(finding.fused_as)})"
        if finding.fused_as not in ("", finding.op)
        else ""
    )
    symptom = _SYMPTOMS.get(finding.kind, "Wrong values from")
    often = words.fails_when(finding).replace("fails ", "")
    when = f" {often} {code(short(finding.law, 120))}" if finding.law else ""
    return f"{symptom} {code(short(finding.op))}{run_as}{when}"


def code(text: str) -> str:
    """A code span that no text can leave: fenced by more backticks than it has in a row."""
    shown = visible(text) or " "
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def _cell(text: str) -> str:
    """A code span inside a table, where a bar would end the cell."""
    return code(short(text, 160)).replace("|", "\\|")


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _what_happens(finding: Finding, evidence: Evidence) -> str:
    engine = f"{code(short(finding.backend.name))} {code(short(finding.backend.version))}"
    lines = ["## What happens", "", f"{engine}: {_headline(finding)}."]
    if finding.kind in _SYMPTOMS and finding.message:
        lines += ["", "The message is", "", code(short(finding.message, 2000))]
    if evidence.expected:
        lines += ["", _what_is_right(finding, evidence)]
    return "\n".join(lines)


def _headline(finding: Finding) -> str:
    """The symptom; a message in it is a code span."""
    if finding.kind in ("refused", "crashed", "timed-out", "wrong-type-or-shape"):
        return code(words.headline(finding))
    where = f"; {code(short(finding.pattern, 120))}" if finding.pattern else ""
    counts = f"{finding.steps.wrong:,} of {finding.steps.total:,}"
    return f"{words.headline(finding)} ({counts}{where})"


def _what_is_right(finding: Finding, evidence: Evidence) -> str:
    if finding.is_by_partner:
        return _PARTNER
    others = [each for each in evidence.samples if each.verdict in words.RIGHT]
    agreeing = ", ".join(code(short(f"{each.backend} {each.version}")) for each in others)
    text = (
        "Expected values are computed exactly from the ONNX definition of the operators, and the "
        "allowed values are all those that a float32 implementation may return, whatever its order "
        "of summation. One step is one quantum of the output's scale."
    )
    return f"{text} Right on the same input: {agreeing}." if agreeing else text


def _environment(finding: Finding, evidence: Evidence) -> list[Sequence[str]]:
    versions = {finding.backend.name: finding.backend.version, **evidence.versions}
    return [(_cell(name), _cell(version)) for name, version in versions.items()]


def _since(finding: Finding, history: History | None) -> str:
    if history is not None:
        return "\n".join(
            ["## Since when", "", *(f"- {e}" for e in timeline.sentences(history))]
        )
    told = [f"- {code(short(e))}: {short(word)}" for e, word in finding.releases.items()]
    return "\n".join(["## Releases", "", *told]) if told else ""


def _model(finding: Finding, evidence: Evidence, nodes: Sequence[NodeWords]) -> str:
    small = (
        f"{plural(finding.size.nodes, 'compute node')}, {size(finding.size.bytes)} of ONNX, "
        f"{plural(finding.size.elements, 'input element')}; attached as `model.onnx`."
    )
    header = ("node", "operator", "inputs", "outputs", "attributes")
    parts = ["## Minimal model", small, _table(header, _node_rows(evidence, nodes))]
    if evidence.parameters:
        parts.append(_table(("parameter", "value"), _parameter_rows(evidence.parameters)))
    return "\n\n".join(parts)


def _node_rows(evidence: Evidence, nodes: Sequence[NodeWords]) -> list[Sequence[str]]:
    known = nodes or [NodeWords(n.id, n.op, n.inputs, n.outputs, ()) for n in evidence.graph]
    culprits = {short(each.id) for each in evidence.graph if each.culprit}
    return [
        (
            _cell(each.id) + (" **at fault**" if short(each.id) in culprits else ""),
            _cell(each.op),
            "<br>".join(map(_cell, each.inputs)),
            "<br>".join(map(_cell, each.outputs)),
            "<br>".join(map(_cell, each.attributes)),
        )
        for each in known
    ]


def _parameter_rows(parameters: Mapping[str, Any]) -> list[Sequence[str]]:
    return [(_cell(name), _cell(words.parameter(value))) for name, value in parameters.items()]


def _values(finding: Finding, evidence: Evidence) -> str:
    sample = words.actual(finding, evidence)
    shown = table(evidence, [sample] if sample else [], _MOST_ROWS, wrong_only=True)
    if sample is None or not shown.rows:
        return ""
    rows = [
        (r.position, r.expected, r.allowed, r.cells[0].text, r.cells[0].off)
        for r in shown.rows
    ]
    of = (
        f"The first {len(rows)} wrong elements"
        if len(rows) == _MOST_ROWS
        else "The wrong elements"
    )
    shape = "x".join(map(str, evidence.shape)) or "scalar"
    head = ("index", "expected", "allowed", f"{_cell(sample.backend)}", "off by")
    return (
        f"## Expected and actual values\n\n{of} of {code(short(evidence.tensor))} ({shape}):\n\n"
        + _table(head, rows)
    )


def _law(finding: Finding, evidence: Evidence) -> str:
    if not finding.law:
        return ""
    tried = finding.law_counts.called_failing + finding.law_counts.called_passing
    text = (
        f"## When it happens\n\nIt {words.fails_when(finding)} {code(finding.law)}.\n\n"
        f"Tried on {tried:,} variations of the model: {words.law_score(finding)}."
    )
    exceptions = [
        f"- exception: {code(words.parameters(each))}" for each in evidence.counterexamples[:3]
    ]
    return "\n".join([text, "", *exceptions]).rstrip()


def _diagnosis(finding: Finding) -> str:
    if not finding.diagnosis:
        return _near_misses(finding)
    lines = [
        f"- {code(short(m.fault))}: {code(short(m.title, 200))}: {words.match_score(m)}"
        for m in finding.diagnosis
    ]
    intro = "An emulation of each of these faults gives the same values bit for bit:"
    return "\n".join(["## Likely cause", "", intro, "", *lines])


def _near_misses(finding: Finding) -> str:
    if not finding.near_misses:
        return ""
    lines = [
        f"- {code(short(m.fault))}: {code(short(m.title, 200))}: {words.near_score(m)}"
        for m in finding.near_misses
    ]
    intro = "No emulated fault gives all of the values. These give most of the wrong ones:"
    return "\n".join(["## Perhaps related", "", intro, "", *lines])


def _passes(finding: Finding) -> str:
    if not finding.switches:
        return ""
    lines = [
        "- " + " and ".join(code(short(name)) for name in each) for each in finding.switches
    ]
    intro = "The answer is right as soon as all passes of one of these sets are turned off:"
    return "\n".join(["## Passes involved", "", intro, "", *lines])


def _reproduce(finding: Finding) -> str:
    return "\n".join(
        [
            "## To reproduce",
            "",
            "Attached are `model.onnx`, the inputs and allowed values (`*.npy`) and `repro.py`, which "
            "needs numpy, onnx and the engine only:",
            "",
            "```sh",
            "python repro.py    # exit status 1: the wrong answer appears, 0: it does not",
            "```",
            "",
            f"Found by quantdiff ({code(short(finding.id))}, in {plural(finding.seen, 'case')}); "
            f"its own command is {code(short(finding.command, 300))}.",
        ]
    )
