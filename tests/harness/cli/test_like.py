"""``quantdiff fuzz --like MODEL`` as a person meets it."""

import json
import pickle
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import onnx
import pytest

from generators.like import mine
from harness.campaign.plan import Plan
from harness.cli import run
from harness.cli.session import taken_up
from tests.generators.like.nets import residual
from tests.quality.campaigns import ending, finish, judged, kill, start, wait_for

Said = pytest.CaptureFixture[str]
SHORT = ["fuzz", "--like", "user.onnx", "-b", "engine", "--seed", "1"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a user's model."""
    model = onnx.shape_inference.infer_shapes(residual())
    model.graph.output[0].CopyFrom(
        onnx.helper.make_tensor_value_info("sum", onnx.TensorProto.INT8, ["N", 48, 28, 28])
    )
    onnx.save(model, tmp_path / "user.onnx")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_patterns_open_the_campaign_and_are_its_cells(here: Path, capsys: Said) -> None:
    assert run([*SHORT, "--cases", "40"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "  like user.onnx: 8 patterns in 8 shapes"
    assert "       1 x Conv 3x3/2 + Add, s8 s8/channel" in lines
    assert "  fuzz  40 cases" in "\n".join(lines)
    summary = json.loads((here / "out" / "summary.json").read_text())
    assert summary["family"] == "like"
    assert not [
        each for each in summary["coverage"]["missing"] if each.startswith("like Conv")
    ]
    told = json.loads((here / "out" / "like" / "patterns.json").read_text())
    assert told["patterns"]["Add, s8"] == 1
    assert told["left"] == []


@pytest.mark.slow
def test_a_fault_of_strided_images_is_found(here: Path, capsys: Said) -> None:
    assert (
        run([*SHORT[:4], "engine:fault=F25", "--seed", "1", "--cases", "16", "--quiet"]) == 1
    )
    said = capsys.readouterr().err
    assert "F25" in said
    assert "patterns in" not in said


def test_a_run_goes_on_with_the_parts_in_its_folder(here: Path, capsys: Said) -> None:
    assert run([*SHORT, "--cases", "8"]) == 0
    (here / "user.onnx").unlink()
    plan, _ = taken_up(here / "out", {})
    mined = mine(onnx.shape_inference.infer_shapes(residual()))
    assert plan.parts == mined.parts
    with closing(sqlite3.connect(here / "out" / "run.sqlite")) as database:
        found = dict(database.execute("select number, digest from cases").fetchall())
    assert found == {n: plan.case(n).digest for n in range(8)}
    shutil.rmtree(here / "out" / "like")
    capsys.readouterr()
    assert run(["fuzz", "--resume"]) == 2
    assert "holds no parts of a model; start a new run" in complaint(capsys)


@pytest.mark.slow
def test_a_killed_run_is_finished_by_two_jobs(here: Path) -> None:
    cases = ["--like", "user.onnx", "-b", "engine", "--seed", "1", "--cases", "600"]
    process = start([*cases, "--out", "killed"], here)
    wait_for(here / "killed" / "events.ndjson")
    time.sleep(3)
    kill(process.pid)
    ending(process)
    (here / "user.onnx").rename(here / "moved.onnx")
    assert finish(["--resume", "--out", "killed", "--jobs", "2"], here)[0] == 0
    (here / "moved.onnx").rename(here / "user.onnx")
    assert finish([*cases, "--out", "whole"], here)[0] == 0
    assert judged(here / "killed") == judged(here / "whole")


def test_two_jobs_draw_and_judge_the_same(here: Path) -> None:
    assert run([*SHORT, "--cases", "60", "--out", "one"]) == 0
    assert run([*SHORT, "--cases", "60", "--out", "two", "--jobs", "2"]) == 0
    assert len(judged(here / "one")) >= 60
    assert judged(here / "two") == judged(here / "one")


def test_plans_travel_with_their_parts() -> None:
    parts = mine(residual()).parts
    plan = Plan(1, "like", "any", "", cases=1, parts=parts)
    there = pickle.loads(pickle.dumps(plan))
    assert there == plan
    assert [there.case(n).digest for n in range(9)] == [plan.case(n).digest for n in range(9)]
    assert plan.cells()[0].startswith("like ")
    assert "parts" not in repr(plan)


def complaint(capsys: Said) -> str:
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("quantdiff: ")
    return line


def test_what_cannot_be_mined_is_one_line(here: Path, capsys: Said) -> None:
    (here / "text.onnx").write_text("no model")
    x = onnx.helper.make_tensor_value_info("x", 1, [1, 4])
    y = onnx.helper.make_tensor_value_info("y", 1, [1, 4])
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Relu", ["x"], ["y"])], "g", [x], [y]
    )
    onnx.save(onnx.helper.make_model(graph, ir_version=8), here / "float.onnx")
    for name, words in {
        "text.onnx": "is not an ONNX model",
        "none.onnx": "does not exist",
        "float.onnx": "no part of it can be varied: Relu at 'y': nothing in it is quantized",
    }.items():
        assert run(["fuzz", "--like", name, "-b", "engine", "--cases", "1"]) == 2
        assert words in complaint(capsys)
    assert not (here / "out").exists()


def test_it_excludes_other_sources_of_cases(here: Path, capsys: Said) -> None:
    assert run([*SHORT, "--family", "all"]) == 2
    assert "--family says otherwise" in complaint(capsys)
    assert run([*SHORT, "--resume"]) == 2
    assert "--resume keeps to its own model" in complaint(capsys)


def test_data_outside_the_models_folder_is_not_read(here: Path, capsys: Said) -> None:
    model = onnx.load(here / "user.onnx")
    secret = here / "secret.bin"
    secret.write_bytes(np.zeros(100, np.int8).tobytes())
    (here / "models").mkdir()
    tensor = next(each for each in model.graph.initializer if each.name == "main_w")
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../secret.bin")
    (here / "models" / "user.onnx").write_bytes(model.SerializeToString())
    assert run(["fuzz", "--like", "models/user.onnx", "-b", "engine", "--cases", "1"]) == 2
    assert "'../secret.bin' is no file in the model's folder" in complaint(capsys)
