"""R25: ``D(s1, z1) -> Q(s2, z2)`` becomes one Requantize of the codes.

``qy = sat(rne((qx - z1) * s1/s2) + z2)``, the real quotient rounded once. Needs one scale and zero
point on each side (G1, G2, G6) and 8-bit codes (G7).
"""

from engine.fusion.guards import per_tensor, read_affine, with_zero_points
from engine.fusion.match import Answer, Refusal, Replacement, Rule, View
from engine.fusion.r40_equal_pair import why_different
from engine.fusion.r46_shared_dequantize import own_dequantize
from engine.ir import Node


def match(view: View, quantize: Node) -> Answer:
    """A QuantizeLinear behind a DequantizeLinear with other parameters."""
    dequantize = view.producer(quantize.inputs[0], "DequantizeLinear")
    if dequantize is None:
        return None
    different = why_different(view, dequantize, quantize)
    if different is None:
        return None
    x, y = read_affine(view, dequantize), read_affine(view, quantize)
    if isinstance(x, Refusal):
        return x
    if isinstance(y, Refusal):
        return y
    refusal = (
        per_tensor(dequantize, x)
        or per_tensor(quantize, y)
        or own_dequantize(view, dequantize)
    )
    if refusal:
        return refusal
    names, constants = with_zero_points(view, ((dequantize, x), (quantize, y)))
    inputs = (dequantize.inputs[0], *names[0], *names[1])
    node = Node(quantize.id, "Requantize", inputs, quantize.outputs, {})
    return Replacement((dequantize, quantize), (node,), constants)


RULE = Rule("R25", "codes from one scale to another", "X1", ("QuantizeLinear",), match)
