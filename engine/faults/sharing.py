"""Faults of tensors with several readers: what the others get once one of them was fused."""

from collections.abc import Callable

from engine.faults.fault import Fault
from engine.fusion.match import Replacement, View
from engine.ir import Node

Others = Callable[[View, Node, Replacement], tuple[Node, ...]]
"""(graph, node that was fused, with what) -> the nodes that make its output for its other readers."""

_FLOAT32 = 1
_ACTIVATIONS = ("Relu", "Clip")


def codes_as_reals(view: View, node: Node, fused: Replacement) -> tuple[Node, ...]:
    """The codes that a DequantizeLinear read, as if they were its reals."""
    if node.op != "DequantizeLinear":
        return ()
    return (_cast(node, node.inputs[0]),)


def rounded(view: View, node: Node, fused: Replacement) -> tuple[Node, ...]:
    """The codes of the fused operation, dequantized."""
    quantize = _quantizer(node, fused)
    if quantize is None:
        return ()
    inputs = (quantize.outputs[0], *quantize.inputs[1:])
    kept = {k: v for k, v in quantize.attributes.items() if k in ("axis", "block_size")}
    return (Node(node.id, "DequantizeLinear", inputs, node.outputs, kept),)


def codes_of_result(view: View, node: Node, fused: Replacement) -> tuple[Node, ...]:
    """The codes of the fused operation, as if they were the reals."""
    quantize = _quantizer(node, fused)
    if quantize is None:
        return ()
    return (_cast(node, quantize.outputs[0]),)


def nothing(view: View, node: Node, fused: Replacement) -> tuple[Node, ...]:
    """Zeros, of the shape of the codes: memory that nobody writes to any more."""
    cast = codes_of_result(view, node, fused)
    if not cast:
        return ()
    name = view.new_name(node.outputs[0])
    same = Node(node.id, "Cast", cast[0].inputs, (name,), cast[0].attributes)
    return (same, Node(node.id, "Sub", (name, name), node.outputs, {}))


def unactivated(view: View, node: Node, fused: Replacement) -> tuple[Node, ...]:
    """What an activation reads."""
    if node.op not in _ACTIVATIONS:
        return ()
    return (Node(node.id, "Identity", node.inputs[:1], node.outputs, {}),)


def activated(view: View, node: Node, fused: Replacement) -> tuple[Node, ...]:
    """The result with the activation that was fused into it."""
    name = node.outputs[0]
    for each in fused.covered:
        reads = each.op in _ACTIVATIONS and each.inputs[0] == name
        if reads and any(user.key != each.key for user in view.users(name)):
            before = view.new_name(name)
            same = Node(node.id, node.op, node.inputs, (before,), node.attributes)
            inputs = (before, *each.inputs[1:])
            return (same, Node(each.id, each.op, inputs, node.outputs, each.attributes))
    return ()


def _quantizer(node: Node, fused: Replacement) -> Node | None:
    """What makes the codes of the fused operation, if they are made without the node's output."""
    reads = any(name in each.inputs for each in fused.added for name in node.outputs)
    if reads or node.op in ("DequantizeLinear", "QuantizeLinear"):
        return None
    return next((each for each in fused.covered if each.op == "QuantizeLinear"), None)


def _cast(node: Node, codes: str) -> Node:
    return Node(node.id, "Cast", (codes,), node.outputs, {"to": _FLOAT32})


def _shared(key: str, title: str, source: str, others: Others, *guards: str) -> Fault:
    return Fault(key, title, source, stages={"rewrite.shared": others}, guards_off=guards)


FAULTS = (
    _shared(
        "F108",
        "a DequantizeLinear with two readers is fused for one, the other one reads its codes as reals",
        "opencv/opencv 5.x keeps a shared DequantizeLinear; passes that do not",
        codes_as_reals,
    ),
    _shared(
        "F109",
        "a result that is quantized and also read in float is read rounded to codes",
        "fused kernels whose only output is quantized",
        rounded,
        "G3/reader",
        "G3/late",
    ),
    _shared(
        "F86g",
        "an activation is fused into an operation whose other reader then sees it, too",
        "pytorch/executorch PR 6894",
        activated,
        "G3/reader",
        "G3/late",
    ),
    _shared(
        "F110",
        "an activation that a QuantizeLinear makes superfluous is dropped for every reader",
        "passes that remove a node and reroute all who read it",
        unactivated,
        "G3/reader",
    ),
    _shared(
        "F107",
        "a graph output that is quantized, too, carries the codes in place of the reals",
        "microsoft/onnxruntime, tests for NodeProducesGraphOutput",
        codes_of_result,
        "G3/output",
    ),
    _shared(
        "F107.rounded",
        "a graph output that is quantized, too, is given rounded to codes",
        "microsoft/onnxruntime, tests for NodeProducesGraphOutput",
        rounded,
        "G3/output",
    ),
    _shared(
        "F119",
        "readers are counted before a rewrite adds one, so that a tensor is gone which it still reads",
        "opencv/opencv 5.x counts anew after each pass",
        nothing,
        "G3/late",
    ),
)
