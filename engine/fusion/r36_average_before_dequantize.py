"""R36: ``D -> AveragePool | GlobalAveragePool | ReduceMean | ReduceSum`` sums codes, one scale behind.

``fl(A * xs / n)`` with ``A = sum (q - xz)``: the same real number as the mean of the dequantized values,
rounded once instead of once for each addition (X1). Where a Q comes to stand behind it later, R14
goes on from here. This is the average of OpenVINO's low precision transformations; their MaxPool is R26, their
reshapes and transposes are R30.
"""

from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.fusion.r14_average import FUSED, attributes_of, source_of
from engine.ir import Node


def match(view: View, node: Node) -> Answer:
    """A mean or sum behind a DequantizeLinear."""
    if view.producer(node.inputs[0], "DequantizeLinear") is None:
        return None
    source, attributes = source_of(view, node), attributes_of(view, node)
    if isinstance(source, Refusal):
        return source
    if isinstance(attributes, Refusal):
        return attributes
    real = Node(node.id, f"{node.op}OfCodes", source.inputs, node.outputs, attributes)
    return Replacement((*source.covered, node), (real,), source.constants)


RULE = Rule("R36", "mean or sum of codes, dequantized behind it", "X1", tuple(FUSED), match)
