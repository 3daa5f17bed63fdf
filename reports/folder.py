"""Writes every page and document of a run into its folder; each file appears whole or not at all."""

import os
from pathlib import Path

from harness.events import BadLog, FindingSaved
from reports import html, junit, markdown, summary
from reports.model import Report
from reports.nodes import read_nodes


def write_run(report: Report, out: Path) -> None:
    """``index.html``, ``junit.xml``, ``summary.json``, and the pages of every finding.

    Raises:
        BadLog: the log puts a finding outside the run's folder.
    """
    out.mkdir(parents=True, exist_ok=True)
    for each in report.findings:
        write_finding(each, out)
    _write(out / "summary.json", summary.render(report))
    _write(out / "junit.xml", junit.render(report))
    _write(out / "index.html", html.render_index(report))


def write_finding(saved: FindingSaved, out: Path) -> None:
    """``report.html`` and ``issue.md`` in the finding's folder, which lies inside ``out``.

    Raises:
        BadLog: it does not.
    """
    folder = (out / saved.folder).resolve()
    if not folder.is_relative_to(out.resolve()):
        raise BadLog(f"finding {saved.finding.id!a}: folder {saved.folder!a} is outside {out}")
    folder.mkdir(parents=True, exist_ok=True)
    nodes = read_nodes(folder / "model.onnx")
    _write(folder / "issue.md", markdown.render(saved, nodes))
    files = sorted(
        {each.name for each in folder.iterdir() if each.is_file()} - {"report.html"}
    )
    page = html.render_finding(
        saved, index=html.index_link(saved.folder), files=files, nodes=nodes
    )
    _write(folder / "report.html", page)


def _write(path: Path, text: str) -> None:
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(text, encoding="utf-8", newline="\n")
    unfinished.replace(path)
