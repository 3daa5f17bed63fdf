"""The shape of a tensor, where the graph fixes it: what triggers of faults ask, never a run."""

import numpy as np

from engine.ir import Graph, Node

Shape = tuple[int, ...]

_SAME = frozenset(
    [
        "Abs",
        "Clip",
        "DequantizeLinear",
        "Dropout",
        "Elu",
        "Erf",
        "Exp",
        "FlipSign",
        "HardSigmoid",
        "HardSwish",
        "Identity",
        "LeakyRelu",
        "Neg",
        "QLinearLeakyRelu",
        "QLinearSigmoid",
        "QLinearSoftmax",
        "QuantizeLinear",
        "Relu",
        "Requantize",
        "Selu",
        "Sigmoid",
        "Softmax",
        "Softplus",
        "Softsign",
        "Tanh",
        "ThresholdedRelu",
    ]
)
_BROADCAST = frozenset(["Add", "Div", "Max", "Min", "Mul", "PRelu", "Sub", "Sum", "Where"])
_PAIRS = frozenset(["QLinearAdd", "QLinearDiv", "QLinearMul", "QLinearSub"])
_LISTS = frozenset(["QLinearMax", "QLinearMin", "QLinearSum"])


def known_shape(graph: Graph, name: str) -> Shape | None:
    """The shape of a constant, of an input, or of what element-wise operators make of these.

    None where it is not fixed, or only another operator would tell.
    """
    constant = graph.constants.get(name)
    if constant is not None:
        return constant.shape
    for value in graph.inputs:
        if value.name == name:
            dims = value.shape
            return None if dims is None or None in dims else tuple(d or 0 for d in dims)
    node = next((each for each in graph.nodes if name in each.outputs), None)
    if node is None:
        return None
    shapes = [known_shape(graph, each) for each in _shaped_by(node)]
    fixed = [each for each in shapes if each is not None]
    if not fixed or len(fixed) < len(shapes):
        return None
    return np.broadcast_shapes(*fixed)


def known_shapes(graph: Graph, names: tuple[str, ...]) -> list[Shape] | None:
    """The shapes of several tensors, None where one is not known."""
    shapes = [known_shape(graph, each) for each in names]
    fixed = [each for each in shapes if each is not None]
    return fixed if len(fixed) == len(shapes) else None


def _shaped_by(node: Node) -> tuple[str, ...]:
    """The inputs whose shapes, broadcast, are that of the output; none where it is another."""
    if node.op in _SAME:
        return node.inputs[:1]
    if node.op in _BROADCAST:
        return tuple(filter(None, node.inputs))
    if node.op in _PAIRS:
        return node.inputs[0], node.inputs[3]
    return node.inputs[2::3] if node.op in _LISTS else ()
