"""junit.xml, summary.json and issue.md."""

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace

import onnx
import pytest
from onnx import TensorProto, helper

from harness.events import BackendSkipped, CampaignStarted, FindingSaved
from reports import junit, markdown, summary
from reports.model import replay
from reports.nodes import nodes_in_words
from tests.reports import samples

Golden = Callable[[str, str], None]


def test_each_finding_is_a_failed_test_and_each_clean_backend_a_passed_one() -> None:
    root = ET.fromstring(junit.render(replay(samples.campaign())))
    tests = {
        (case.get("classname"), case.get("name")): [child.tag for child in case]
        for case in root.iter("testcase")
    }
    assert tests == {
        ("engine", "12,418 cases, 12,418 answers right"): [],
        ("opencv", '3a91 Conv2Int8 <- QLinearConv "c1"'): ["failure"],
        ("ort", '77c0 QLinearConv <- Conv "dx", "dw", "c1" and 2 more'): ["failure"],
    }
    for suite in root:
        cases = suite.findall("testcase")
        assert int(suite.get("tests", "")) == len(cases)
        assert int(suite.get("failures", "")) == sum(
            c.find("failure") is not None for c in cases
        )


def test_a_crash_is_an_error_and_an_absent_backend_is_skipped() -> None:
    event = samples.saturation()
    crash = replace(
        event, finding=replace(event.finding, kind="crashed", message="signal SIGSEGV")
    )
    skipped = BackendSkipped("openvino", "not installed")
    root = ET.fromstring(junit.render(replay((*samples.campaign()[:3], crash, skipped))))
    error = root.find("testsuite[@name='ort']/testcase/error")
    assert error is not None
    assert error.get("message") == "crashes: signal SIGSEGV"
    assert (
        root.find("testsuite[@name='openvino']/testcase/skipped[@message='not installed']")
        is not None
    )


@pytest.mark.parametrize("name", samples.HOSTILE)
def test_hostile_names_leave_the_documents_well_formed(name: str) -> None:
    start = samples.campaign()[0]
    hostile = samples.hostile(name)
    assert isinstance(start, CampaignStarted)
    report = replay((replace(start, backends=(hostile.finding.backend,)), hostile))
    root = ET.fromstring(junit.render(report))
    assert len(list(root.iter("failure"))) == 1
    assert json.loads(summary.render(report))["findings"][0]["law"] == name


def test_the_summary_has_exactly_the_keys_of_the_contract() -> None:
    document = json.loads(summary.render(replay(samples.campaign())))
    assert list(document) == [
        "schema",
        "seed",
        "family",
        "cases",
        "seconds",
        "cases_per_second",
        "comparisons",
        "backends",
        "coverage",
        "unsettled",
        "failures",
        "silent",
        "releases",
        "findings",
    ]
    assert document["cases_per_second"] == 207.0
    assert document["coverage"] == {"reached": 2, "missing": ["c"], "fusions": samples.FUSIONS}
    assert list(document["coverage"]["fusions"]["opencv"].values()) == [61, 2]  # most first
    assert document["backends"]["opencv"] == {
        "version": "5.0.0.93",
        "exact": 10000,
        "tie": 20,
        "rounding_mode": 0,
        "divergent": 462,
        "refused": 1936,
        "crashed": 0,
        "timed_out": 0,
    }
    assert document["findings"][0]["law_counts"]["failing"] == 412


def test_the_summary_is_strict_json_even_with_infinities() -> None:
    event = samples.saturation()
    steps = replace(event.finding.steps, max=float("inf"))
    report = replay(
        (samples.campaign()[0], replace(event, finding=replace(event.finding, steps=steps)))
    )
    document = json.loads(summary.render(report), parse_constant=pytest.fail)
    assert document["findings"][0]["steps"]["max"] == "Infinity"


def small_model() -> onnx.ModelProto:
    nodes = [
        helper.make_node(
            "QLinearConv", ["x", "s", "z", "w", "s", "z", "s", "z"], ["y"], "c1", group=2
        )
    ]
    scale = helper.make_tensor("s", TensorProto.FLOAT, [], [0.5])
    zero = helper.make_tensor("z", TensorProto.UINT8, [], [3])
    weight = helper.make_tensor("w", TensorProto.UINT8, [24, 1, 1, 1], [7] * 24)
    x = helper.make_tensor_value_info("x", TensorProto.UINT8, [1, 2, "h", 2])
    y = helper.make_tensor_value_info("y", TensorProto.UINT8, [1, 24, "h", 2])
    return helper.make_model(helper.make_graph(nodes, "g", [x], [y], [scale, zero, weight]))


def test_the_issue_of_a_finding(golden: Golden) -> None:
    event = FindingSaved(samples.finding(), samples.evidence(), "findings/3a91")
    golden("issue.md", markdown.render(event, nodes_in_words(small_model())))


def test_the_issue_of_a_fused_graph_without_a_law(golden: Golden) -> None:
    golden("issue_passes.md", markdown.render(samples.saturation()))


def test_the_issue_of_a_refusal_quotes_the_message() -> None:
    event = samples.saturation()
    refused = replace(event.finding, kind="refused", message="Error: `x` | y\nsecond line")
    empty = replace(event.evidence, expected=(), low=(), high=(), samples=(), heat=())
    text = markdown.render(replace(event, finding=refused, evidence=empty))
    assert text.startswith("# Valid model refused because of `Conv` (run as `QLinearConv`)\n")
    assert "``Error: `x` | y\\nsecond line``" in text
    assert "Expected and actual" not in text


@pytest.mark.parametrize("name", samples.HOSTILE)
def test_hostile_names_stay_inside_code_spans(name: str) -> None:
    text = markdown.render(samples.hostile(name))
    outside = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", text, flags=re.DOTALL)
    for poison in ("<script", "<img", "<svg", "](javascript", "os.abort", "\x1b", "onerror"):
        assert poison not in outside
    assert "<" not in outside.replace("<br>", "").replace("< 1 %", "")


def test_every_row_of_an_issue_table_has_the_columns_of_its_header() -> None:
    text = markdown.render(samples.hostile("a|b"), nodes_in_words(small_model()))
    widths: list[int] = []
    for line in text.splitlines():
        if not line.startswith("|"):
            widths = []
            continue
        widths.append(len(re.findall(r"(?<!\\)\|", line)))
        assert len(set(widths)) == 1, line
