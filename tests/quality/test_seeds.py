"""The three reports this project started from, each from the symptom to the cause."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from corpus import store
from corpus.case import Array, Case
from corpus.export import export_opencv
from engine import Session
from generators.seeds import SEEDS, THRESHOLD, detector_head, forum_convolution
from harness.examine import examine
from harness.oracle import Oracle, judge
from harness.suspect import suspects
from tests.harness.benches import bench_of

CASES = Path(store.__file__).parent / "cases"


@pytest.mark.parametrize("name", SEEDS)
def test_the_corpus_holds_the_seed_as_it_is_made(name: str) -> None:
    case = SEEDS[name]()
    kept, _ = store.load(CASES / case.digest[:16])
    assert kept.digest == case.digest


@pytest.mark.parametrize("name", SEEDS)
def test_our_engine_is_right_on_every_seed(name: str) -> None:
    case = SEEDS[name]()
    allowed = Oracle(case.proto()).allowed(case.inputs)
    for fusion in ("on", "off"):
        outputs = Session(case.model, fusion=fusion).run(case.inputs)
        assert not any(judge(each, outputs[name]).is_wrong for name, each in allowed.items())


def test_the_depthwise_regression_has_a_reference_and_an_opencv_fixture(
    tmp_path: Path,
) -> None:
    case = SEEDS["depthwise_regression"]()
    session = onnxruntime.InferenceSession(case.model, providers=["CPUExecutionProvider"])
    reference = {"y": session.run(None, dict(case.inputs))[0]}
    allowed = Oracle(case.proto()).allowed(case.inputs)["y"]
    assert not judge(allowed, reference["y"]).is_wrong
    name = "quantized_depthwise_conv_int8_weights"
    export_opencv(tmp_path, name, case, reference)
    assert (tmp_path / "models" / f"{name}.onnx").read_bytes() == case.model
    assert np.array_equal(np.load(tmp_path / "data" / f"input_{name}.npy"), case.inputs["x"])
    assert np.array_equal(np.load(tmp_path / "data" / f"output_{name}.npy"), reference["y"])


def boxes(case: Case, **options: object) -> int:
    scores = Session(case.model, **options).run(case.inputs)  # type: ignore[arg-type]
    return sum(int((score > THRESHOLD).sum()) for score in scores.values())


def test_a_detector_with_clobbered_groups_finds_nothing() -> None:
    case = detector_head()
    assert boxes(case) == 3
    assert boxes(case, faults=("F01",)) == 0


def test_exactly_the_six_convolutions_of_the_detector_are_blamed() -> None:
    case = detector_head()
    with bench_of("engine:fault=F01") as bench:
        spec = bench.specs[0]
        found = suspects(bench, spec, case, bench.run(case, spec))
        names = {
            f"{branch}{stride}_conv" for branch in ("cls", "obj") for stride in (8, 16, 32)
        }
        blamed = [names & set(each.unit.nodes) for each in found]
        assert sorted(name for each in blamed for name in each) == sorted(names)
        assert all(len(each) == 1 for each in blamed)
        assert {each.signature.cause for each in found} == {"F01"}


def real(codes: Array) -> float:
    """The largest real output of the forum's convolution: zero point 127."""
    return (float(codes.max()) - 127.0) * 0.6 / 255


def test_pair_saturation_makes_the_forum_convolution_never_positive() -> None:
    case = forum_convolution()
    right = Session(case.model, profile="fbgemm").run(case.inputs)["y"]
    wrong = Session(case.model, profile="fbgemm", faults=("F79a",)).run(case.inputs)["y"]
    assert real(right) > 0.2
    assert max(real(wrong), 0.0) == 0.0


@pytest.mark.parametrize("name", ["torch-fbgemm", "torch-qnnpack"])
def test_torch_engines_on_the_forum_convolution(name: str) -> None:
    """qnnpack widens every product, so it is right; fbgemm saturates where the CPU lacks VNNI."""
    pytest.importorskip("torch")
    case = forum_convolution()
    with bench_of(name) as bench:
        examined = examine(
            bench, bench.specs[0], case, Oracle(case.proto()).allowed(case.inputs)
        )
    if name == "torch-qnnpack":
        assert examined.verdict in ("exact", "tie")
    assert {each.signature.cause for each in examined.suspects} <= {"F79a"}
    assert examined.verdict in ("exact", "tie") or examined.suspects
