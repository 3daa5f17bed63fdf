"""The command line, as a person meets it: statuses, one-line complaints, documents."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from engine.faults import CATALOGUE
from harness.cli import run
from tests.harness.benches import grouped, padded


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(grouped().model)
    return path


def complaint(capsys: pytest.CaptureFixture[str]) -> str:
    said = capsys.readouterr()
    assert said.out == ""
    lines = said.err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("quantdiff: ")
    return lines[0]


def test_fuzz_without_a_bug_is_status_0(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert (
        run(
            [
                "fuzz",
                "-b",
                "engine",
                "--cases",
                "64",
                "--seed",
                "1",
                "--out",
                str(out),
                "--json",
            ]
        )
        == 0
    )
    summary = json.loads(capsys.readouterr().out)
    assert summary["cases"] == 64
    assert summary["backends"]["engine"]["divergent"] == 0
    names = {each.name for each in out.iterdir()}
    assert names >= {"events.ndjson", "run.sqlite", "summary.json", "index.html", "junit.xml"}


def test_a_quiet_fuzz_says_its_closing_summary_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out")
    assert run(["fuzz", "-b", "engine", "--cases", "3", "--quiet", "--out", out]) == 0
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("  fuzz  3 cases")
    assert said[-1].startswith("  report ")


def test_fuzz_with_a_bug_is_status_1_and_its_folder_is_complete(tmp_path: Path) -> None:
    out = tmp_path / "run"
    arguments = ["-b", "tests.fakes:forgets_zero_point", "--cases", "64", "--seed", "1"]
    assert run(["fuzz", *arguments, "--out", str(out)]) == 1
    summary = json.loads((out / "summary.json").read_text())
    (finding,) = (each for each in summary["findings"] if each["kind"] == "divergent")
    assert finding["diagnosis"][0]["fault"] == "F25"
    folder = out / "findings" / finding["id"]
    expected = (
        "model.onnx finding.json repro.py issue.md report.html input_x.npy expected_y.npy"
    )
    assert {each.name for each in folder.iterdir()} >= set(expected.split())
    assert "does not show it" not in finding["message"]
    assert run(["replay", str(folder)]) == 1
    whole = {each.name: each.read_bytes() for each in folder.iterdir()}
    assert json.loads(whole["finding.json"]) == finding
    for name in ("report.html", "issue.md"):
        (folder / name).unlink()
    (out / "index.html").unlink()
    assert run(["report", str(out)]) == 1
    assert {each.name: each.read_bytes() for each in folder.iterdir()} == whole
    assert (out / "index.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fuzz", "-b", "nonsense"], "unknown"),
        (["fuzz", "-b", "engine:fault=F999"], "F999"),
        (["fuzz", "-b", "no.such.module:run"], "no.such.module"),
        (["fuzz", "-b", "ort@no/such/python"], "no/such/python"),
        (["fuzz", "--cases", "0"], "--cases"),
        (["fuzz", "--time", "soon"], "60s"),
        (["fuzz", "--family", "bicycle"], "conv"),
        (["fuzz", "--nonsense"], "--nonsense"),
        (["check", "no-such-file.onnx"], "no-such-file.onnx"),
        (["replay", "no-such-folder"], "no-such-folder"),
        (["report", "no-such-folder"], "no-such-folder"),
        (["nonsense"], "nonsense"),
        ([], "replay"),
        (["fuzz", "--out", "n" * 300], "--out"),
        (["fuzz", "--out", "/dev/null/run"], "no folder"),
        (["fuzz", "--timeout", "nan"], "--timeout"),
        (["fuzz", "--timeout", "inf"], "--timeout"),
        (["check", "m.onnx", "--seed", "-1"], "--seed"),
        (["reduce", "m.onnx", "-b", "engine", "-o", "/dev/null/x"], "no folder"),
    ],
)
def test_bad_usage_is_one_line_and_status_2(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(arguments) == 2
    assert words in complaint(capsys)
    assert list(tmp_path.iterdir()) == []


def test_an_output_folder_that_exists_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["fuzz", "-b", "engine", "--cases", "1", "--out", str(tmp_path)]) == 2
    assert "exists" in complaint(capsys)


def test_check_says_what_is_wrong_and_where(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["check", str(model), "-b", "engine", "-b", "engine:fault=F01", "--json"]) == 1
    backends = json.loads(capsys.readouterr().out)["backends"]
    assert backends["engine"]["verdict"] == "exact"
    (finding,) = backends["engine:fault=F01"]["findings"]
    assert finding["fused_as"] == "QConvBlocked"
    assert finding["diagnosis"][0]["fault"] == "F01"


def test_check_refuses_wrong_inputs_in_one_line(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "x.npy", np.zeros((1, 2), np.int8))
    assert run(["check", str(model), "--input", f"x={tmp_path / 'x.npy'}"]) == 2
    assert "shape" in complaint(capsys)
    np.save(tmp_path / "f.npy", np.zeros((1, 16, 3, 3), np.float32))
    assert run(["check", str(model), "--input", f"x={tmp_path / 'f.npy'}"]) == 2
    assert "float32" in complaint(capsys)
    assert run(["check", str(model), "--input", "x"]) == 2
    assert "NAME=FILE.npy" in complaint(capsys)


def test_an_operator_nobody_judges_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    helper = onnx.helper
    value = helper.make_tensor_value_info
    node = helper.make_node("Det", ["x"], ["y"])
    graph = helper.make_graph([node], "g", [value("x", 1, [2, 2])], [value("y", 1, [])])
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]),
        tmp_path / "m.onnx",
    )
    assert run(["check", str(tmp_path / "m.onnx"), "-b", "engine"]) == 2
    assert "Det" in complaint(capsys)


def test_a_file_that_is_not_onnx_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "m.onnx").write_bytes(b"\x00certainly not")
    assert run(["check", str(tmp_path / "m.onnx")]) == 2
    assert "not an ONNX model" in complaint(capsys)


def test_reduce_writes_the_smallest_case(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "small"
    assert run(["reduce", str(model), "-b", "engine:fault=F01", "-o", str(out)]) == 1
    assert "F01" in capsys.readouterr().out
    assert len((out / "model.onnx").read_bytes()) < len(model.read_bytes())
    assert run(["reduce", str(model), "-b", "engine", "-o", str(tmp_path / "none")]) == 0
    assert not (tmp_path / "none").exists()


def test_faults_lists_the_catalogue(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["faults", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [each["fault"] for each in listed] == [each.key for each in CATALOGUE]
    assert all(each["title"] and each["source"] for each in listed)
    changing = [each["fault"] for each in listed if each["stages"] or each["guards_off"]]
    assert changing == [each.key for each in CATALOGUE if each.has_formula]
    for words in (["faults", "list"], ["faults"]):
        assert run(words) == 0
        assert "F79a.depthwise" in capsys.readouterr().out


def test_faults_are_scored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["faults", "score", "--fault", "F01", "--fault", "F60", "--family", "conv"]
    page = tmp_path / "score.html"
    assert run([*words, "--cases", "400", "--json", "--html", str(page)]) == 0
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert [document[each] for each in ("total", "detected", "located", "diagnosed")] == [
        2
    ] * 4
    assert document["decoys_flagged"] == 0
    assert [each["fault"] for each in document["per_fault"]] == ["F01", "F60"]
    assert {each["fusion"] for each in document["per_fault"]} == {"on"}
    assert "located right" in said.err
    assert "2 of 2 faults detected" in page.read_text()
    assert run([*words, "--cases", "1"]) == 1
    assert "not detected" in capsys.readouterr().out
    assert run(["faults", "score", "--fault", "F1"]) == 2
    assert "'F1' is unknown" in complaint(capsys)


def test_faults_needs_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["faults", "guess"]) == 2
    assert "guess" in complaint(capsys)


def test_backends_lists_what_is_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["backends", "-b", "engine", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["engine"]["available"] is True


def test_what_reaches_beyond_real_numbers_or_comes_twice_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "m.onnx").write_bytes(padded().model)
    given = ["--input", f"x={tmp_path / 'x.npy'}"]
    case = padded()
    np.save(tmp_path / "x.npy", case.inputs["x"])
    assert run(["check", str(tmp_path / "m.onnx"), "-b", "engine", *given, *given]) == 2
    assert "twice" in complaint(capsys)
    relu = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["":17]> g (float[1,2] x) => (float[1,2] y) {y = Relu(x)}'
    )
    onnx.save(relu, tmp_path / "relu.onnx")
    np.save(tmp_path / "x.npy", np.array([[np.nan, 1]], np.float32))
    assert run(["check", str(tmp_path / "relu.onnx"), "-b", "engine", *given]) == 2
    assert "NaN" in complaint(capsys)


def test_the_page_of_check_is_written_where_it_is_wanted_or_not_begun(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "new" / "page.html"
    assert run(["check", str(model), "-b", "engine:fault=F01", "--html", str(page)]) == 1
    assert "F01" in page.read_text()
    capsys.readouterr()
    assert run(["check", str(model), "-b", "engine:fault=F01", "--html", str(page)]) == 2
    assert "exists" in complaint(capsys)
    assert run(["check", str(model), "-b", "engine", "--html", str(model / "x")]) == 2
    assert "no folder" in complaint(capsys)
    assert run(["check", str(model), "-b", "engine", "--html", str(tmp_path / "no")]) == 0
    assert "not written" in capsys.readouterr().err


def test_hostile_names_stay_on_their_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    proto = grouped().proto()
    proto.graph.node[0].name = "a\nb\x1b[31m[red]"
    (tmp_path / "m.onnx").write_bytes(proto.SerializeToString())
    assert run(["check", str(tmp_path / "m.onnx"), "-b", "engine:fault=F01"]) == 1
    assert r"QLinearConv a\nb\x1b[31m[red]" in capsys.readouterr().out


def test_a_run_without_findings_has_nothing_to_replay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert run(["fuzz", "-b", "engine", "--cases", "1", "--out", str(out)]) == 0
    capsys.readouterr()
    assert run(["replay", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"schema": 1, "replayed": [], "stale": []}


def test_a_time_that_is_over_at_once_still_runs_a_case(tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert run(["fuzz", "-b", "engine", "--time", "0.001s", "--out", str(out)]) == 0
    assert json.loads((out / "summary.json").read_text())["cases"] == 1
