"""R34: ``Split -> Q`` on every part, all alike, becomes one Q and a Split of codes."""

from engine.fusion.guards import single_consumer
from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.fusion.moving import is_per_tensor, only_quantize
from engine.fusion.r40_equal_pair import read_coding, why_different
from engine.ir import Node


def match(view: View, split: Node) -> Answer:
    """A Split of reals whose every part is quantized."""
    source = split.inputs[0]
    before = view.producer(source)
    if before is None or before.op == "DequantizeLinear":
        return None
    quantizers = []
    for name in filter(None, split.outputs):
        quantize = only_quantize(view, name)
        if quantize is None or isinstance(quantize, Refusal):
            return quantize
        quantizers.append(quantize)
        if refusal := why_different(view, quantizers[0], quantize):
            return refusal
    coding = read_coding(view, quantizers[0])
    if isinstance(coding, Refusal):
        return coding
    if not is_per_tensor(coding):
        return Refusal(
            "G2", f"{quantizers[0].id} has {coding.scale.size} scales, a Split needs 1"
        )
    if refusal := single_consumer(view, source):
        return refusal
    codes = view.new_name(source)
    one = quantizers[0]
    first = Node(one.id, "QuantizeLinear", (source, *one.inputs[1:]), (codes,), one.attributes)
    parts = iter(quantizers)
    outputs = tuple(next(parts).outputs[0] if name else "" for name in split.outputs)
    cut = Node(split.id, "Split", (codes, *split.inputs[1:]), outputs, split.attributes)
    return Replacement((split, *quantizers), (first, cut))


RULE = Rule("R34", "QuantizeLinear moved in front of Split", "X0", ("Split",), match)
