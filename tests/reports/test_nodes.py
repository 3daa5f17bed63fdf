"""A model in words."""

from pathlib import Path

import pytest

from reports.nodes import read_nodes
from tests.reports.test_documents import small_model


def test_a_node_shows_types_constants_and_attributes(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(small_model().SerializeToString())
    (node,) = read_nodes(path)
    assert (node.id, node.op, node.attributes) == ("c1", "QLinearConv", ("group=2",))
    assert node.given == ("x",)
    assert node.inputs[0] == "x uint8[1,2,h,2]"
    assert node.inputs[1:3] == ("s = 0.5 (float32)", "z = 3 (uint8)")
    assert node.inputs[3] == "w uint8[24,1,1,1], all 7"
    assert node.outputs == ("y uint8[1,24,h,2]",)


def test_an_absent_model_has_no_nodes(tmp_path: Path) -> None:
    assert read_nodes(tmp_path / "model.onnx") == ()


def test_a_file_that_is_no_model_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"\xff\xfe not a model")
    with pytest.raises(ValueError, match=r"model\.onnx: not an ONNX model"):
        read_nodes(tmp_path / "model.onnx")
