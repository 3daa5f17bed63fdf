import numpy as np
import onnx
import pytest
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from generators import wire


@pytest.mark.parametrize("dtype", ["float32", "uint8", "int8", "int32"])
@pytest.mark.parametrize("shape", [(), (0,), (2, 3), (1, 200)])
def test_tensors_are_those_of_the_slow_constructor(dtype: str, shape: tuple[int, ...]) -> None:
    array = np.arange(int(np.prod(shape))).astype(dtype).reshape(shape)
    slow = numpy_helper.from_array(array, "a name")
    assert wire.tensor("a name", array) == slow.SerializeToString()


def test_one_parameter_is_a_scalar_and_several_are_a_vector() -> None:
    scales = [wire.scale("s", each) for each in ((0.1,), (1.0, 2.0))]
    found = [numpy_helper.to_array(TensorProto.FromString(each)) for each in scales]
    assert found[0] == np.float32(0.1)
    assert found[0].ndim == 0
    assert found[1].tolist() == [1.0, 2.0]
    for dtype, values in (("uint8", (255,)), ("int8", (-128, 127)), ("int32", (-5,))):
        written = TensorProto.FromString(wire.zero_point("z", dtype, values))
        zero = numpy_helper.to_array(written)
        assert zero.dtype.name == dtype
        assert zero.ravel().tolist() == list(values)
        assert zero.ndim == len(values) - 1


@pytest.mark.parametrize("shape", [(), (1,), (0, 3, 9), (128, 70000)])
def test_values_are_those_of_the_slow_constructor(shape: tuple[int, ...]) -> None:
    slow = helper.make_tensor_value_info("x", TensorProto.INT8, shape)
    assert wire.value_info("x", "int8", shape) == slow.SerializeToString()
    assert ValueInfoProto.FromString(wire.value_info("x", "int8", shape)) == slow


def test_nodes_are_those_of_the_slow_constructor() -> None:
    attributes = [
        wire.ints("pads", (1, -2, 300)),
        wire.integer("group", -3),
        wire.real("max", 0.5),
        wire.text("auto_pad", "VALID"),
    ]
    fast = wire.node("Op", "n" * 200, ("a", "", "b"), "y", attributes)
    slow = helper.make_node("Op", ["a", "", "b"], ["y"], "n" * 200)
    given = {"pads": (1, -2, 300), "group": -3, "max": 0.5, "auto_pad": "VALID"}
    slow.attribute.extend(helper.make_attribute(key, value) for key, value in given.items())
    assert NodeProto.FromString(fast) == slow
    assert fast == slow.SerializeToString()


def test_models_are_those_of_the_slow_constructor() -> None:
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in "xy")
    node = helper.make_node("Add", ["x", "k"], ["y"], "n")
    k = numpy_helper.from_array(np.ones(2, np.float32), "k")
    graph = helper.make_graph([node], "g", [x], [y], [k])
    slow = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    nodes, inputs, outputs, initializers = (
        [each.SerializeToString()] for each in (node, x, y, k)
    )
    fast = wire.model(nodes, inputs, outputs, initializers, 13)
    assert fast == slow.SerializeToString()


@pytest.mark.parametrize("opset", range(10, 27))
def test_the_ir_version_is_the_one_that_the_opset_came_with(opset: int) -> None:
    needed = helper.find_min_ir_version_for([onnx.helper.make_opsetid("", opset)])
    assert wire.ir_version(opset) == needed
