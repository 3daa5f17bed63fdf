"""Cases on which the oracle is silent, for their scales are no normal numbers, and partners bind."""

from dataclasses import dataclass

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from corpus.case import Array, Case
from harness.campaign.plan import Plan


def product(number: int = 0, *, largest: int = 64) -> Case:
    """A QLinearMatMul of 4 rows and ``4 + number`` columns, by a factor of 2^-6, random data.

    Two products of weights of 7 bits fit 16 bits, where onnxruntime sums them on some processors.
    """
    rng = np.random.default_rng(number)
    columns = 4 + number
    constants: dict[str, Array] = {
        "xs": np.array(2.0**-130, np.float32),
        "xz": np.array(120, np.uint8),
        "w": rng.integers(-largest, largest + 1, (5, columns)).astype(np.int8),
        "ws": np.array(2.0**-6, np.float32),
        "wz": np.array(0, np.int8),
        "ys": np.array(2.0**-130, np.float32),
        "yz": np.array(130, np.uint8),
    }
    names = ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz"]
    graph = helper.make_graph(
        [helper.make_node("QLinearMatMul", names, ["y"], "product")],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, (4, 5))],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, (4, columns))],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    opsets = [helper.make_opsetid("", 13)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    x = rng.integers(10, 230, (4, 5)).astype(np.uint8)
    return Case(bytes(model.SerializeToString()), {"x": x}, origin=f"product {number}")


@dataclass(frozen=True, slots=True)
class Products(Plan):
    """A campaign of such cases, wider from number to number."""

    def case(self, number: int) -> Case:
        """The product of that number."""
        return product(number)
