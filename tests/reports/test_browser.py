"""The pages in a real browser: what a person does with them, and what they must never do."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from harness.events import FindingSaved
from reports.folder import write_run
from reports.model import replay
from tests.reports import samples

CHROMIUM = Path("/usr/bin/chromium")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="chromium is not installed"),
    pytest.mark.filterwarnings("default::ResourceWarning"),
]


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with the two sample findings and one for each hostile name."""
    out = tmp_path_factory.mktemp("run")
    hostile = []
    for n, name in enumerate(samples.HOSTILE):
        event = samples.hostile(name)
        finding = replace(event.finding, id=f"bad{n}")
        hostile.append(FindingSaved(finding, event.evidence, f"findings/bad{n}"))
    write_run(replay((*samples.campaign(), *hostile)), out)
    return out


@pytest.fixture(scope="module")
def browser_page() -> Iterator[tuple[Page, list[str]]]:
    """A page, and everything it complains about or asks the network for."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(QUIET))
        page = browser.new_page()
        page.set_default_timeout(10_000)
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda each: complaints.extend(_outside(each.url)))
        yield page, complaints
        browser.close()


def _outside(url: str) -> list[str]:
    return [] if url.startswith("file:") else [url]


@pytest.fixture
def page(browser_page: tuple[Page, list[str]]) -> Iterator[Page]:
    """The page; the test fails if it complained or asked for anything."""
    page, complaints = browser_page
    complaints.clear()
    yield page
    assert complaints == []


def test_a_maintainer_goes_from_the_list_to_the_culprit(page: Page, run_folder: Path) -> None:
    page.goto((run_folder / "index.html").as_uri())
    page.keyboard.press("/")
    page.keyboard.type("opencv lane")
    assert page.locator(".finding:visible").count() == 1
    assert page.locator("#shown").inner_text() == f"1 of {2 + len(samples.HOSTILE)}"
    page.keyboard.press("Escape")
    assert page.locator(".finding:visible").count() == 2 + len(samples.HOSTILE)

    page.get_by_role("link", name="3a91", exact=True).click()
    page.wait_for_url("**/findings/3a91/report.html")
    assert page.locator("svg .node.culprit text").all_text_contents() == ["QLinearConv", "c1"]
    assert page.locator("svg .group.culprit text").text_content() == "runs as Conv2Int8 c1"
    assert page.locator(".heat td").count() == samples.M * samples.PIXELS
    page.get_by_role("link", name="quantdiff", exact=True).click()
    page.wait_for_url("**/index.html")


def test_the_map_reads_out_under_pointer_and_keys(page: Page, run_folder: Path) -> None:
    page.goto((run_folder / "findings/3a91/report.html").as_uri())
    page.locator(".heat td").nth(9 * samples.PIXELS).hover()
    assert page.locator("#readout").inner_text() == "channel 9, pixel 0: off by 148 steps"
    page.locator(".heat").focus()
    page.keyboard.press("ArrowUp")
    assert page.locator("#readout").inner_text() == "channel 8, pixel 0: right"
    page.keyboard.press("ArrowRight")
    assert page.locator("#readout").inner_text() == "channel 8, pixel 1: right"
    page.keyboard.press("ArrowDown")
    assert page.locator("#readout").inner_text() == "channel 9, pixel 1: off by 148 steps"


def test_only_wrong_values_are_shown_until_asked(page: Page, run_folder: Path) -> None:
    page.goto((run_folder / "findings/3a91/report.html").as_uri())
    assert page.locator(".values tbody tr:visible").count() == 28
    page.get_by_label("only elements that some backend has wrong").uncheck()
    assert page.locator(".values tbody tr:visible").count() == 96


@pytest.mark.parametrize("number", range(len(samples.HOSTILE)))
def test_hostile_names_are_only_text(page: Page, run_folder: Path, number: int) -> None:
    for name in ("index.html", f"findings/bad{number}/report.html"):
        page.goto((run_folder / name).as_uri())
        assert page.evaluate("window.hacked === undefined")
        assert page.locator("img, iframe, body svg [onload]").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_both_schemes(page: Page, run_folder: Path, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto((run_folder / "findings/3a91/report.html").as_uri())
    for selector in (
        "h1",
        ".law > code",
        ".heat td.h5",
        ".values td.off",
        ".note",
        ".badge.wrong",
    ):
        assert page.locator(selector).first.evaluate(CONTRAST) >= 4.5, selector
    page.emulate_media(color_scheme="light")


CONTRAST = """(element) => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const luminance = (rgb) => rgb.slice(0, 3)
    .map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  let ground = element;
  while (parse(getComputedStyle(ground).backgroundColor)[3] === 0) ground = ground.parentElement;
  const pair = [parse(getComputedStyle(element).color), parse(getComputedStyle(ground).backgroundColor)];
  const [dark, light] = pair.map(luminance).sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}"""
