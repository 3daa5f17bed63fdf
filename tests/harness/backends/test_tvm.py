import numpy as np
import onnx
import pytest
from onnx import helper

from harness.backends.protocol import Limit
from tests.harness.backends.models import (
    constant,
    convolution,
    dequantized_convolution,
    model,
)

pytest.importorskip("tvm")

from harness.backends.tvm import TVM

X = np.array([5, 7, 9, 3], np.uint8).reshape(1, 1, 2, 2)
Y = [2, 3, 4, 1]  # (x - 3) / 2 + 1: no ties


@pytest.fixture(scope="module")
def tvm() -> TVM:
    return TVM()


@pytest.mark.parametrize("options", [{}, {"disable": "FuseOps"}, {"disable": "FoldConstant"}])
@pytest.mark.parametrize("x", ["u1", "i1"])
def test_every_way_to_run_it_gives_the_same_codes(
    tvm: TVM, x: str, options: dict[str, str]
) -> None:
    made = dequantized_convolution([[[[2]]]], x=x, activation="Relu")
    found = tvm.run(made, {"x": X.view(x)}, options)["y"]
    assert [int(each) for each in found.ravel()] == Y
    assert (found.dtype, found.shape) == (np.dtype(x), X.shape)


def test_ties_go_to_even(tvm: TVM) -> None:
    constants = [constant("s", 2, "f4"), constant("z", 0, "i1")]
    quantize = helper.make_node("QuantizeLinear", ["x", "s", "z"], ["y"])
    made = model([quantize], constants, ("f4", [4]), ("i1", [4]))
    given = np.array([-3, -1, 1, 3], np.float32)
    found = tvm.run(made, {"x": given}, {})["y"]
    assert found.tolist() == [-2, 0, 0, 2]


def test_several_outputs_have_their_own_names(tvm: TVM) -> None:
    made = onnx.ModelProto.FromString(
        model([helper.make_node("Relu", ["x"], ["y"])], [], ("f4", [2]), ("f4", [2]))
    )
    made.graph.node.append(helper.make_node("Neg", ["x"], ["n"]))
    made.graph.output.insert(
        0, helper.make_tensor_value_info("n", onnx.TensorProto.FLOAT, [2])
    )
    found = tvm.run(made.SerializeToString(), {"x": np.array([-1, 2], np.float32)}, {})
    assert found["n"].tolist() == [1, -2]
    assert found["y"].tolist() == [0, 2]


def test_what_its_front_end_does_not_convert_is_a_limit(tvm: TVM) -> None:
    with pytest.raises(Limit, match="not supported for frontend ONNX: QLinearConv"):
        tvm.run(convolution([[[[2]]]]), {"x": X}, {})


def test_an_input_with_an_initializer_is_a_constant(tvm: TVM) -> None:
    made = onnx.ModelProto.FromString(dequantized_convolution([[[[2]]]]))
    made.graph.input.append(
        helper.make_tensor_value_info("w", onnx.TensorProto.INT8, [1, 1, 1, 1])
    )
    same, other = (np.full((1, 1, 1, 1), value, np.int8) for value in (2, 3))
    found = tvm.run(made.SerializeToString(), {"x": X, "w": same}, {})["y"]
    assert [int(each) for each in found.ravel()] == Y
    with pytest.raises(Limit, match="input w has an initializer"):
        tvm.run(made.SerializeToString(), {"x": X, "w": other}, {})
