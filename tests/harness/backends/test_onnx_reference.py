import numpy as np
import onnx
import pytest

from harness.backends.onnx_reference import OnnxReference
from harness.backends.protocol import Limit
from tests.harness.backends.models import convolution, dequantized_convolution

X = np.array([5, 7, 9, 3], np.uint8).reshape(1, 1, 2, 2)
Y = [2, 3, 4, 1]


@pytest.mark.parametrize("opset", [10, 13, 19, 21, 25])
def test_every_opset_by_hand(opset: int) -> None:
    for made in (convolution([[[[2]]]]), dequantized_convolution([[[[2]]]])):
        proto = onnx.ModelProto.FromString(made)
        proto.opset_import[0].version = opset
        if opset < 13:
            for node in proto.graph.node:
                if node.op_type == "DequantizeLinear":
                    del node.attribute[:]
        found = OnnxReference().run(proto.SerializeToString(), {"x": X}, {})["y"]
        assert [int(each) for each in found.ravel()] == Y


def test_a_foreign_operator_is_a_limit() -> None:
    proto = onnx.ModelProto.FromString(convolution([[[[2]]]]))
    proto.graph.node[0].domain = "my.domain"
    proto.opset_import.add(domain="my.domain", version=1)
    with pytest.raises(Limit, match=r"my\.domain"):
        OnnxReference().run(proto.SerializeToString(), {"x": X}, {})
