"""What the standard's own evaluator makes of a node: for operators that compute nothing.

Where elements only move, `onnx.reference` is run on their indices instead of their values; so every
attribute and opset form means what ONNX says, and no rounding can hide in it.
"""

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import helper
from onnx.reference import ReferenceEvaluator

from corpus.case import Array
from harness.oracle.graph import Node
from harness.oracle.values import Silent


def evaluate(node: Node, arrays: Sequence[Array | None]) -> list[Array]:
    """The node's outputs for these inputs, None where one is absent.

    Raises:
        Silent: the standard's evaluator cannot run it.
    """
    names = ["" if each is None else f"i{i}" for i, each in enumerate(arrays)]
    outputs = [f"o{i}" if name else "" for i, name in enumerate(node.outputs)]
    proto = helper.make_node(node.op, names, outputs, name="n", **node.attributes)
    given = {name: each for name, each in zip(names, arrays, strict=True) if each is not None}
    inputs = [
        helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(each.dtype), each.shape
        )
        for name, each in given.items()
    ]
    made = [onnx.ValueInfoProto(name=name) for name in outputs if name]
    graph = helper.make_graph([proto], "g", inputs, made)
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", node.opset)], ir_version=10
    )
    try:
        return [np.asarray(each) for each in ReferenceEvaluator(model).run(None, given)]
    except (RuntimeError, ValueError, TypeError, IndexError, NotImplementedError) as error:
        words = (str(error).splitlines() or [""])[0][:120]
        raise Silent(f"the standard's evaluator cannot run it: {words}", node.where) from error


def moved_places(
    node: Node, shape: tuple[int, ...], others: Sequence[Array | None], first: int = 0
) -> list[Array]:
    """Which element of an input of that ``shape`` each output element is, by its flat index.

    ``others`` are the node's further inputs; ``first`` is the index of the first element.
    """
    indices = np.arange(first, first + int(np.prod(shape)), dtype=np.int64).reshape(shape)
    return [each.astype(np.int64) for each in evaluate(node, [indices, *others])]
