"""R41: ``Q -> D`` with identical parameters becomes nothing, where nothing else fits any more.

X3: the float tensor is no longer rounded to steps nor clipped to the range of the codes. For models
whose last pairs only simulate quantization. The codes must have no other reader (G3), the tensor
must keep its type (G7).
"""

from engine.fusion.guards import single_consumer
from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.fusion.r40_equal_pair import read_coding, why_different
from engine.ir import Node


def match(view: View, dequantize: Node) -> Answer:
    """A DequantizeLinear behind the QuantizeLinear that it undoes."""
    quantize = view.producer(dequantize.inputs[0], "QuantizeLinear")
    if quantize is None:
        return None
    refusal = why_different(view, quantize, dequantize) or single_consumer(
        view, quantize.outputs[0]
    )
    if refusal:
        return refusal
    coding, source = read_coding(view, dequantize), view.code_dtype(quantize.inputs[0])
    if isinstance(coding, Refusal) or coding.real != source:
        return Refusal(
            "G7", f"{quantize.id} reads {source}, {dequantize.id} gives another type"
        )
    node = Node(dequantize.id, "Identity", quantize.inputs[:1], dequantize.outputs, {})
    return Replacement((quantize, dequantize), (node,))


RULE = Rule(
    "R41",
    "a pair that only simulates quantization",
    "X3",
    ("DequantizeLinear",),
    match,
    opt_in=True,
    last=True,
)
