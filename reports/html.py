"""``index.html`` of a run, ``report.html`` of a finding, a score: one offline file each.

Every value goes through the template's escaping, and the page's own policy lets only its own
script run, by hash: a hostile name that slipped through would still be dead text.
"""

import base64
import hashlib
import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import quote

import jinja2
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from corpus.finding import Finding
from corpus.history import History
from harness.events import FindingSaved, finite
from reports import changes, text, timeline, words
from reports.drawing import draw
from reports.heat import heat_map, legend
from reports.model import Report
from reports.nodes import NodeWords
from reports.summary import coverage
from reports.values import table

_TEMPLATES = Path(__file__).parent / "templates"
_MOST_ROWS = 128
_SCRIPTS = ("finding", "index")


def render_index(report: Report) -> str:
    """The page of a run: header, backends, findings."""
    return _render("index", report=report, coverage=coverage(report))


def render_finding(
    saved: FindingSaved,
    *,
    index: str = "",
    files: Sequence[str] = (),
    nodes: Sequence[NodeWords] = (),
    history: History | None = None,
) -> str:
    """The page of a finding.

    ``index`` is the link to the run's page, ``files`` the names of the files beside this page,
    ``nodes`` the model's nodes in words, ``history`` what other releases make of the case; each
    may be absent.
    """
    evidence = saved.evidence
    return _render(
        "finding",
        finding=saved.finding,
        evidence=evidence,
        index=index,
        files=files,
        nodes=nodes,
        history=history,
        drawing=draw(evidence, {name for node in nodes for name in node.given}),
        heat=heat_map(evidence.heat),
        legend=legend(),
        values=table(evidence, evidence.samples, _MOST_ROWS, wrong_only=False),
        own=words.actual(saved.finding, evidence),
        data=htmlsafe_json_dumps(finite(saved.finding.to_dict())),
    )


def render_history(history: History) -> str:
    """The page of ``quantdiff since``, without its finding."""
    return _render("history", history=history)


def render_score(score: Mapping[str, Any]) -> str:
    """The page of ``quantdiff faults score``; ``score`` is what its ``--json`` prints."""
    return _render("score", score=score)


def index_link(folder: str) -> str:
    """The way from a finding's folder back to the run's page."""
    return PurePath(os.path.relpath("index.html", folder)).as_posix()


def _render(page: str, **values: object) -> str:
    environment = _environment()
    style, script = _asset("page.css"), _asset(f"{page}.js") if page in _SCRIPTS else ""
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    template = environment.get_template(f"{page}.html.j2")
    return template.render(
        style=Markup(style),
        script=Markup(script),
        policy=policy,
        **values,
    )


@cache
def _asset(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _hash(source: str) -> str:
    digest = hashlib.sha256(source.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "short": text.short,
        "number": text.number,
        "clock": text.clock,
        "bytes": text.size,
        "parameter": words.parameter,
        "parameters": words.parameters,
        "href": quote,
    }
    environment.globals |= {"words": words, "plural": text.plural, "culprit": _culprit}
    environment.globals |= {"sentences": timeline.sentences, "tone": timeline.tone}
    environment.globals |= {"changed": changes}
    return environment


def _culprit(finding: Finding) -> str:
    return words.culprit(finding, arrow="←")
