"""A run's folder: every file whole, nothing outside it."""

import json
from pathlib import Path

import pytest

from harness.events import BadLog, FindingSaved, LogWriter
from reports.folder import write_finding, write_run
from reports.model import LOG_NAME, replay
from tests.reports import samples
from tests.reports.test_documents import small_model


def test_a_run_is_written_from_its_log_alone_and_again_the_same(tmp_path: Path) -> None:
    with LogWriter(tmp_path / LOG_NAME) as log:
        for event in samples.campaign():
            log.handle(event)
    write_run(replay(tmp_path), tmp_path)
    names = {str(each.relative_to(tmp_path)) for each in tmp_path.rglob("*") if each.is_file()}
    assert names == {
        LOG_NAME,
        "index.html",
        "junit.xml",
        "summary.json",
        "findings/3a91/report.html",
        "findings/3a91/issue.md",
        "findings/77c0/report.html",
        "findings/77c0/issue.md",
    }
    before = {name: (tmp_path / name).read_bytes() for name in names}
    write_run(replay(tmp_path), tmp_path)
    assert {name: (tmp_path / name).read_bytes() for name in names} == before
    assert json.loads(before["summary.json"])["cases"] == 12418


def test_a_page_links_the_files_beside_it_and_shows_its_model(tmp_path: Path) -> None:
    folder = tmp_path / "findings" / "3a91"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(small_model().SerializeToString())
    (folder / 'a"b <c>.npy').write_bytes(b"")
    write_finding(
        FindingSaved(samples.finding(), samples.evidence(), "findings/3a91"), tmp_path
    )
    page = (folder / "report.html").read_text()
    assert 'href="a%22b%20%3Cc%3E.npy"' in page
    assert 'href="model.onnx"' in page
    assert 'href="issue.md"' in page
    assert "w uint8[24,1,1,1], all 7" in page
    assert "w uint8[24,1,1,1], all 7" in (folder / "issue.md").read_text()


@pytest.mark.parametrize("folder", ["..", "../x", "/tmp/elsewhere", "findings/../../x"])
def test_a_log_cannot_write_outside_the_run(tmp_path: Path, folder: str) -> None:
    event = FindingSaved(samples.finding(), samples.evidence(), folder)
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(BadLog, match="is outside"):
        write_finding(event, out)
    assert list(tmp_path.iterdir()) == [out]
    assert list(out.iterdir()) == []
