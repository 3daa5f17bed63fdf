"""The page says how to add an engine: what it shows is run."""

import re
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

import harness.backends
from corpus.case import Case
from harness.backends.pool import Pool
from harness.backends.spec import parse
from harness.outcome import Refused, Tapped, Values
from tests.harness.backends.models import constant

PAGE = Path(harness.backends.__file__).with_name("README.md").read_text(encoding="utf-8")
FUNCTION, ADAPTER = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def chain() -> Case:
    """Two operations, so that there is something inside: quantize and dequantize."""
    graph = helper.make_graph(
        [
            helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], name="quantize"),
            helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"], name="dequantize"),
        ],
        "chain",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [3])],
        [constant("s", 0.5, "f4"), constant("z", 1, "i1")],
    )
    opset = helper.make_opsetid("", 19)
    made = helper.make_model(graph, opset_imports=[opset], ir_version=9)
    return Case(made.SerializeToString(), {"x": np.array([-1, 0, 3], np.float32)})


def put(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "mine.py").write_text(text, encoding="utf-8")
    monkeypatch.chdir(folder)


def test_a_function_is_enough(
    chain: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len([line for line in FUNCTION.splitlines() if line]) <= 5
    put(tmp_path, FUNCTION, monkeypatch)
    with Pool() as pool:
        outcome = pool.run_one(chain, parse("mine:run"))
    assert isinstance(outcome, Values)
    assert outcome.arrays["y"].tolist() == [-1, 0, 3]


def test_a_full_adapter_has_forty_lines(
    chain: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len([line for line in ADAPTER.splitlines() if line]) <= 40
    put(tmp_path, ADAPTER, monkeypatch)
    mine = parse("mine:Mine")
    old = chain.proto()
    old.opset_import[0].version = 13
    with Pool() as pool:
        outcome = pool.run_one(chain, mine)
        refused = pool.run_one(Case(old.SerializeToString(), chain.inputs), mine)
        tapped = pool.tap(chain, mine)
    assert isinstance(outcome, Values)
    assert outcome.arrays["y"].tolist() == [-1, 0, 3]
    assert refused == Refused("opsets from 19 on", documented=True)
    assert isinstance(tapped, Tapped)
    assert tapped.arrays["q"].tolist() == [-1, 1, 7]
    assert [(each.kind, each.nodes) for each in tapped.plan] == [
        ("QuantizeLinear", ("quantize",)),
        ("DequantizeLinear", ("dequantize",)),
    ]
