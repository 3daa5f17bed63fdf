"""R30: ``D -> Reshape | Transpose | ...`` becomes ``Reshape | Transpose | ... -> D``.

D works element by element, so it commutes with whatever only moves elements. Codes move as bytes, and
the next operator sees its D. Other readers of the old D keep it (R46); constants are left to be folded.
"""

from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.fusion.moving import MOVERS, dequantize_behind, moved_coding
from engine.fusion.r46_shared_dequantize import own_dequantize
from engine.ir import Node


def match(view: View, mover: Node) -> Answer:
    """An operator that moves dequantized codes."""
    dequantize = view.producer(mover.inputs[0], "DequantizeLinear")
    if dequantize is None or view.constant(dequantize.inputs[0]) is not None:
        return None
    if refusal := own_dequantize(view, dequantize):
        return refusal
    attributes = moved_coding(view, dequantize, mover, up=False)
    if isinstance(attributes, Refusal):
        return attributes
    codes = view.new_name(mover.outputs[0])
    inputs = (dequantize.inputs[0], *mover.inputs[1:])
    moved = Node(mover.id, mover.op, inputs, (codes,), mover.attributes)
    after = dequantize_behind(view, dequantize, (codes, mover.outputs[0]), attributes)
    return Replacement((dequantize, mover), (moved, *after))


RULE = Rule("R30", "DequantizeLinear moved behind a movement", "X0", MOVERS, match)
