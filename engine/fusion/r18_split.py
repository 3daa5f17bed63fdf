"""R18: ``D -> Split -> Q`` on every part, all with identical parameters, is a Split of the codes."""

from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.fusion.moving import is_per_tensor, only_quantize
from engine.fusion.r40_equal_pair import read_coding, why_different, why_not_undone
from engine.fusion.r46_shared_dequantize import own_dequantize
from engine.ir import Node


def match(view: View, split: Node) -> Answer:
    """A Split of dequantized codes whose every part is quantized again."""
    dequantize = view.producer(split.inputs[0], "DequantizeLinear")
    if dequantize is None:
        return None
    quantizers = []
    for name in filter(None, split.outputs):
        quantize = only_quantize(view, name)
        if quantize is None or isinstance(quantize, Refusal):
            return quantize
        if refusal := (
            why_different(view, dequantize, quantize)
            or why_not_undone(view, dequantize, quantize)
        ):
            return refusal
        quantizers.append(quantize)
    coding = read_coding(view, dequantize)
    if isinstance(coding, Refusal):
        return coding
    if not is_per_tensor(coding):
        return Refusal(
            "G2", f"{dequantize.id} has {coding.scale.size} scales, a Split needs 1"
        )
    if refusal := own_dequantize(view, dequantize):
        return refusal
    parts = iter(quantizers)
    outputs = tuple(next(parts).outputs[0] if name else "" for name in split.outputs)
    inputs = (dequantize.inputs[0], *split.inputs[1:])
    node = Node(split.id, "Split", inputs, outputs, split.attributes)
    return Replacement((dequantize, split, *quantizers), (node,))


RULE = Rule("R18", "Split between equal pairs", "X0", ("Split",), match)
