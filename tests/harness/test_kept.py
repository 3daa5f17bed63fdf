"""Findings of broken models are read again, and nothing else that is not valid."""

import json
from pathlib import Path

import onnx
import pytest

from corpus import store
from corpus.history import RIGHT, SAME
from corpus.load import InputError
from generators.choices import RandomChoices
from generators.graphs import draw_case
from generators.illegal import BREACHES, FALLBACK, Illegal, breach_of, broken, draw_illegal
from harness.backends.spec import parse
from harness.cli import run
from harness.cli.keep import NOT_REPRODUCED, keep_in
from harness.investigate import investigate, shrink
from harness.kept import read_kept
from harness.outcome import Crashed, Outcome, Refused, TimedOut, Values
from harness.releases.bug import read_bug, replayed
from harness.same import shows_bug
from harness.suspect import suspects
from tests.harness.benches import bench_of

CRASHES = "tests.fakes:crashes_on_what_is_not_valid"
UNKNOWN = "an unknown operator"
SIGNATURE = f"{CRASHES} | broken model | the model is not valid: "


def illegal(name: str = UNKNOWN) -> Illegal:
    found = broken(name, draw_case("conv", "any", 1), RandomChoices(1))
    assert found is not None
    return found


def kept(folder: Path, model: onnx.ModelProto) -> Path:
    case = illegal().case.with_model(model)
    store.save(folder / "finding", case)
    return folder / "finding"


def test_broken_in_whatever_way_it_comes_back_as_it_was(tmp_path: Path) -> None:
    met = set()
    for seed in range(150):
        case = draw_illegal("any", seed)
        store.save(tmp_path / str(seed), case)
        again, _ = read_kept(tmp_path / str(seed), f"{SIGNATURE}{breach_of(case)}")
        assert again.digest == case.digest
        assert breach_of(again) == breach_of(case)
        met.add(breach_of(case))
    assert len(met) > 0.8 * len(BREACHES)


@pytest.mark.parametrize(
    ("signature", "words"),
    [
        ("ort | divergent | F79a", "not a valid ONNX model"),
        ("", "not a valid ONNX model"),
        (f"{SIGNATURE}nobody breaks it like this", "nobody breaks it like this"),
    ],
)
def test_only_a_finding_that_says_how_is_read(
    tmp_path: Path, signature: str, words: str
) -> None:
    folder = kept(tmp_path, illegal().case.proto())
    with pytest.raises(InputError, match=words):
        read_kept(folder, signature)


def test_no_file_outside_the_folder_is_read_for_it(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"1" * 100)
    model = illegal().case.proto()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../secret")
    with pytest.raises(InputError, match="no file in the model's folder"):
        read_kept(kept(tmp_path, model), SIGNATURE + UNKNOWN)


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no graph with nodes"):
        read_kept(kept(tmp_path, onnx.ModelProto()), SIGNATURE + UNKNOWN)


@pytest.mark.parametrize(
    ("outcome", "shown"),
    [
        (Crashed("signal SIGABRT", ""), True),
        (TimedOut(10), True),
        (Refused("ValueError: no", documented=False), False),
        (Values({}), False),
    ],
)
def test_its_bug_is_the_same_whichever_limit_ends_it(outcome: Outcome, shown: bool) -> None:
    with bench_of(CRASHES) as bench:
        case = illegal().case
        (crash,) = suspects(
            bench, bench.specs[0], case, Crashed("used more than 4096 MiB", "")
        )
        (hang,) = suspects(bench, bench.specs[0], case, TimedOut(10))
        assert crash.signature.text == hang.signature.text == SIGNATURE + UNKNOWN
        assert shows_bug(bench, crash, case, outcome) == shown
        assert shows_bug(bench, hang, case, outcome) == shown
        assert not shows_bug(bench, crash, illegal(FALLBACK).case, outcome)


def test_a_crash_on_it_is_shown_again_by_replay_and_by_its_script(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with bench_of(CRASHES, "engine") as bench:
        spec, engine = bench.specs
        case = illegal().case
        (suspect,) = suspects(bench, spec, case, bench.run(case, spec))
        saved = keep_in(tmp_path, patience=5.0)(
            investigate(bench, shrink(bench, suspect), seed=1)
        )
        folder = tmp_path / saved.folder
        bug = read_bug(folder)
        assert bug.spec == parse(CRASHES)
        assert replayed(bench, spec, bug, "1").word == SAME
        assert replayed(bench, engine, bug, "1").word == RIGHT
    assert NOT_REPRODUCED not in saved.finding.message
    assert run(["replay", str(folder)]) == 1
    assert "crashed" in capsys.readouterr().out
    assert run(["replay", str(folder), "-b", "engine", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["replayed"]
    assert (row["verdict"], row["wrong"]) == ("refused", False)
