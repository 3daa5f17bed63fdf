"""Two independent bugs in one graph are two findings, each on its own node; the node between is innocent."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from corpus.case import Case
from harness.cli import run
from harness.suspect import suspects
from tests.engine.models import Array, graph_model
from tests.harness.benches import bench_of


def codes(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).integers(-128, 128, shape).astype(np.int8)


def chain() -> Case:
    """Three convolutions: groups that share blocks, a plain one, one with a scale a channel."""
    zero = np.array(3, np.uint8)
    constants: dict[str, Any] = {
        "z": zero,
        "wz": np.array(0, np.int8),
        "s": np.float32(0.02),
    }
    constants |= {
        "w1": codes(18, 2, 1, 1),
        "w2": codes(18, 18, 1, 1),
        "w3": codes(6, 18, 1, 1),
    }
    constants |= {
        "s1": np.float32(0.01),
        "s3": np.linspace(0.01, 0.05, 6).astype(np.float32),
        "wz3": np.zeros(6, np.int8),
        "y1": np.float32(0.05),
        "y2": np.float32(0.4),
        "y3": np.float32(2.0),
    }
    nodes = [
        helper.make_node(
            "QLinearConv", ["x", "s", "z", "w1", "s1", "wz", "y1", "z"], ["t1"], "c1", group=2
        ),
        helper.make_node(
            "QLinearConv", ["t1", "y1", "z", "w2", "s1", "wz", "y2", "z"], ["t2"], "c2"
        ),
        helper.make_node(
            "QLinearConv", ["t2", "y2", "z", "w3", "s3", "wz3", "y3", "z"], ["y"], "c3"
        ),
    ]
    inputs = {"x": (np.uint8, [1, 4, 5, 5])}
    model = graph_model(nodes, inputs, {"y": np.uint8}, constants)
    model = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    x = codes(1, 4, 5, 5).view(np.uint8)
    return Case(model.SerializeToString(), {"x": x})


@pytest.mark.parametrize(
    ("backend", "method"),
    [("engine:fault=F01+F50", "native"), ("tests.fakes:two_bugs", "prefixes")],
)
def test_two_bugs_are_two_findings(backend: str, method: str) -> None:
    with bench_of(backend) as bench:
        spec, case = bench.specs[0], chain()
        found = suspects(bench, spec, case, bench.run(case, spec))
    assert [each.unit.nodes for each in found] == [("c1",), ("c3",)]
    assert [each.signature.cause for each in found] == ["F01", "F50"]
    assert {each.located_by for each in found} == {method}


@pytest.mark.parametrize("backend", ["engine:fault=F01+F50", "tests.fakes:two_bugs"])
def test_check_names_both_nodes(
    backend: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = chain()
    model, x = tmp_path / "m.onnx", tmp_path / "x.npy"
    model.write_bytes(case.model)
    np.save(x, case.inputs["x"])
    words = ["check", str(model), "--input", f"x={x}", "-b", backend]
    assert run([*words, "--json"]) == 1
    said = json.loads(capsys.readouterr().out)["backends"][backend]
    assert [each["nodes"] for each in said["culprits"]] == [["c1"], ["c3"]]
    assert [each["diagnosis"][0]["fault"] for each in said["findings"]] == ["F01", "F50"]
    verdicts = {each["name"]: each["verdict"] for each in said["tensors"]}
    assert verdicts["t2"] == "exact"
    assert run(words) == 1
    shown = capsys.readouterr().out
    assert "QLinearConv c1" in shown
    assert "QLinearConv c3" in shown


def test_a_useless_set_at_the_end_does_not_hide_a_bug(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A scale of the last tensor so coarse that every answer there is the same code."""
    model = onnx.ModelProto.FromString(chain().model)
    coarse = onnx.numpy_helper.from_array(np.float32(1e6), "y3")
    kept = [each for each in model.graph.initializer if each.name != "y3"]
    del model.graph.initializer[:]
    model.graph.initializer.extend([*kept, coarse])
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    assert run(["check", str(path), "-b", "engine:fault=F01"]) == 1
    assert "QLinearConv c1" in capsys.readouterr().out
