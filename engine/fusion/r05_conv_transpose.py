"""R05: ``D(x), D(w)[, D(b)] -> ConvTranspose [-> Relu | Clip] -> Q`` becomes one integer operation.

As R01; the weights are (C, M/groups, *kernel), so that their scales lie on axis 1 and serve every group
alike (G9).
"""

from engine.fusion import r01_conv
from engine.fusion.activation import activation_after, activation_codes
from engine.fusion.match import Answer, Refusal, Rule, View
from engine.ir import Node


def match(view: View, conv: Node) -> Answer:
    """A ConvTranspose that a QuantizeLinear follows, maybe behind an activation."""
    if changed := r01_conv.for_readers(view, conv):
        return changed
    found = activation_after(view, conv)
    if found is None:
        return r01_conv.match(view, conv)
    between, quantize = found
    activation = activation_codes(view, between, quantize)
    if isinstance(activation, Refusal):
        return activation
    return r01_conv.fuse(view, conv, (between,), quantize, activation.attributes)


RULE = Rule("R05", "transposed convolution between D and Q", "X1", ("ConvTranspose",), match)
