"""Which node of several an operation is named after."""

import onnx
import pytest

from harness.observe import main_op


@pytest.mark.parametrize(
    ("ops", "main"),
    [
        ("DequantizeLinear Relu Conv QuantizeLinear", "Conv"),
        ("DequantizeLinear Relu QuantizeLinear", "Relu"),
        ("DequantizeLinear QuantizeLinear", "QuantizeLinear"),
        ("Identity QuantizeLinear", "QuantizeLinear"),
        ("DequantizeLinear Identity", "DequantizeLinear"),
        ("Identity Identity", "Identity"),
    ],
)
def test_the_main_node(ops: str, main: str) -> None:
    nodes = [onnx.helper.make_node(op, ["x"], ["y"]) for op in ops.split()]
    assert main_op(nodes) == main
