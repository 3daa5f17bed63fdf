import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from generators import protos


@pytest.mark.parametrize("dtype", ["float32", "uint8", "int8", "int32"])
@pytest.mark.parametrize("shape", [(), (0,), (2, 3)])
def test_tensors_hold_their_arrays(dtype: str, shape: tuple[int, ...]) -> None:
    array = np.arange(int(np.prod(shape)), dtype=dtype).reshape(shape)
    found = numpy_helper.to_array(protos.tensor("t", array))
    assert (found.dtype, found.shape, found.tobytes()) == (array.dtype, shape, array.tobytes())


def test_one_parameter_is_a_scalar_and_several_are_a_vector() -> None:
    assert numpy_helper.to_array(protos.scale("s", (0.1,))) == np.float32(0.1)
    assert numpy_helper.to_array(protos.scale("s", (1, 2))).tolist() == [1.0, 2.0]
    for dtype, values in (("uint8", (255,)), ("int8", (-128, 127)), ("int32", (-5,))):
        found = numpy_helper.to_array(protos.zero_point("z", dtype, values))
        assert found.dtype.name == dtype
        assert found.ravel().tolist() == list(values)
        assert found.ndim == len(values) - 1


@pytest.mark.parametrize("shape", [(), (1,), (0, 3, 9)])
def test_values_are_those_of_the_slow_constructor(shape: tuple[int, ...]) -> None:
    slow = helper.make_tensor_value_info("x", TensorProto.INT8, shape)
    assert protos.value_info("x", "int8", shape) == slow


def test_nodes_are_those_of_the_slow_constructor() -> None:
    attributes = [
        protos.ints("pads", (1, 2)),
        protos.integer("group", 3),
        protos.real("max", 0.5),
        protos.text("auto_pad", "VALID"),
    ]
    fast = protos.node("Op", "n", ["a", "b"], ["y"], attributes)
    slow = helper.make_node("Op", ["a", "b"], ["y"], "n")
    given = {"pads": (1, 2), "group": 3, "max": 0.5, "auto_pad": "VALID"}
    slow.attribute.extend(helper.make_attribute(key, value) for key, value in given.items())
    assert fast == slow


@pytest.mark.parametrize("opset", range(10, 27))
def test_the_ir_version_is_the_one_that_the_opset_came_with(opset: int) -> None:
    needed = helper.find_min_ir_version_for([onnx.helper.make_opsetid("", opset)])
    assert protos.ir_version(opset) == needed
