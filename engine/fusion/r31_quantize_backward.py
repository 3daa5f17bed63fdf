"""R31: ``Reshape | Transpose | ... -> Q`` becomes ``Q -> Reshape | Transpose | ...``.

Q works element by element. In front of the movement it meets the operator that made the reals, which
can then be fused. Nobody else may need the moved reals, nor what they are made of (G3).
"""

from engine.fusion.guards import single_consumer
from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.fusion.moving import MOVERS, moved_coding, only_quantize
from engine.ir import Node


def match(view: View, mover: Node) -> Answer:
    """An operator that moves reals which are quantized right after."""
    source = mover.inputs[0]
    before = view.producer(source)
    if before is None or before.op == "DequantizeLinear":
        return None
    quantize = only_quantize(view, mover.outputs[0])
    if quantize is None or isinstance(quantize, Refusal):
        return quantize
    if refusal := single_consumer(view, source):
        return refusal
    attributes = moved_coding(view, quantize, mover, up=True)
    if isinstance(attributes, Refusal):
        return attributes
    codes = view.new_name(source)
    inputs = (source, *quantize.inputs[1:])
    first = Node(quantize.id, "QuantizeLinear", inputs, (codes,), attributes)
    moved = Node(
        mover.id, mover.op, (codes, *mover.inputs[1:]), quantize.outputs, mover.attributes
    )
    return Replacement((mover, quantize), (first, moved))


RULE = Rule("R31", "QuantizeLinear moved in front of a movement", "X0", MOVERS, match)
