from importlib import metadata

import onnx
import pytest

from harness.backends import catalogue
from harness.backends.description import Unavailable
from harness.backends.pool import Pool
from harness.backends.spec import parse
from harness.outcome import Values
from tests.harness.backends.models import convolution, dequantized_convolution, pixels


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (dequantized_convolution([[[[2]]]], x="i1"), True),
        (dequantized_convolution([[[[2]]]], x="u1"), False),
        (convolution([[[[2]]]], x="i1"), False),
        (convolution([[[[2]]]], x="u1"), False),
    ],
)
def test_the_int8_switch_helps_where_a_conv_reads_dequantized_int8(
    model: bytes, expected: bool
) -> None:
    assert catalogue.has_int8_activations(onnx.ModelProto.FromString(model)) is expected


def test_the_int8_switch_is_asked_about_broken_models_too() -> None:
    graph = onnx.GraphProto(node=[onnx.NodeProto(op_type="Conv"), onnx.NodeProto()])
    assert not catalogue.has_int8_activations(onnx.ModelProto(graph=graph))


def test_a_registered_plugin_is_known_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    point = metadata.EntryPoint("mine", "tests.fakes:perfect", catalogue.GROUP)
    monkeypatch.setattr(metadata, "entry_points", lambda group: [point])
    assert "mine" in catalogue.names()
    with Pool() as pool:
        outcome = pool.run_one(pixels(5, 7, 9, 3), parse("mine"))
    assert isinstance(outcome, Values)
    assert [int(each) for each in outcome.arrays["y"].ravel()] == [2, 3, 4, 1]


def test_a_plugin_does_not_replace_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    point = metadata.EntryPoint("ort", "tests.fakes:nan", catalogue.GROUP)
    monkeypatch.setattr(metadata, "entry_points", lambda group: [point])
    assert catalogue.is_ours(catalogue.find("ort"))
    assert catalogue.names().count("ort") == 1


@pytest.mark.parametrize("name", ["mnn", "ncnn", "litert"])
def test_an_engine_without_a_faithful_route_says_why(name: str) -> None:
    """It starts no process, is known by name, and takes no part where none was named."""
    assert name in catalogue.names()
    assert name not in catalogue.runnable()
    with Pool() as pool:
        answer = pool.describe(parse(name))
        assert answer == Unavailable(catalogue.find(name).missing)
        assert pool.pids() == {}
    assert "would help" in answer.reason
