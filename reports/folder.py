"""Writes every page and document of a run into its folder; each file appears whole or not at all."""

import os
from pathlib import Path

from corpus.history import FILE, History, read_history
from harness.events import BadLog, FindingSaved
from reports import html, junit, markdown, summary
from reports.model import LOG_NAME, Report, replay
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
        InputError: the history in the folder is damaged.
    """
    folder = (out / saved.folder).resolve()
    if not folder.is_relative_to(out.resolve()):
        raise BadLog(f"finding {saved.finding.id!a}: folder {saved.folder!a} is outside {out}")
    folder.mkdir(parents=True, exist_ok=True)
    nodes = read_nodes(folder / "model.onnx")
    history = read_history(folder)
    _write(folder / "issue.md", markdown.render(saved, nodes, history))
    files = sorted(
        {each.name for each in folder.iterdir() if each.is_file()} - {"report.html"}
    )
    page = html.render_finding(
        saved,
        index=html.index_link(saved.folder),
        files=files,
        nodes=nodes,
        history=history,
    )
    _write(folder / "report.html", page)


def write_history(history: History, folder: Path) -> None:
    """``since.json`` in a finding's folder, and its page again where the run's log is still there."""
    _write(folder / FILE, history.to_json())
    run = folder.resolve().parent.parent
    if (run / LOG_NAME).is_file():
        for each in replay(run).findings:
            if (run / each.folder).resolve() == folder.resolve():
                write_finding(each, run)


def _write(path: Path, text: str) -> None:
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(text, encoding="utf-8", newline="\n")
    unfinished.replace(path)
