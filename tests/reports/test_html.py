"""The pages: complete without a network, closed to hostile names, small and fast."""

import base64
import hashlib
import json
import re
import time
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from harness.events import BackendSkipped, CampaignStarted, FindingSaved, FindingSeen
from reports import html
from reports.model import Report, replay
from reports.nodes import nodes_in_words
from tests.reports import samples
from tests.reports.test_documents import small_model


class Page(HTMLParser):
    """The tags, attributes and text of a page."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def count(self, tag: str, name: str = "") -> int:
        classes = (attrs.get("class") or "" for each, attrs in self.tags if each == tag)
        return sum(name in each.split() for each in classes) if name else len(list(classes))


def saved() -> FindingSaved:
    return FindingSaved(samples.finding(), samples.evidence(), "findings/3a91")


def finding_page(event: FindingSaved) -> str:
    files = ("model.onnx", "repro.py", "input_x.npy")
    nodes = nodes_in_words(small_model())
    return html.render_finding(event, index="../../index.html", files=files, nodes=nodes)


def pages() -> tuple[str, str]:
    return html.render_index(replay(samples.campaign())), finding_page(saved())


def test_a_finding_shows_everything_that_is_known() -> None:
    source = finding_page(saved())
    page = Page(source)
    for fact in (
        'opencv 5.0.0.93: Conv2Int8 ← QLinearConv "c1"',
        "29 % of elements wrong, up to 148 steps",
        "groups > 1 and M/groups > 8 and M/groups % 8 != 0",
        "412 of 412 fail, 388 of 388 others pass",
        "groups = 3, M/groups = 9, x dtype = int8",
        "groups overwrite each other in one 8-lane block",
        "quantdiff replay out/findings/3a91 -b opencv",
        "runs as Conv2Int8 c1",
        "channels 9..15 of 24",
        "torch-qnnpack 2.13.0",
        "x uint8[1,2,h,2]",
        "x86-64 AVX2",
    ):
        assert fact in page.text, fact
    links = [attrs["href"] for tag, attrs in page.tags if tag == "a"]
    assert links == ["../../index.html", "model.onnx", "repro.py", "input_x.npy"]


def test_the_map_has_a_cell_for_each_channel_and_pixel() -> None:
    page = Page(finding_page(saved()))
    levels = [attrs["class"] for tag, attrs in page.tags if tag == "td" and "class" in attrs]
    cells = [each for each in levels if each in {"h0", "h1", "h2", "h3", "h4", "h5", "hn"}]
    assert len(cells) == samples.M * samples.PIXELS
    assert sum(each != "h0" for each in cells) == 28


def test_the_culprit_and_the_wrong_values_are_marked() -> None:
    page = Page(finding_page(saved()))
    assert page.count("g", "culprit") == 3
    assert page.count("tr", "culprit") == 1
    assert page.count("td", "off") == 28


def test_the_page_carries_the_finding_for_tools() -> None:
    source = finding_page(samples.hostile(samples.HOSTILE[2]))
    block = re.search(
        r'<script type="application/json" id="finding">(.*?)</script>', source, re.DOTALL
    )
    assert block is not None
    assert json.loads(block[1])["law"] == samples.HOSTILE[2]


@pytest.mark.parametrize("source", pages(), ids=("index", "finding"))
def test_a_page_asks_nobody_for_anything(source: str) -> None:
    assert not re.search(r"https?:|//cdn|url\((?!#)|@import|\bsrc=", source)
    page = Page(source)
    assert not {"link", "img", "iframe", "object", "embed", "form", "base"} & {
        t for t, _ in page.tags
    }
    assert not [
        name
        for _, attrs in page.tags
        for name in attrs
        if name.startswith("on") or name == "style"
    ]


@pytest.mark.parametrize("source", pages(), ids=("index", "finding"))
def test_the_policy_lets_only_our_own_script_and_style_run(source: str) -> None:
    page = Page(source)
    (policy,) = (
        a["content"] for t, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    script = source[source.rindex("<script>") + 8 : source.rindex("</script>")]
    style = source[source.index("<style>") + 7 : source.index("</style>")]
    for name, text in (("script-src", script), ("style-src", style)):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{name} 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("name", samples.HOSTILE)
def test_hostile_names_add_no_tag_and_no_attribute(name: str) -> None:
    hostile, plain = samples.hostile(name), samples.hostile("plain")
    start = samples.campaign()[0]
    assert isinstance(start, CampaignStarted)
    for render in (finding_page, lambda each: html.render_index(_run(start, each))):
        got, wanted = Page(render(hostile)), Page(render(plain))
        assert [tag for tag, _ in got.tags] == [tag for tag, _ in wanted.tags]
        assert [set(attrs) for _, attrs in got.tags] == [
            set(attrs) for _, attrs in wanted.tags
        ]
    assert len(finding_page(hostile)) < 210_000


def _run(start: CampaignStarted, event: FindingSaved) -> Report:
    skipped = BackendSkipped(event.finding.law, event.finding.law)
    started = replace(start, family=event.finding.law, backends=(event.finding.backend,))
    return replay((started, skipped, event))


def test_a_run_lists_backends_and_findings() -> None:
    page = Page(html.render_index(replay(samples.campaign())))
    assert "2 findings in 12,418 cases" in page.text
    assert page.count("article", "finding") == 2
    links = [attrs["href"] for tag, attrs in page.tags if tag == "a"]
    assert links == ["findings/3a91/report.html", "findings/77c0/report.html"]


def test_a_run_without_findings_says_so() -> None:
    page = Page(html.render_index(replay(samples.campaign()[:2])))
    assert "No wrong answers in 6,209 cases" in page.text
    assert "not finished" in page.text
    assert page.count("input") == 0


def test_a_refusal_needs_no_values() -> None:
    event = saved()
    bare = replace(
        event.evidence,
        graph=(),
        tensors=(),
        heat=(),
        expected=(),
        low=(),
        high=(),
        shape=(),
        parameters={},
        counterexamples=(),
    )
    refused = replace(
        event.finding, kind="refused", message="no <kernel>", diagnosis=(), law=""
    )
    page = Page(html.render_finding(replace(event, finding=refused, evidence=bare)))
    assert "refuses a valid model: no <kernel>" in page.text
    assert "torch-qnnpack2.13.0refusedno such <kernel>" in page.text
    assert page.text.count("gives values") == 3
    assert page.count("table", "heat") == 0
    assert page.count("table", "values") == 0


@pytest.mark.parametrize(
    ("folder", "link"), [("findings/3a91", "../../index.html"), ("a", "../index.html")]
)
def test_the_way_back(folder: str, link: str) -> None:
    assert html.index_link(folder) == link


def test_a_hundred_findings_render_in_two_seconds_and_five_megabytes() -> None:
    seen = [FindingSeen(f"{n:04x}", n) for n in range(100)]
    events = [
        FindingSaved(
            replace(samples.finding(), id=f"{n:04x}"), samples.evidence(), f"findings/{n}"
        )
        for n in range(100)
    ]
    begun = time.process_time()
    report = replay((*samples.campaign()[:2], *events, *seen))
    total = len(html.render_index(report).encode())
    total += sum(len(finding_page(each).encode()) for each in report.findings)
    seconds = time.process_time() - begun
    assert total <= 5_000_000
    assert seconds <= 2.0
