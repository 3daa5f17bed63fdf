"""R32: D moves behind Concat, whose inputs all have it alike, and behind Split, to each part.

What TensorRT does besides R30 and R31 to enlarge the regions of codes.
"""

from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.fusion.moving import dequantize_behind, is_per_tensor
from engine.fusion.r40_equal_pair import read_coding, why_different
from engine.fusion.r46_shared_dequantize import own_dequantize
from engine.ir import Node


def match(view: View, joint: Node) -> Answer:
    """A Concat or Split of dequantized codes."""
    count = 1 if joint.op == "Split" else len(joint.inputs)
    found = [view.producer(name, "DequantizeLinear") for name in joint.inputs[:count]]
    pairs = [each for each in found if each is not None]
    if len(pairs) != count or all(view.constant(each.inputs[0]) is not None for each in pairs):
        return None
    for each in pairs:
        if refusal := why_different(view, pairs[0], each) or own_dequantize(view, each):
            return refusal
    coding = read_coding(view, pairs[0])
    if isinstance(coding, Refusal):
        return coding
    if not is_per_tensor(coding):
        return Refusal(
            "G2", f"{pairs[0].id} has {coding.scale.size} scales, {joint.op} needs 1"
        )
    codes = tuple(view.new_name(name) if name else "" for name in joint.outputs)
    inputs = (*(each.inputs[0] for each in pairs), *joint.inputs[count:])
    moved = Node(joint.id, joint.op, inputs, codes, joint.attributes)
    after = [
        node
        for parts in zip(codes, joint.outputs, strict=True)
        if parts[1]
        for node in dequantize_behind(view, pairs[0], parts, pairs[0].attributes)
    ]
    unique = {each.key: each for each in pairs}
    return Replacement((*unique.values(), joint), (moved, *after))


RULE = Rule(
    "R32", "DequantizeLinear moved behind Concat and Split", "X0", ("Concat", "Split"), match
)
