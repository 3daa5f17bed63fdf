"""What type an operator computes where its own name or attributes fix it."""

from typing import Any

import numpy as np

from engine.ir import Node
from engine.onnx_tensor import element_dtype

_BY_ATTRIBUTE = {"QuantizeLinear": "output_dtype", "Cast": "to"}


def own_dtype(node: Node) -> np.dtype[Any] | None:
    """The type of a node's first output; float32 unless the node says another, None: unknown."""
    if node.op == "DynamicQuantizeLinear":
        return np.dtype(np.uint8)
    name = _BY_ATTRIBUTE.get(node.op)
    if name is None:
        return np.dtype(np.float32)
    number = node.attributes.get(name, 0) or 2
    return element_dtype(number) if isinstance(number, int) else None
