"""Attributes of com.microsoft have their types, in files, in the engine, and in onnxruntime itself."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from corpus.contrib import TYPES, wrong_attribute
from corpus.load import InputError, load_model
from engine import InvalidModel, Session
from engine.kernels.operator import CONTRIB as DOMAINS
from engine.kernels.operators import OPERATORS
from engine.onnx_schema import CONTRIB
from harness.cli import run


def gemm(**attributes: object) -> onnx.ModelProto:
    """QGemm of codes, which ONNX's checker takes whatever its attributes are."""
    node = helper.make_node(
        *("QGemm", ["a", "s", "z", "b", "s", "z", "", "s", "z"], ["y"], "gemm"),
        domain="com.microsoft",
        **attributes,
    )
    constants = [
        onnx.numpy_helper.from_array(np.float32(0.5), "s"),
        onnx.numpy_helper.from_array(np.uint8(3), "z"),
        onnx.numpy_helper.from_array(np.ones((2, 2), np.uint8), "b"),
    ]
    ends = [helper.make_tensor_value_info(name, 2, [2, 2]) for name in ("a", "y")]
    graph = helper.make_graph([node], "g", ends[:1], ends[1:], constants)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def test_right_types_are_taken(tmp_path: Path) -> None:
    model = gemm(alpha=0.5, transA=0, transB=1)
    onnx.save(model, tmp_path / "m.onnx")
    assert load_model(tmp_path / "m.onnx") == model
    Session(model)


@pytest.mark.parametrize("given", [{"transB": "yes"}, {"transA": 1.5}, {"alpha": 1}])
def test_another_type_is_refused_in_one_line(
    tmp_path: Path, given: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    (name,) = given
    path = tmp_path / "m.onnx"
    onnx.save(gemm(**given), path)
    with pytest.raises(InputError, match=f"QGemm 'gemm': attribute {name} is"):
        load_model(path)
    with pytest.raises(InvalidModel, match=f"QGemm 'gemm': {name} must be"):
        Session(gemm(**given))
    assert run(["check", str(path), "-b", "engine"]) == 2
    assert name in capsys.readouterr().err


def test_a_branch_is_looked_into() -> None:
    branch = gemm(transB="yes").graph
    branch.ClearField("input")
    node = helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)
    assert "QGemm 'gemm'" in wrong_attribute(helper.make_graph([node], "g", [], []))


def test_both_tables_have_every_attribute_that_the_engine_takes() -> None:
    assert dict(TYPES) == dict(CONTRIB.types)
    ours = {
        name
        for each in OPERATORS.values()
        if set(DOMAINS) & set(each.domains)
        for name in each.attributes
    }
    assert ours == set(TYPES)


def test_onnxruntime_agrees() -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    from onnxruntime.capi import onnxruntime_pybind11_state as native

    met = set()
    for schema in native.get_all_operator_schema():
        for name, attribute in schema.attributes.items():
            if schema.domain == "com.microsoft" and name in TYPES:
                wanted = onnx.AttributeProto.AttributeType.Name(TYPES[name])
                assert attribute.type.name == wanted, (schema.name, name)
                met.add(name)
    assert len(met) > 20
